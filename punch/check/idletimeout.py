"""
The silence: for how long a connection may be idle before the NATs forget it.

Several connections begin together, and each is silent for another time.  RFC 5382
section 5 has NATs wait for more than two hours; many do so for minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import Binding, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from punch.check.assessment import Idle
from punch.nat.errors import STUNError
from punch.nat.stunclient import STUNClient, connectSTUN
from punch.net.address import Address
from punch.util.deferreds import gatherAll

LONGEST = 50
"""
Seconds of the longest silence, if nothing else is said.
"""

MOST = 86_400
"""
Seconds that anybody may ask for: a day.
"""

_UNASKED = 50
"""
Seconds that any rendezvous bears: it hangs up after 60
(L{punch.rendezvous.server.limits.Limits.idleSeconds}), if it was not asked for more.
"""

_STEPS = (
    *(10, 20, 30, 40, 50, 90, 120, 180, 240, 300),
    *(450, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200),
)


def silences(longest: int) -> tuple[int, ...]:
    """
    The seconds that are tried, of which the last is C{longest}.
    """
    return (*(each for each in _STEPS if each < longest), longest)


async def silence(
    reactor: Any, vantage: Address, binding: Binding, longest: int = LONGEST
) -> Idle:
    """
    Find out.

    @param vantage: where STUN is answered.
    @param binding: of which each connection has a port of its own.
    @param longest: seconds of the longest silence that is tried, if shorter ones are
        borne.
    """
    lengths = silences(longest)
    tries = [
        Deferred.fromCoroutine(_bears(reactor, vantage, binding, seconds))
        for seconds in lengths
    ]
    # Where one silence was not borne, longer ones are not waited for.
    needless: list[Deferred[bool | None]] = []

    def heard(
        wasBorne: bool | None, longer: Sequence[Deferred[bool | None]]
    ) -> bool | None:
        if wasBorne is False:
            needless.extend(longer)
            for each in longer:
                each.cancel()
        return wasBorne

    def cancelled(why: Failure, given: Deferred[bool | None]) -> Failure | None:
        return None if given in needless else why

    for number, each in enumerate(tries):
        each.addCallback(heard, tries[number + 1 :])
        each.addErrback(cancelled, each)
    borne = await gatherAll(tries)
    return idleOf(dict(zip(lengths, borne, strict=True)))


def idleOf(borne: dict[int, bool | None]) -> Idle:
    """
    What silences tell, of which each was borne or not; C{None}: nobody knows.
    """
    lost = min((each for each, was in borne.items() if was is False), default=None)
    held = [
        each for each, was in borne.items() if was and (lost is None or each < lost)
    ]
    return Idle(max(held, default=None), lost)


async def _bears(
    reactor: Any, vantage: Address, binding: Binding, seconds: int
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
        await client.ask(silence=seconds if seconds > _UNASKED else 0)
        if seconds > max(client.maxSilence, _UNASKED):
            return None
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
