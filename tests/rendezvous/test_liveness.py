"""
Whether a client lives and is of use.
"""

from __future__ import annotations

import pytest

from punch.rendezvous.liveness import PING_INTERVAL, Act, Liveness

IDLE, SILENT = 60.0, 20.0


def act(liveness: Liveness, now: float, idle: bool = False) -> Act:
    """
    What is to be done at a time.
    """
    return liveness.act(now, idle, IDLE, SILENT)


def due(liveness: Liveness, idle: bool = False) -> float:
    """
    When something is to be done.
    """
    return liveness.due(idle, IDLE, SILENT)


@pytest.mark.parametrize(
    ("reported", "measured"), [(0.1, False), (None, True), (0.1, True)]
)
def test_firstPing(reported: float | None, measured: bool) -> None:
    """
    With the round trip known, the first ping comes within the interval, but not
    before three quarters of it.
    """
    liveness = Liveness(100.0, reported, measured)
    assert 100 + 0.75 * PING_INTERVAL <= due(liveness) <= 100 + PING_INTERVAL
    assert act(liveness, due(liveness) - 0.01) is Act.WAIT
    assert act(liveness, due(liveness)) is Act.PING


def test_firstPingAtOnce() -> None:
    """
    With the round trip unknown, a ping measures it as soon as the client waits for
    dialers; before that nobody needs to know.
    """
    liveness = Liveness(100.0, None, False)
    assert act(liveness, 100.0) is not Act.PING
    liveness.waits(100.0)
    assert act(liveness, 100.0) is Act.PING
    liveness.pinged(100.0)
    liveness.answered(100.25)
    assert liveness.estimate == 0.25
    assert due(liveness) >= 100 + 0.75 * PING_INTERVAL


def test_smoothed() -> None:
    """
    Later pings move the estimate slowly.
    """
    liveness = Liveness(0.0, 0.8, False)
    liveness.pinged(40.0)
    liveness.answered(41.6)
    assert liveness.estimate == pytest.approx(0.9)


def test_silent() -> None:
    """
    A ping that is not answered in time is the end.
    """
    liveness = Liveness(0.0, None, False)
    liveness.pinged(0.0)
    assert due(liveness) == SILENT
    assert act(liveness, SILENT - 0.01) is Act.WAIT
    assert act(liveness, SILENT) is Act.ABORT


def test_idle() -> None:
    """
    A client of no use is closed after a while; one of use never is.
    """
    liveness = Liveness(0.0, 0.1, True)
    liveness.pinged(50.0)
    liveness.answered(50.1)
    assert due(liveness, idle=True) == IDLE
    assert act(liveness, IDLE, idle=True) is Act.CLOSE
    assert act(liveness, IDLE, idle=False) is Act.WAIT


def test_rested() -> None:
    """
    It is idle from when it gave its last thing up.
    """
    liveness = Liveness(0.0, 0.1, True)
    liveness.rested(30.0)
    assert act(liveness, IDLE, idle=True) is not Act.CLOSE
    assert act(liveness, 30 + IDLE, idle=True) is Act.CLOSE
