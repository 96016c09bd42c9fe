"""
Tests of L{tests.lab.census}.
"""

from __future__ import annotations

import pytest

from .census import line, quantile, summary, wilson
from .mixture import Pair
from .trial import Result, Trial

NF, SEQ = "home-nf", "home-seq"


def trial(index: int, listener: str, dialer: str, *rest: object) -> Trial:
    """
    What came of a pair.
    """
    return Trial(Pair(index, listener, dialer, ""), *rest)  # type: ignore[arg-type]


TRIALS = [
    trial(0, NF, NF, Result.DIRECT, 0.3, 0.3),
    trial(1, SEQ, NF, Result.RELAYED, 0.5, None, "no-answer"),
    trial(2, NF, SEQ, Result.DIRECT, 0.5, 2.5),
    trial(3, SEQ, SEQ, Result.FAILED, None, None, "peer-silent"),
]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    """
    The intervals that Newcombe published, and sensible ends.
    """
    assert wilson(successes, trials) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 10), (0.95, 19), (1.0, 20), (0.0, 1)]
)
def test_quantile(share: float, value: int) -> None:
    """
    Of the numbers from 1 to 20, in any order, nineteen are at most 19.
    """
    assert quantile(range(20, 0, -1), share) == value


def test_quantileOfNone() -> None:
    """
    Of nothing there is none.
    """
    assert quantile([], 0.5) is None


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (0, "0 home-nf home-nf direct 300 ms 300 ms -"),
        (1, "1 home-seq home-nf relayed 500 ms - no-answer"),
        (3, "3 home-seq home-seq failed - - peer-silent"),
    ],
)
def test_line(index: int, words: str) -> None:
    """
    A line has the pair, its result, both times, and why it is not direct.
    """
    assert " ".join(line(TRIALS[index]).split()) == words


def test_notSaid() -> None:
    """
    Where no reason was given, it says so.
    """
    relayed = trial(1, NF, NF, Result.RELAYED, 0.5)
    assert line(relayed).endswith("not said")
    assert "relayed, not said (1): 1" in summary([relayed])


def test_summary() -> None:
    """
    The summary has rates, times, classes, pairs of classes whoever listens, and
    which pairs are not direct and why.
    """
    lines = [" ".join(each.split()) for each in summary(TRIALS).splitlines()]
    assert lines == [
        "direct 2 of 4 50.0 % (95 %: 15.0 % to 85.0 %)",
        "relayed 1 of 4 25.0 % (95 %: 4.6 % to 69.9 %)",
        "failed 1 of 4 25.0 % (95 %: 4.6 % to 69.9 %)",
        "",
        "time to links median 95th",
        "a usable link 3 500 ms 500 ms",
        "a direct link 2 300 ms 2500 ms",
        "",
        "class pairs direct relayed failed",
        "home-nf 3 2 1 -",
        "home-seq 3 1 1 1",
        "",
        "pair of classes pairs direct relayed failed",
        "home-nf x home-seq 2 1 1 -",
        "home-nf x home-nf 1 1 - -",
        "home-seq x home-seq 1 - - 1",
        "",
        "not direct, and why: which pairs",
        "failed, peer-silent (1): 3",
        "relayed, no-answer (1): 1",
        "",
        "the reason is the true one 0 of 2 times",
        "no-answer for prediction-failed: 1",
        "peer-silent for prediction-failed: 1",
    ]


def test_allDirect() -> None:
    """
    With nothing missed the summary says so, and there is no reason to compare.
    """
    assert "every pair became direct" in summary(TRIALS[:1]).splitlines()
    assert "the reason" not in summary(TRIALS[:1])


def test_truths() -> None:
    """
    Reasons are compared with what the sides are; where that tells nothing, it is said.
    """
    trials = [
        trial(0, SEQ, NF, Result.RELAYED, 0.5, None, "prediction-failed"),
        trial(1, NF, NF, Result.RELAYED, 0.5, None, "no-answer"),
    ]
    assert summary(trials).splitlines()[-2:] == [
        "the reason is the true one 1 of 1 times",
        "no cause is known of 1 others",
    ]
