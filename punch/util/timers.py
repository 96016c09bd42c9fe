"""
Timers that can be used again and again: a delayed call and an interruptible sleep.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class RestartableTimer:
    """
    A timer that can be set and cleared again and again.  Its owner clears it at the
    end.
    """

    __slots__ = ("_call", "_clock")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None

    def set(self, seconds: float, then: Callable[[], object]) -> None:
        """
        Call C{then} in C{seconds} seconds, instead of what was to be called.
        """
        self.clear()
        self._call = self._clock.callLater(seconds, then)

    def clear(self) -> None:
        """
        Call nothing.  It does nothing if the timer is not set.
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
    A sleep for a coroutine, which others can end early.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._awake: Deferred[None] | None = None

    async def sleep(self, seconds: float) -> None:
        """
        Wait for C{seconds} seconds, or until L{wake} is called.
        """
        self._awake = Deferred()
        call = self._clock.callLater(seconds, self.wake)
        try:
            await self._awake
        finally:
            self._awake = None
            if call.active():
                call.cancel()

    @property
    def isAsleep(self) -> bool:
        """
        Whether a coroutine sleeps.
        """
        return self._awake is not None

    def wake(self) -> None:
        """
        End the sleep now.  It does nothing if nothing sleeps.
        """
        awake, self._awake = self._awake, None
        if awake is not None:
            awake.callback(None)
