"""
A second shared port: for when the first one's SYN to the rendezvous is lost.

A SYN that is lost is sent again after a second, by every kernel (RFC 6298 section
2.1).  A connect from another port, begun a little later (RFC 8305 section 5 does so
with another address), is there long before that.  In the race nothing like it is
needed: there each side's SYN stands in for the other's.
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
    One, which may never be opened.
    """

    def __init__(
        self, clock: IReactorTime, reach: Reach, opened: Callable[[], SharedPort]
    ) -> None:
        """
        @param opened: opens a shared port, any that is free.
        """
        self._clock = clock
        self._reach = reach
        self._opened = opened
        self._shared: SharedPort | None = None

    async def beside(self, first: SharedPort) -> tuple[SharedPort, RendezvousClient]:
        """
        Connect to the rendezvous from the first port, or from this one, whichever
        is there sooner.  If this one is not, it is closed; the first never is.

        @return: the port that it is, and the client.
        @raise punch.errors.RendezvousError: the first one's.
        """
        straight = self._reach(first)
        later = Deferred.fromCoroutine(self._later())

        def refused(failure: Failure) -> Failure:
            later.cancel()
            return failure

        straight.addErrback(refused)
        try:
            index, client = await race([straight, later])
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

    async def _later(self) -> RendezvousClient:
        await deferLater(self._clock, HEAD_START)
        self._shared = self._opened()
        return await self._reach(self._shared)

    def _close(self) -> None:
        if self._shared is not None:
            self._shared.close()
