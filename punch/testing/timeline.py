"""
The timeline of a network in memory: arrivals of segments, retransmissions, and the
turns in which programs are told that their sockets are ready.

A L{Clock} sorts all its calls for each new one, so the network keeps a heap of its own
and has at most one call in the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock


class Pollable(Protocol):
    """
    A socket that may be ready for its program.
    """

    def poll(self) -> None:
        """
        Tell the program of what is ready, once.
        """


class Timer:
    """
    One call on a timeline, which can be cancelled.
    """

    __slots__ = ("_timeline", "arguments", "call")

    def __init__(
        self,
        timeline: Timeline,
        call: Callable[..., object],
        arguments: tuple[object, ...],
    ) -> None:
        self._timeline = timeline
        self.call: Callable[..., object] | None = call
        self.arguments = arguments

    def cancel(self) -> None:
        """
        Cancel the call.  It does nothing if the call was made.
        """
        self.call = None
        self.arguments = ()
        self._timeline.cancelled()


class Timeline:
    """
    The calls of one network, in the order of their times.

    @ivar clock: the clock on which the calls are made.
    @ivar wake: the one call in the clock; L{None} if nothing is to happen.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.wake: IDelayedCall | None = None
        self._wakeAt = 0.0
        self._turning = False
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._ready: dict[Pollable, None] = {}

    def after(self, delay: float, call: Callable[..., object], *args: object) -> Timer:
        """
        Make a call C{delay} seconds from now.
        """
        timer = Timer(self, call, args)
        instant = self.clock.seconds() + delay
        heappush(self._heap, (instant, next(self._order), timer))
        if not self._turning and (self.wake is None or instant < self._wakeAt):
            self._reschedule()
        return timer

    def markReady(self, pollable: Pollable) -> None:
        """
        Poll a socket in the next turn, which comes at once but after this call.
        """
        self._ready[pollable] = None
        if not self._turning:
            self._reschedule()

    def cancelled(self) -> None:
        """
        Note that a timer was cancelled.  If it was the next one, wake later.
        """
        if not self._turning and self._heap and self._heap[0][2].call is None:
            self._reschedule()

    def _reschedule(self) -> None:
        """
        Have one call in the clock if anything is to happen, else none.
        """
        while self._heap and self._heap[0][2].call is None:
            heappop(self._heap)
        now = self.clock.seconds()
        if self._ready:
            due = now
        elif self._heap:
            due = self._heap[0][0]
        else:
            due = None
        if self.wake is not None:
            if due == self._wakeAt:
                return
            self.wake.cancel()
            self.wake = None
        if due is not None:
            self._wakeAt = due
            self.wake = self.clock.callLater(max(0.0, due - now), self._runTurn)

    def _runTurn(self) -> None:
        """
        Make the calls that are due, and then tell the programs of ready sockets.
        """
        self.wake = None
        self._turning = True
        try:
            self._runDue()
            ready, self._ready = self._ready, {}
            for pollable in ready:
                pollable.poll()
        finally:
            self._turning = False
            self._reschedule()

    def _runDue(self) -> None:
        now = self.clock.seconds()
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heappop(heap)[2]
            if timer.call is not None:
                call, timer.call = timer.call, None
                call(*timer.arguments)
