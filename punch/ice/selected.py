"""
The win: the path that won a race, and how it came about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from punch.events import Connected
from punch.ice.candidate import Kind
from punch.net.address import Address, formatAddress
from punch.net.connection import Origin
from punch.reasons import Reason

P = TypeVar("P")


@dataclass(frozen=True)
class SelectedPath(Generic[P]):
    """
    The path that won, and how it came about.

    C{why}: if it is relayed, the reason why it is not direct, as far as is known.
    """

    path: P
    kind: Kind
    how: Origin
    local: Address
    remote: Address
    why: str = ""

    @property
    def isRelayed(self) -> bool:
        """
        Whether it leads through the relay.
        """
        return self.kind is Kind.RELAYED

    @property
    def way(self) -> str:
        """
        C{"direct"} or C{"relayed"}.
        """
        return "relayed" if self.isRelayed else "direct"

    @property
    def mayImprove(self) -> bool:
        """
        Whether a direct path would do for both sides, and be better.
        """
        return self.isRelayed and self.why != Reason.RELAY_ONLY.value

    def event(self, elapsed: float) -> Connected:
        """
        What is told of it.

        @param elapsed: seconds since the wait for it began.
        """
        return Connected(
            path=self.way,
            kind=self.kind.value,
            how=self.how.value,
            local=formatAddress(self.local),
            remote=formatAddress(self.remote),
            elapsed=round(elapsed, 6),
            why=self.why,
        )
