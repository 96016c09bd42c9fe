"""
A clock for networks that have thousands of delayed calls.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock


class QuickClock(Clock):
    """
    Does what Twisted's clock does, which sorts all its calls for each that is added or
    made.  This one puts each call where it belongs, as the reactor does.
    """

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """
        @see: L{twisted.internet.interfaces.IReactorTime.callLater}
        """
        instant = self.seconds() + delay
        remove, seconds = self.calls.remove, self.seconds
        call = DelayedCall(instant, callable, args, kw, remove, self._sooner, seconds)
        insort(self.calls, call)
        return call

    def advance(self, amount: float) -> None:
        """
        Let time pass, and make the calls that are due then.
        """
        self.rightNow += amount
        while self.calls and self.calls[0].time <= self.seconds():
            call = self.calls.pop(0)
            if call.delayed_time > 0:
                call.activate_delay()
                insort(self.calls, call)
                continue
            call.called = 1
            call.func(*call.args, **call.kw)

    def _sooner(self, call: DelayedCall) -> None:
        self.calls.remove(call)
        insort(self.calls, call)
