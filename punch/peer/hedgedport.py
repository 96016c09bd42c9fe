"""
A hedged port: a second shared port, opened when the first one's SYN to the rendezvous
may be lost.

Every kernel sends a lost SYN again after a second (RFC 6298 section 2.1).  A connect
from another port that begins a little after the first (as RFC 8305 section 5 does with
another address) is established long before that.  The race needs nothing like it:
there each side's SYN stands in for the other's.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, FailureGroup, race
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from punch.net.sharedport import SharedPort
from punch.rendezvous.client import RendezvousClient

HEAD_START = 0.3
"""
Seconds that the first port has for itself.
"""

Reach = Callable[[SharedPort], Deferred[RendezvousClient]]
"""
Connects to the rendezvous from a shared port.
"""


async def connectHedged(
    clock: IReactorTime,
    reach: Reach,
    first: SharedPort,
    opened: Callable[[], SharedPort],
) -> tuple[SharedPort, RendezvousClient]:
    """
    Connect to the rendezvous from a first port and, if that takes long, from a second,
    whichever is sooner.  The second port is closed if it is not; the first never is.

    @param reach: connects to the rendezvous from a shared port.
    @param opened: opens another shared port, any that is free.
    @return: the port that was sooner, and the client.
    @raise punch.errors.RendezvousError: the first port's error.
    """
    used, others = first, []

    async def reachFromSecond() -> RendezvousClient:
        await deferLater(clock, HEAD_START)
        others.append(opened())
        return await reach(others[0])

    def refused(failure: Failure) -> Failure:
        fromSecond.cancel()
        return failure

    fromFirst = reach(first)
    fromSecond = Deferred.fromCoroutine(reachFromSecond())
    fromFirst.addErrback(refused)
    try:
        index, client = await race([fromFirst, fromSecond])
        used = others[0] if index else first
        return used, client
    except FailureGroup as both:
        both.failures[0].raiseException()
    finally:
        for other in others:
            if other is not used:
                other.close()
