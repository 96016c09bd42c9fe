"""
The netlink socket, on which Linux tells that its network configuration changes.

We never ask it what has changed.  So no message is parsed, a lost one does no harm,
and the standard library's C{socket} is enough.  (pyroute2 0.9.7, measured, brings 190
modules, 10 MB and 0.12 seconds of CPU to every process, and an event loop of its own.)
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
The multicast groups of links, and of either family's addresses and routes
(linux/rtnetlink.h).  When a link goes down the kernel drops its IPv4 routes without a
message and keeps its IPv4 addresses, so only the messages about links tell.
"""

_MAX_MESSAGES = 512
"""
Messages to read in one turn: more than the kernel keeps for us.
"""


def openNetlink() -> socket.socket:
    """
    Open a socket for the kernel's messages about links, addresses and routes.

    @raise OSError: this platform or its sandbox has none.
    """
    if sys.platform != "linux":
        raise OSError(errno.EAFNOSUPPORT, "no netlink on this platform")
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    opened = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        opened.bind((0, _GROUPS))
    except OSError:
        opened.close()
        raise
    return opened


@implementer(IReadDescriptor)
class NetlinkSocket:
    """
    Reads a netlink socket, and tells that messages have come, not which.  A network
    watch makes it and closes it.
    """

    def __init__(
        self,
        reactor: Any,
        socket: socket.socket,
        changed: Callable[[], None],
        lost: Callable[[object], None],
    ) -> None:
        """
        @param reactor: provides L{IReactorFDSet}.
        @param socket: a non-blocking socket; it is closed by L{close}.
        @param changed: called once when a message has come, and again only after
            L{listen}.
        @param lost: called with the reason when no message will come any more.
        """
        self._reactor = reactor
        self._socket = socket
        self._changed = changed
        self._lost = lost

    def listen(self) -> None:
        """
        Wait for the next message, and tell when it comes.
        """
        self._reactor.addReader(self)

    def drain(self) -> bool:
        """
        Read the messages that have come.

        @return: whether there were any.
        @raise OSError: the socket is broken.
        """
        for taken in range(_MAX_MESSAGES):
            try:
                self._socket.recv(1)
            except BlockingIOError:
                return taken > 0
            except OSError as error:
                # Some were lost, for there were too many.  The others tell as much.
                if error.errno != errno.ENOBUFS:
                    raise
        return True

    def close(self) -> None:
        """
        Stop reading and close the socket.
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
        Read the messages and tell.  Later messages stay in the socket, so that a long
        burst does not wake us for each of them.
        """
        self._reactor.removeReader(self)
        try:
            self.drain()
        except OSError as error:
            self._lost(error)
        else:
            self._changed()

    def connectionLost(self, reason: Failure) -> None:
        """
        @see: L{IReadDescriptor.connectionLost}
        """
        self._lost(reason.value)
