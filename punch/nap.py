"""
A nap: a wait that somebody may end early.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Nap:
    """
    One sleeper, who sleeps again and again.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._awake: Deferred[None] | None = None

    async def sleep(self, seconds: float) -> None:
        """
        Wait so long, or until we are woken.
        """
        self._awake = Deferred()
        alarm = self._clock.callLater(seconds, self.wake)
        try:
            await self._awake
        finally:
            self._awake = None
            if alarm.active():
                alarm.cancel()

    @property
    def isAsleep(self) -> bool:
        """
        Whether there is somebody to wake.
        """
        return self._awake is not None

    def wake(self) -> None:
        """
        Go on now.
        """
        awake, self._awake = self._awake, None
        if awake is not None:
            awake.callback(None)
