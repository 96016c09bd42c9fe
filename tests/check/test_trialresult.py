"""
Tests for L{punch.check.trialresult}.
"""

from __future__ import annotations

import pytest

from punch.check.assessment import Findings, Reach, assess
from punch.check.report import Evidence, State, Verdict
from punch.check.trialresult import TrialResult
from punch.errors import (
    Bug,
    NoAnswer,
    NoSuchName,
    PeerLeft,
    PeerSilent,
    PunchError,
    RendezvousLost,
    WrongCode,
)
from punch.nat.behavior import Allocation, Mapping, ObservedBehavior
from punch.nat.errors import (
    BothRandomMapping,
    NoDirectPath,
    NoSearch,
    PredictionFailed,
    SearchFailed,
)

PEER = "203.0.113.1:5000"
KEEPS = ObservedBehavior(Mapping.ENDPOINT_INDEPENDENT)
NEXT = ObservedBehavior(Mapping.ADDRESS_AND_PORT_DEPENDENT, Allocation.SEQUENTIAL, 2)


def failed(why: PunchError) -> TrialResult:
    """
    One of two who have not met.
    """
    return TrialResult(PEER, KEEPS, "", why)


def test_met() -> None:
    """
    Those who met will meet again; the text has the verdict first, then how.
    """
    value = TrialResult(PEER, KEEPS, "direct after 312 ms").pairValue()
    assert str(value) == "likely (direct after 312 ms)"
    assert value.value == {"verdict": "likely", "reason": None}


@pytest.mark.parametrize("why", NoDirectPath.__subclasses__())
def test_noPath(why: type[NoDirectPath]) -> None:
    """
    Where a port was not found that can be, a link is possible; for any other reason on
    which both agree it is unlikely.  The advice is that reason's.
    """
    lucky = why in (SearchFailed, PredictionFailed, NoSearch)
    verdict = Verdict.POSSIBLE if lucky else Verdict.UNLIKELY
    prospect = failed(why())
    assert (prospect.verdict, prospect.advice) == (verdict, why.advice)
    value = prospect.pairValue()
    assert str(value) == f"{verdict.value} ({why.reason.value}: {why()})"
    assert value.value == {"verdict": verdict.value, "reason": why.reason.value}


def test_noAnswer() -> None:
    """
    Where nobody knows why nothing came through, a link is unlikely.
    """
    assert failed(NoAnswer()).verdict is Verdict.UNLIKELY
    assert failed(NoAnswer()).advice == ""


@pytest.mark.parametrize(
    "why", [WrongCode, NoSuchName, PeerLeft, PeerSilent, RendezvousLost, Bug]
)
def test_failed(why: type[PunchError]) -> None:
    """
    Whoever was not met in earnest tells nothing of NATs.
    """
    prospect = failed(why())
    assert prospect.verdict is None
    value = prospect.pairValue()
    assert value.state is State.FAILED
    assert str(value) == f"failed ({why.reason.value}: {why()})"


@pytest.mark.parametrize(
    ("behavior", "text"),
    [
        (None, "nothing is known of its NATs"),
        (KEEPS, "endpoint-independent"),
        (NEXT, "address-and-port-dependent, sequential, step 2"),
    ],
)
def test_peer(behavior: ObservedBehavior | None, text: str) -> None:
    """
    Of the other side its address is told, and what it said of its NATs.
    """
    value = TrialResult(PEER, behavior).peerValue()
    assert str(value) == f"{PEER} ({text})"
    nat = None if behavior is None else behavior.toFields()
    assert value.value == {"address": PEER, "nat": nat}


def test_nobody() -> None:
    """
    If nobody was met, there is nothing to tell of him.
    """
    assert TrialResult("", None, "", NoSuchName()).peerValue().state is State.FAILED


def test_report() -> None:
    """
    A check's report has it beside its own side's verdict, with what was tried, and the
    pair's advice before its own.
    """
    tried = Evidence("connect", "timed out", 6000.0)
    pair = TrialResult(PEER, NEXT, "", BothRandomMapping(), (tried,))
    found = Findings(1, frozenset(), Reach.SHARED, pair=pair)
    report = assess(found)
    assert str(report.values["pair"]).startswith("unlikely (both-random-mapping: Both")
    assert str(report.values["peer"]).startswith(PEER)
    assert report.evidence == (tried,)
    assert report.advice == BothRandomMapping.advice


def test_noPair() -> None:
    """
    Without one, both lines say what would test it.
    """
    values = assess(Findings(1, frozenset())).values
    assert str(values["pair"]) == "not tested (--code, or --name, tests it)"
    assert values["peer"] == values["pair"]
