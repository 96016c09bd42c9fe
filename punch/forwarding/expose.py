"""
The exposed: what the peer may reach here, a service of its own each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectingCancelledError, TimeoutError
from twisted.internet.interfaces import IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from punch.errors import BadOption
from punch.forwarding.localconnection import Local, Locals, StreamEnd
from punch.forwarding.servicespec import namedEndpoint
from punch.net.address import PunchAddress
from punch.streams.errors import TargetRefused
from punch.streams.inbound import Offers

USAGE = "--expose ssh=tcp:localhost:22"

CONNECT_TIMEOUT = 30.0
"""
Seconds that a target has to accept a connection.  (Its endpoint may have less.)
"""


class Exposed:
    """
    One service: each of its streams is spliced to a connection to the target.
    """

    def __init__(
        self,
        clock: IReactorTime,
        target: IStreamClientEndpoint,
        locals: Locals,
    ) -> None:
        self._clock = clock
        self._target = target
        self._factory = Factory.forProtocol(lambda: Local(locals))
        self._factory.noisy = False

    def __call__(self, peer: PunchAddress) -> Deferred[IProtocol]:
        """
        Connect to the target (L{punch.streams.inbound.Offer}).

        @raise TargetRefused: it cannot be reached.
        """
        return Deferred.fromCoroutine(self._connect())

    async def _connect(self) -> IProtocol:
        connecting = self._target.connect(self._factory)
        connecting.addTimeout(CONNECT_TIMEOUT, self._clock, _tooLate)
        try:
            local: Any = await connecting
        except (CancelledError, ConnectingCancelledError):
            raise CancelledError
        except Exception as why:
            raise TargetRefused(str(why) or type(why).__name__) from why
        return StreamEnd(local)


def _tooLate(result: object, timeout: float) -> NoReturn:
    raise TimeoutError()


def exposed(reactor: Any, texts: Sequence[str], locals: Locals) -> Offers:
    """
    What C{--expose [NAME=]ENDPOINT}, some times, offers.

    @raise BadOption: one of them is no client endpoint, or its name is another's.
    """
    offers: dict[str, Exposed] = {}
    for text in texts:
        service, target = namedEndpoint(USAGE, clientFromString, reactor, text)
        if service in offers:
            raise BadOption(f"--expose {text}: there is a service {service!r} already")
        offers[service] = Exposed(reactor, target, locals)
    return offers
