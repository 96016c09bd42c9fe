"""
The selected path: what a race answers with.
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
    The path that a race has selected, and how it came about.

    @ivar path: whatever the race's C{verify} made of the connection.
    @ivar kind: the kind of candidate that it leads to.
    @ivar how: who opened the connection.
    @ivar local: our address.
    @ivar remote: the peer's address.
    @ivar why: if it is relayed, a L{Reason}'s value that says why it is not direct, as
        far as that is known.
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
        Whether the path leads through the relay.
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
        Whether the race for a direct path goes on behind it.
        """
        return self.isRelayed and self.why != Reason.RELAY_ONLY.value

    def event(self, elapsed: float) -> Connected:
        """
        The event that tells of the path.

        @param elapsed: seconds that it took, from the start of the dial or the
            introduction.
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
