"""
Tests for L{punch.check.trialresult}.
"""

from __future__ import annotations

import pytest

from punch.check.assessment import Findings, Reachability, assess
from punch.check.report import Evidence, Likelihood, ValueState
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
    The result of a trial dial that failed.
    """
    return TrialResult(PEER, KEEPS, "", why)


def test_direct() -> None:
    """
    After a direct path a link is likely; the text has that first, then the path.
    """
    value = TrialResult(PEER, KEEPS, "direct after 312 ms").pairValue()
    assert str(value) == "likely (direct after 312 ms)"
    assert value.value == {"verdict": "likely", "reason": None}


@pytest.mark.parametrize("why", NoDirectPath.__subclasses__())
def test_noPath(why: type[NoDirectPath]) -> None:
    """
    If only a port was missed that can be found, a link is possible; for any other
    reason on which both sides agree it is unlikely.  The advice is that reason's.
    """
    canSucceed = why in (SearchFailed, PredictionFailed, NoSearch)
    verdict = Likelihood.POSSIBLE if canSucceed else Likelihood.UNLIKELY
    result = failed(why())
    assert (result.verdict, result.advice) == (verdict, why.advice)
    value = result.pairValue()
    assert str(value) == f"{verdict.value} ({why.reason.value}: {why()})"
    assert value.value == {"verdict": verdict.value, "reason": why.reason.value}


def test_noAnswer() -> None:
    """
    If nothing came through and nobody knows why, a link is unlikely.
    """
    assert failed(NoAnswer()).verdict is Likelihood.UNLIKELY
    assert failed(NoAnswer()).advice == ""


@pytest.mark.parametrize(
    "why", [WrongCode, NoSuchName, PeerLeft, PeerSilent, RendezvousLost, Bug]
)
def test_failed(why: type[PunchError]) -> None:
    """
    A dial that failed before the two tried to connect tells nothing of NATs.
    """
    result = failed(why())
    assert result.verdict is None
    value = result.pairValue()
    assert value.state is ValueState.FAILED
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
    The report has the peer's address, and what the peer said of its NATs.
    """
    value = TrialResult(PEER, behavior).peerValue()
    assert str(value) == f"{PEER} ({text})"
    nat = None if behavior is None else behavior.toFields()
    assert value.value == {"address": PEER, "nat": nat}


def test_noPeer() -> None:
    """
    If no peer was introduced, the report has none.
    """
    assert (
        TrialResult("", None, "", NoSuchName()).peerValue().state is ValueState.FAILED
    )


def test_report() -> None:
    """
    A check's report has the result beside the verdict of our own side, and what was
    tried; the pair's advice replaces its own.
    """
    tried = Evidence("connect", "timed out", 6000.0)
    pair = TrialResult(PEER, NEXT, "", BothRandomMapping(), (tried,))
    found = Findings(1, frozenset(), Reachability.SHARED, pair=pair)
    report = assess(found)
    assert str(report.values["pair"]).startswith("unlikely (both-random-mapping: Both")
    assert str(report.values["peer"]).startswith(PEER)
    assert report.evidence == (tried,)
    assert report.advice == BothRandomMapping.advice


def test_noPair() -> None:
    """
    Without a trial dial, both lines say which options ask for one.
    """
    values = assess(Findings(1, frozenset())).values
    assert str(values["pair"]) == "not tested (--code, or --name, tests it)"
    assert values["peer"] == values["pair"]
