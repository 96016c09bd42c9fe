"""
The trial result: what a trial dial means for a link between two peers.

If the trial made a direct path, a dial will, too.  If it only missed a port that can be
found, a dial may.  If no port can be found, or nothing came through, a dial will not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punch.check.report import Evidence, Likelihood, Value
from punch.errors import NoAnswer, NotAttached, PunchError, Refused, Unreachable
from punch.nat import errors
from punch.nat.behavior import ObservedBehavior, describeAllocation

_MAY_SUCCEED = (errors.SearchFailed, errors.PredictionFailed, errors.NoSearch)
_UNLIKELY = (errors.NoDirectPath, NoAnswer, Refused, Unreachable, NotAttached)


@dataclass(frozen=True)
class TrialResult:
    """
    What came of a trial dial.  L{punch.check.trialdial.TrialDial} answers with it.

    @ivar peer: the peer's address, as the rendezvous sees it; empty if we were not
        introduced.
    @ivar behavior: what the peer's NATs do, as far as the peer has told.
    @ivar path: the direct path, described for a person; empty if there was none.
    @ivar why: why there was none.
    @ivar evidence: what was tried, and what came of it.
    """

    peer: str
    behavior: ObservedBehavior | None
    path: str = ""
    why: PunchError | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def verdict(self) -> Likelihood | None:
        """
        How likely direct links with this peer are; C{None} if the dial failed before
        it could show that.
        """
        if self.why is None:
            return Likelihood.LIKELY
        if isinstance(self.why, _MAY_SUCCEED):
            return Likelihood.POSSIBLE
        return Likelihood.UNLIKELY if isinstance(self.why, _UNLIKELY) else None

    @property
    def advice(self) -> str:
        """
        What may help, if that is known; else empty.
        """
        if self.why is None:
            return "nothing needs to be done"
        return self.why.advice if isinstance(self.why, errors.NoDirectPath) else ""

    def peerValue(self) -> Value:
        """
        Who the peer is, and what its NATs do, for the report.
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
        How likely direct links with the peer are, and why, for the report.
        """
        verdict, why = self.verdict, self.why
        if why is None:
            fields = {"verdict": Likelihood.LIKELY.value, "reason": None}
            return Value.tested(f"{Likelihood.LIKELY.value} ({self.path})", fields)
        reason = why.reason.value
        if verdict is None:
            return Value.failed(f"{reason}: {why}")
        fields = {"verdict": verdict.value, "reason": reason}
        return Value.tested(f"{verdict.value} ({reason}: {why})", fields)
