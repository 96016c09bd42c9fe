"""
Tests of L{tests.lab.population}: the command, its pairs played.
"""

from __future__ import annotations

import pytest

from . import population
from .mixture import P2005, P2025, Pair
from .population import main
from .trial import Result, Terms, Trial


class Player:
    """
    Says of every pair that it became direct, but for the one at an index.
    """

    def __init__(self, failing: int = -1) -> None:
        self.pairs: list[Pair] = []
        self.terms: list[Terms] = []
        self._failing = failing

    def __call__(self, pair: Pair, terms: Terms) -> Trial:
        self.pairs.append(pair)
        self.terms.append(terms)
        if pair.index == self._failing:
            return Trial(pair, Result.FAILED, why="no-answer")
        return Trial(pair, Result.DIRECT, 0.3, 0.3)


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing is missing: nothing is run.
    """
    monkeypatch.setattr(population, "missing", lambda: [])


def test_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    """
    So many pairs are drawn from the population and run; the seed is told.
    """
    player = Player()
    assert main(["--table", "P-2005", "--pairs", "5", "--seed", "x"], player) == 0
    assert player.pairs == [P2005.pair("x", index) for index in range(5)]
    told = capsys.readouterr().out
    assert told.startswith("P-2005, seed x: 20 ms a leg, relay fallback")
    assert "direct      5 of 5  100.0 %" in told


def test_only() -> None:
    """
    Any single one can be run again.
    """
    player = Player()
    main(["--pairs", "5", "--seed", "x", "--only", "3"], player)
    assert player.pairs == [P2025.pair("x", 3)]


def test_seedDrawn(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Without a seed one is drawn, and the pairs are those of the seed that is told.
    """
    player = Player()
    main(["--pairs", "2"], player)
    seed = capsys.readouterr().out.partition("seed ")[2].partition(":")[0]
    assert player.pairs == [P2025.pair(seed, index) for index in range(2)]


def test_terms() -> None:
    """
    The terms are the command line's.
    """
    player = Player()
    main(["--pairs", "1", "--latency", "50", "--relay", "never"], player)
    assert player.terms == [Terms(latency=0.05, relay="never")]


def test_workers(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Run side by side, they are told in order still; one that failed shows in the
    exit status.
    """
    player = Player(failing=4)
    assert main(["--pairs", "9", "--workers", "3"], player) == 1
    rows = capsys.readouterr().out.splitlines()[3:12]
    assert [int(row.split()[0]) for row in rows] == list(range(9))
    assert rows[4].endswith("no-answer")


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    """
    What was done before an interruption is summed up still.
    """
    player = Player()

    def runOne(pair: Pair, terms: Terms) -> Trial:
        if pair.index == 2:
            raise KeyboardInterrupt
        return player(pair, terms)

    with pytest.raises(KeyboardInterrupt):
        main(["--pairs", "5"], runOne)
    assert "direct      2 of 2" in capsys.readouterr().out


@pytest.mark.parametrize("args", [["--table", "P-1985"], ["--relay", "only"]])
def test_mistakes(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """
    A command line that makes no sense ends with status 2 and a usage line.
    """
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert "usage: python -m tests.lab.population" in capsys.readouterr().err
