"""
A splice of the relay: two clients' connections that are one to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from punch.relayerrors import RelayBytesSpent
from punch.rendezvous.budget import Budget

if TYPE_CHECKING:
    from punch.rendezvous.half import Half
    from punch.rendezvous.relay import Relay


class Splice:
    """
    Two halves and their budget, from when the second came until both are gone.

    @ivar halves: the two, the one that waited first.
    @ivar began: when, by the rendezvous' clock.
    """

    def __init__(self, relay: Relay, first: Half, second: Half) -> None:
        self.halves = (first, second)
        self.began = relay.clock.seconds()
        self._relay = relay
        self._living = 2
        self._told = 0
        self._isCut = False
        self._waking: IDelayedCall | None = None
        limits = relay.limits
        self._budget = Budget(
            limits.spliceBytes, limits.spliceBytesPerSecond, self.began
        )

    def begin(self) -> None:
        """
        Join them.
        """
        first, second = self.halves
        for half in self.halves:
            half.begin(self, self._budget)
        first.join(second)
        second.join(first)
        for half in self.halves:
            half.release()

    def carried(self) -> int:
        """
        Bytes carried since this was last asked.
        """
        before, self._told = self._told, self._budget.spent
        return self._told - before

    def reckon(self) -> None:
        """
        So much has passed that it is time to look at the clock, and perhaps to rest.
        """
        if self._isCut:
            return
        try:
            pause = self._budget.reckon(self._relay.clock.seconds())
        except RelayBytesSpent as error:
            self._relay.cut(self, error)
            return
        # What comes although we rest is paid for at the next reckoning.
        if pause and self._waking is None:
            self._waking = self._relay.clock.callLater(pause, self._wake)
            for half in self.halves:
                half.rest()

    def _wake(self) -> None:
        self._waking = None
        for half in self.halves:
            half.wake()

    def cut(self) -> None:
        """
        Break both off.
        """
        self._isCut = True
        for half in self.halves:
            half.abort()

    def halfLost(self) -> None:
        """
        One of the connections has ended.
        """
        self._living -= 1
        if not self._living:
            if self._waking is not None:
                self._waking.cancel()
            self._relay.ended(self)
