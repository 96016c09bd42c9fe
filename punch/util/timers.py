"""
An alarm: one call that is due later, and can be put off and called off.

A nap: a wait that somebody may end early.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class RestartableTimer:
    """
    Set and cleared again and again; it goes off once for each time that it is set.
    """

    __slots__ = ("_call", "_clock")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None

    def set(self, seconds: float, then: Callable[[], object]) -> None:
        """
        Call C{then} in so many seconds, instead of what was to be called.
        """
        self.clear()
        self._call = self._clock.callLater(seconds, then)

    def clear(self) -> None:
        """
        Call nothing.
        """
        if self.isSet:
            assert self._call is not None
            self._call.cancel()
        self._call = None

    @property
    def isSet(self) -> bool:
        """
        Whether something is to be called.
        """
        return self._call is not None and self._call.active()


class InterruptibleSleep:
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
