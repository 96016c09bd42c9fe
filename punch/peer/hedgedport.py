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


class HedgedPort:
    """
    Connects to the rendezvous from a first port and, if that takes long, from a second.

    A L{punch.peer.peer.Peer} makes one for each first connect of a dial.  Whichever
    port connects first becomes the shared port; the second one may never be opened.
    """

    def __init__(
        self, clock: IReactorTime, reach: Reach, opened: Callable[[], SharedPort]
    ) -> None:
        """
        @param reach: connects to the rendezvous from a shared port.
        @param opened: opens another shared port, any that is free.
        """
        self._clock = clock
        self._reach = reach
        self._opened = opened
        self._shared: SharedPort | None = None

    async def connectBeside(
        self, first: SharedPort
    ) -> tuple[SharedPort, RendezvousClient]:
        """
        Connect to the rendezvous from the first port, or from the second, whichever is
        sooner.  The second is closed if it is not; the first never is.

        @return: the port that was sooner, and the client.
        @raise punch.errors.RendezvousError: the first port's error.
        """
        fromFirst = self._reach(first)
        fromSecond = Deferred.fromCoroutine(self._reachFromSecond())

        def refused(failure: Failure) -> Failure:
            fromSecond.cancel()
            return failure

        fromFirst.addErrback(refused)
        try:
            index, client = await race([fromFirst, fromSecond])
        except FailureGroup as both:
            self._close()
            both.failures[0].raiseException()
        except BaseException:
            self._close()
            raise
        if index == 0:
            self._close()
            return first, client
        assert self._shared is not None
        return self._shared, client

    async def _reachFromSecond(self) -> RendezvousClient:
        await deferLater(self._clock, HEAD_START)
        self._shared = self._opened()
        return await self._reach(self._shared)

    def _close(self) -> None:
        if self._shared is not None:
            self._shared.close()
