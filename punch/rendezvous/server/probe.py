"""
The knocks: connects of the rendezvous to its own clients, so that they learn what
becomes of a SYN that they did not ask for.

Nobody else can be made to feel them: the one address that is knocked at is that from
which the client's own connection comes, port and all, which a handshake has proved;
nothing is sent there; and they are few.
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

PATIENCE = 4.0
"""
Seconds that a knock may take: a SYN, and two repetitions of it.
"""

MOST = 32
"""
Knocks at a time, of all clients together.
"""


_CANCELLED = (CancelledError, error.ConnectingCancelledError)


class _Silence(Protocol):
    """
    Hangs up without a word.
    """

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class Prober:
    """
    Who knocks.

    C{addresses}: IP addresses of ours from which we may, beside that to which a client
    is connected.
    """

    def __init__(self, reactor: Any) -> None:
        self.addresses: list[str] = []
        self._reactor = reactor
        self._knocking: dict[Deferred[Any], None] = {}

    def elsewhere(self, ours: str) -> str:
        """
        Another address of ours than C{ours}, of the same kind; empty if we have none.
        """
        isSix = ":" in ours
        others = (each for each in self.addresses if (":" in each) == isSix)
        return next((each for each in others if each != ours), "") if ours else ""

    async def knock(self, address: Address, ours: str) -> Outcome:
        """
        Knock at the address of a client's own connection.

        @param ours: the IP address of ours from which we do.
        @raise TooMany: many are at it.
        """
        if len(self._knocking) >= MOST:
            raise TooMany(f"at most {MOST} knocks")
        factory = Factory.forProtocol(_Silence)
        factory.noisy = False
        kind = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
        binding = makeBinding(ours, 0)
        endpoint = kind(
            self._reactor, address.host, address.port, PATIENCE, bindAddress=binding
        )
        connecting = endpoint.connect(factory)
        self._knocking[connecting] = None
        try:
            await connecting
        except (error.ConnectError, *_CANCELLED) as why:
            return _answerOf(why)
        finally:
            del self._knocking[connecting]
        return Outcome.CONNECTED

    def end(self) -> None:
        """
        Give up those that are not answered yet.
        """
        for each in list(self._knocking):
            each.cancel()


def _answerOf(why: Exception) -> Outcome:
    if isinstance(why, error.ConnectionRefusedError):
        return Outcome.REFUSED
    if isinstance(why, error.TimeoutError):
        return Outcome.TIMED_OUT
    if isinstance(why, (error.ConnectBindError, *_CANCELLED)):
        return Outcome.FAILED
    if getattr(why, "osError", None) == errno.ECONNRESET:
        # It was accepted, and given up before we looked.
        return Outcome.CONNECTED
    return Outcome.UNREACHABLE
