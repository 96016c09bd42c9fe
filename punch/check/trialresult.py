"""
The prospect: what a rehearsal of two peers' meeting means for a link between them.

Where they met, they will again.  Where they did not because a port was not found that
can be, they may; where nothing can be found, or nothing came through, they won't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punch.check.report import Evidence, Value, Verdict
from punch.errors import NoAnswer, NotAttached, PunchError, Refused, Unreachable
from punch.nat.behavior import ObservedBehavior, describeAllocation
from punch.nat.errors import (
    NoDirectPath,
    NoSearch,
    PredictionFailed,
    SearchFailed,
)

_LUCKLESS = (SearchFailed, PredictionFailed, NoSearch)
_HOPELESS = (NoDirectPath, NoAnswer, Refused, Unreachable, NotAttached)


@dataclass(frozen=True)
class TrialResult:
    """
    What became of a rehearsal.

    C{peer}: where the rendezvous sees the other side; empty if it introduced nobody.
    C{behavior}: what that side's NATs do, as far as it has told.  C{way}: how a
    direct path came about, for a person; empty if none did.  C{why}: then, why not.
    C{evidence}: what was tried.
    """

    peer: str
    behavior: ObservedBehavior | None
    way: str = ""
    why: PunchError | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """
        What becomes of direct links; C{None} if the two came to no meeting that
        would tell.
        """
        if self.why is None:
            return Verdict.LIKELY
        if isinstance(self.why, _LUCKLESS):
            return Verdict.POSSIBLE
        return Verdict.UNLIKELY if isinstance(self.why, _HOPELESS) else None

    @property
    def advice(self) -> str:
        """
        What may help, if anything is known; else empty.
        """
        if self.why is None:
            return "nothing needs to be done"
        return self.why.advice if isinstance(self.why, NoDirectPath) else ""

    def peerValue(self) -> Value:
        """
        Who the other side is.
        """
        if not self.peer:
            return Value.failed("it was not met")
        nat = self.behavior
        fields: dict[str, Any] = {"address": self.peer, "nat": None}
        if nat is None:
            return Value.tested(f"{self.peer} (nothing is known of its NATs)", fields)
        fields["nat"] = nat.toFields()
        text = nat.mapping.value
        if not nat.isEndpointIndependent:
            text += f", {describeAllocation(nat)}"
        return Value.tested(f"{self.peer} ({text})", fields)

    def pairValue(self) -> Value:
        """
        What becomes of the two.
        """
        verdict, why = self.verdict, self.why
        if why is None:
            fields = {"verdict": Verdict.LIKELY.value, "reason": None}
            return Value.tested(f"{Verdict.LIKELY.value} ({self.way})", fields)
        reason = why.reason.value
        if verdict is None:
            return Value.failed(f"{reason}: {why}")
        fields = {"verdict": verdict.value, "reason": reason}
        return Value.tested(f"{verdict.value} ({reason}: {why})", fields)
