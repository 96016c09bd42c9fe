"""
News from the kernel: a socket that says when to look at the network again.

It is never asked what has happened.  So no message is parsed, a lost one does no
harm, and the standard library's C{socket} is enough; pyroute2 (0.9.7, measured)
brings 190 modules, 10 MB and 0.12 seconds of CPU to every process, and an event loop
of its own.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""
From linux/rtnetlink.h: links, and either family's addresses and routes.  Without the
links nothing is heard of one that goes down: the kernel drops its IPv4 routes in
silence, and keeps its IPv4 addresses.
"""

_AT_ONCE = 512
"""
Messages to take in one turn: more than the kernel keeps for us.
"""


def openNetlink() -> socket.socket:
    """
    The kernel's news of links, addresses and routes.

    @raise OSError: there are none here.
    """
    if sys.platform != "linux":
        raise OSError(errno.EAFNOSUPPORT, "no netlink on this platform")
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    news = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        news.bind((0, _GROUPS))
    except OSError:
        news.close()
        raise
    return news


@implementer(IReadDescriptor)
class NetlinkSocket:
    """
    A socket that says when to look.
    """

    def __init__(
        self,
        reactor: Any,
        news: socket.socket,
        stirred: Callable[[], None],
        lost: Callable[[object], None],
    ) -> None:
        """
        @param reactor: provides L{IReactorFDSet}.
        @param stirred: called when something has come; then no more, until L{listen}.
        @param lost: called with the reason when nothing will come any more.
        """
        self._reactor = reactor
        self._socket = news
        self._stirred = stirred
        self._lost = lost

    def listen(self) -> None:
        """
        Wait for the next message.
        """
        self._reactor.addReader(self)

    def drain(self) -> bool:
        """
        Take the messages that have come.

        @return: whether there were any.
        @raise OSError: there will be none.
        """
        for taken in range(_AT_ONCE):
            try:
                self._socket.recv(1)
            except BlockingIOError:
                return taken > 0
            except OSError as error:
                # So many that some were lost: what is left says as much.
                if error.errno != errno.ENOBUFS:
                    raise
        return True

    def close(self) -> None:
        """
        Hear no more.
        """
        self._reactor.removeReader(self)
        self._socket.close()

    # IReadDescriptor

    def fileno(self) -> int:
        """
        @see: L{IReadDescriptor.fileno}
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        @see: L{IReadDescriptor.logPrefix}
        """
        return "network changes"

    def doRead(self) -> None:
        """
        Something has come.  What comes next stays where it is, so that a long burst
        does not wake us for each message.
        """
        self._reactor.removeReader(self)
        try:
            self.drain()
        except OSError as error:
            self._lost(error)
        else:
            self._stirred()

    def connectionLost(self, reason: Failure) -> None:
        """
        @see: L{IReadDescriptor.connectionLost}
        """
        self._lost(reason.value)
