"""
Probes: connects from the rendezvous to its own clients, to test their NATs' filtering.

A client learns what becomes of a SYN that it did not ask for.  Probes cannot be aimed
at anybody else: the address that is probed is the one that the client's own connection
comes from, port included, which a TCP handshake has proved.  Nothing is sent there, and
there are few probes.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import makeBinding

from punch.errors import TooMany
from punch.net.address import Address
from punch.net.outcome import Outcome

TIMEOUT = 4.0
"""
Seconds that a probe may take: a SYN, and two repetitions of it.
"""

MAX_PROBES = 32
"""
Probes at a time, of all clients together.
"""


_CANCELLED = (CancelledError, error.ConnectingCancelledError)


class _HangUp(Protocol):
    """
    Ends its connection at once, and sends nothing.
    """

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class Prober:
    """
    Connects to clients that ask for it.

    Whoever sets up the server makes it, and puts it into the server's state, which ends
    it with L{cancelAll}.

    @ivar addresses: the server's IP addresses to probe from, beside the one that the
        client is connected to.
    """

    def __init__(self, reactor: Any) -> None:
        self.addresses: list[str] = []
        self._reactor = reactor
        self._pending: dict[Deferred[Any], None] = {}

    def otherAddress(self, ours: str) -> str:
        """
        Another address of ours than C{ours}, of the same IP version; empty if there is
        none.
        """
        isSix = ":" in ours
        others = (each for each in self.addresses if (":" in each) == isSix)
        return next((each for each in others if each != ours), "") if ours else ""

    async def probe(self, address: Address, ours: str) -> Outcome:
        """
        Connect to the address that a client's own connection comes from.

        @param ours: the IP address of ours to connect from.
        @raise TooMany: too many probes are pending.
        """
        if len(self._pending) >= MAX_PROBES:
            raise TooMany(f"at most {MAX_PROBES} knocks")
        factory = Factory.forProtocol(_HangUp)
        factory.noisy = False
        kind = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
        binding = makeBinding(ours, 0)
        endpoint = kind(
            self._reactor, address.host, address.port, TIMEOUT, bindAddress=binding
        )
        connecting = endpoint.connect(factory)
        self._pending[connecting] = None
        try:
            await connecting
        except (error.ConnectError, *_CANCELLED) as why:
            return _outcomeOf(why)
        finally:
            del self._pending[connecting]
        return Outcome.CONNECTED

    def cancelAll(self) -> None:
        """
        Cancel the probes that are pending.
        """
        for each in list(self._pending):
            each.cancel()


def _outcomeOf(why: Exception) -> Outcome:
    if isinstance(why, error.ConnectionRefusedError):
        return Outcome.REFUSED
    if isinstance(why, error.TimeoutError):
        return Outcome.TIMED_OUT
    if isinstance(why, (error.ConnectBindError, *_CANCELLED)):
        return Outcome.FAILED
    if getattr(why, "osError", None) == errno.ECONNRESET:
        # It was accepted, and reset before we looked.
        return Outcome.CONNECTED
    return Outcome.UNREACHABLE
