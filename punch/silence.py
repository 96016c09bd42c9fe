"""
The silence: for how long a connection may be idle before the NATs forget it.

Several connections begin together, and each is silent for another time.  RFC 5382
section 5 has NATs wait for more than two hours; those who forget within a minute are
what matters to us, and a rendezvous does not bear much more either.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import Binding, IReactorTime
from twisted.internet.task import deferLater

from punch.address import Address
from punch.arrival import together
from punch.assessment import Idle
from punch.stunclient import STUNClient, connectSTUN
from punch.stunerrors import STUNError

SILENCES = (10.0, 20.0, 30.0, 40.0, 50.0)
"""
Seconds; a rendezvous hangs up after 60 (L{punch.rendezvous.limits.Limits.idleSeconds}).
"""


async def silence(reactor: Any, vantage: Address, binding: Binding) -> Idle:
    """
    Find out.

    @param vantage: where STUN is answered.
    @param binding: of which each connection has a port of its own.
    """
    tries = [
        Deferred.fromCoroutine(_bears(reactor, vantage, binding, seconds))
        for seconds in SILENCES
    ]
    borne = await together(tries)
    return idleOf(dict(zip(SILENCES, borne, strict=True)))


def idleOf(borne: dict[float, bool | None]) -> Idle:
    """
    What silences tell, of which each was borne or not; C{None}: nobody knows.
    """
    lost = min((each for each, was in borne.items() if was is False), default=None)
    held = [
        each for each, was in borne.items() if was and (lost is None or each < lost)
    ]
    return Idle(max(held, default=None), lost)


async def _bears(
    reactor: Any, vantage: Address, binding: Binding, seconds: float
) -> bool | None:
    """
    Whether one silence is borne; C{None} if the other side did not bear it.
    """
    clock = IReactorTime(reactor)
    kind = TCP6ClientEndpoint if ":" in vantage.host else TCP4ClientEndpoint
    endpoint = kind(reactor, vantage.host, vantage.port, bindAddress=binding)
    try:
        client = await connectSTUN(clock, endpoint)
    except STUNError:
        return None
    try:
        await client.ask()
        await deferLater(clock, seconds, lambda: None)
        return None if client.lost.settled else await _answers(client)
    except STUNError:
        return None
    finally:
        client.abort()


async def _answers(client: STUNClient) -> bool:
    try:
        await client.ask()
    except STUNError:
        return False
    return True
