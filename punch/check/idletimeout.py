"""
The idle timeout: for how long a connection may be silent before the NATs forget it.

Several connections begin together, and each is silent for another time.  RFC 5382
section 5 has NATs wait for more than two hours; many wait for minutes only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import Binding, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from punch.check.assessment import IdleTimeout
from punch.nat.errors import STUNError
from punch.nat.stunclient import STUNClient, connectSTUN, stunEndpoint
from punch.net.address import Address
from punch.util.deferreds import gatherAll

DEFAULT_LONGEST = 50
"""
Seconds of the longest silence, if nothing else is asked for.
"""

MOST_SECONDS = 86_400
"""
Seconds of silence that may be asked for: a day.
"""

_UNASKED = 50
"""
Seconds of silence that any rendezvous tolerates.  It hangs up after 60
(L{punch.rendezvous.server.limits.Limits.idleSeconds}), unless it was asked for more.
"""

_PERIODS = (
    *(10, 20, 30, 40, 50, 90, 120, 180, 240, 300),
    *(450, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200),
)


def idlePeriods(longest: int) -> tuple[int, ...]:
    """
    The periods of silence to try, in seconds, of which the last is C{longest}.
    """
    return (*(each for each in _PERIODS if each < longest), longest)


async def measureIdleTimeout(
    reactor: Any, server: Address, binding: Binding, longest: int = DEFAULT_LONGEST
) -> IdleTimeout:
    """
    Find out between which two periods of silence the NATs forget a connection.

    @param server: where STUN is answered.
    @param binding: what the connections are bound to; each must get another port.
    @param longest: seconds of the longest silence to try.
    """
    periods = idlePeriods(longest)
    tries = [
        Deferred.fromCoroutine(_survives(reactor, server, binding, seconds))
        for seconds in periods
    ]
    # After one silence was too long, longer ones are not waited for.
    needless: list[Deferred[bool | None]] = []

    def ended(
        survived: bool | None, longer: Sequence[Deferred[bool | None]]
    ) -> bool | None:
        if survived is False:
            needless.extend(longer)
            for each in longer:
                each.cancel()
        return survived

    def cancelled(why: Failure, given: Deferred[bool | None]) -> Failure | None:
        return None if given in needless else why

    for number, each in enumerate(tries):
        each.addCallback(ended, tries[number + 1 :])
        each.addErrback(cancelled, each)
    survived = await gatherAll(tries)
    return idleTimeoutOf(dict(zip(periods, survived, strict=True)))


def idleTimeoutOf(survived: dict[int, bool | None]) -> IdleTimeout:
    """
    What connections tell that were silent for some seconds.

    @param survived: by seconds of silence, whether a connection still worked;
        C{None} if nobody knows.
    """
    lost = min((each for each, did in survived.items() if did is False), default=None)
    held = [
        each for each, did in survived.items() if did and (lost is None or each < lost)
    ]
    return IdleTimeout(max(held, default=None), lost)


async def _survives(
    reactor: Any, server: Address, binding: Binding, seconds: int
) -> bool | None:
    """
    Whether a connection works after C{seconds} of silence; C{None} if the server did
    not tolerate the silence.
    """
    clock = IReactorTime(reactor)
    try:
        client = await connectSTUN(clock, stunEndpoint(reactor, server, binding))
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
