"""
The connect attempt: one connect from the shared port, and its outcome.
"""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import suppress
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    Binding,
    IAddress,
    IConnector,
    IReactorTCP,
)
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from punch.net.address import Address
from punch.net.connection import Connection, Origin
from punch.net.nat64 import Prefix
from punch.net.outcome import Outcome

_TIMEOUT = 600.0
"""
Seconds, more than any kernel takes: the kernel ends an attempt.
"""

_LINGER_ZERO = struct.pack("ii", 1, 0)

_OUTCOMES = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.REFUSED,
    # ICMPv6's "administratively prohibited": a firewall's answer (RFC 6092).
    errno.EACCES: Outcome.REFUSED,
    errno.ETIMEDOUT: Outcome.TIMED_OUT,
    # The four-tuple lives already: look at what was accepted.
    errno.EADDRNOTAVAIL: Outcome.TAKEN,
    errno.EADDRINUSE: Outcome.TAKEN,
}


def outcomeOf(failure: Failure) -> Outcome:
    """
    The outcome that a failed connect means.
    """
    why = failure.value
    if isinstance(why, error.TimeoutError):
        return Outcome.TIMED_OUT
    if isinstance(why, error.ConnectError):
        return _OUTCOMES.get(why.osError or 0, Outcome.UNREACHABLE)
    return Outcome.UNREACHABLE


def attemptTimeout(attempt: object, seconds: float) -> Failure:
    """
    The failure of an attempt that was cancelled after C{seconds} seconds.  It fits
    C{addTimeout}'s C{onTimeoutCancel}.
    """
    return Failure(error.TimeoutError(string=f"nothing in {seconds:.1f} s"))


class ConnectAttempt(ClientFactory):
    """
    One attempt to connect.  The shared port makes and starts it.

    @ivar whenConnected: fires with the connection.  To cancel it closes the socket
    abruptly: one that is half open by then (SYN_RECV, of a simultaneous open) would
    else linger as an orphan of the kernel's, and hold its four-tuple for minutes.
    """

    noisy = False

    def __init__(self, prefix: Prefix | None = None) -> None:
        """
        @param prefix: the prefix of the NAT64 that we are behind, if any.
        """
        self._prefix = prefix
        self.whenConnected: Deferred[Connection] = Deferred(self._cancel)
        self._connector: Any = None

    def start(self, reactor: IReactorTCP, address: Address, binding: Binding) -> None:
        """
        Connect to C{address} from C{binding}.
        """
        if self._prefix is not None:
            address = self._prefix.toIPv6(address)
        reactor.connectTCP(
            address.host,
            address.port,
            self,
            _TIMEOUT,
            binding,  # type: ignore[arg-type]
        )

    def startedConnecting(self, connector: IConnector) -> None:
        self._connector = connector

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return Connection(Origin.CONNECTED, self.whenConnected.callback, self._prefix)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if self._connector is not None:
            self._connector = None
            self.whenConnected.errback(reason)

    def _cancel(self, whenConnected: Deferred[Connection]) -> None:
        connector, self._connector = self._connector, None
        # It has no socket if the system refused to make one, and is just failing.
        with suppress(AttributeError, OSError):
            handle = connector.transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        connector.stopConnecting()
