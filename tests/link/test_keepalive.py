"""
Tests for L{punch.link.keepalive}.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.link.keepalive import (
    GAP,
    IDLE,
    PATIENT_GAP,
    PINGS,
    SOON,
    SUSPICION,
    Keepalive,
    KeepaliveAction,
)


def actions(
    keepalive: Keepalive, until: float, roundTrip: float | None = None
) -> list[tuple[float, KeepaliveAction]]:
    """
    What is done about a path that says nothing, and when.
    """
    found: list[tuple[float, KeepaliveAction]] = []
    while (now := keepalive.due(roundTrip)) <= until:
        action = keepalive.check(now, roundTrip)
        found.append((round(now, 6), action))
        if action is KeepaliveAction.DIE:
            break
    return found


def ping(keepalive: Keepalive) -> float:
    """
    Wait until a PING is due.

    @return: when that was.
    """
    now = keepalive.due()
    assert keepalive.check(now) is KeepaliveAction.PING
    return now


def intervals(keepalive: Keepalive, count: int) -> list[float]:
    """
    Seconds from each answer, which comes at once, to the next question.
    """
    found, before = [], 0.0
    for _ in range(count):
        now = ping(keepalive)
        found.append(now - before)
        keepalive.received(now, False)
        before = now
    return found


def test_lessAndLess() -> None:
    """
    A path that was used is asked after half a second, one that is not used ever less
    often.
    """
    assert intervals(Keepalive(0.0), 7) == [0.5, 1, 2, 4, 8, 16, 20]
    assert (SOON, IDLE) == (0.5, 20)


def test_dataArrives() -> None:
    """
    Whatever arrives puts the question off; the application's bytes also let the
    next one come soon.
    """
    keepalive = Keepalive(0.0)
    intervals(keepalive, 7)
    keepalive.received(100.0, False)
    assert keepalive.due() == 120
    assert keepalive.isIdle
    keepalive.received(110.0, True)
    assert keepalive.due() == 110 + SOON
    assert not keepalive.isIdle


def test_used() -> None:
    """
    What was sent on an idle path is asked after a moment later.
    """
    keepalive = Keepalive(0.0)
    intervals(keepalive, 7)
    keepalive.sent(100.0)
    assert keepalive.due() == 100 + SOON
    assert not keepalive.isIdle


def test_probed() -> None:
    """
    It can be asked at once; once.
    """
    keepalive = Keepalive(0.0)
    intervals(keepalive, 7)
    keepalive.probe(100.0)
    assert keepalive.due() == 100
    assert ping(keepalive) == 100
    keepalive.probe(100.1)
    assert keepalive.due() == 100 + SUSPICION
    assert keepalive.check(100.1) is KeepaliveAction.NOTHING


def test_suspected() -> None:
    """
    A path can be suspected at once; it is, until it answers.
    """
    keepalive = Keepalive(0.0)
    intervals(keepalive, 7)
    keepalive.suspect(100.0)
    assert keepalive.isSuspected
    assert ping(keepalive) == 100
    assert keepalive.isSuspected
    keepalive.received(100.1, False)
    assert not keepalive.isSuspected


@pytest.mark.parametrize("gap", [GAP, PATIENT_GAP])
def test_silence(gap: float) -> None:
    """
    A path that answers nothing is suspected after a moment, asked twice more, and
    dead after that: within ten seconds where another path can be had, else within
    a minute, from whenever it was asked last.
    """
    keepalive = Keepalive(0.0)
    keepalive.gap = gap
    assert actions(keepalive, 1000.0) == [
        (SOON, KeepaliveAction.PING),
        (SOON + SUSPICION, KeepaliveAction.SUSPECT),
        (round(SOON + gap, 6), KeepaliveAction.PING),
        (round(SOON + 2 * gap, 6), KeepaliveAction.PING),
        (round(SOON + 3 * gap, 6), KeepaliveAction.DIE),
    ]
    assert SOON + PINGS * GAP < 10
    assert IDLE + PINGS * PATIENT_GAP < 60


def test_answersAtLast() -> None:
    """
    An answer ends all suspicion, and the counting begins anew.
    """
    keepalive = Keepalive(0.0)
    keepalive.gap = GAP
    asked = actions(keepalive, 8.0)
    assert len(asked) == 4
    assert keepalive.isSuspected
    keepalive.received(8.0, False)
    assert not keepalive.isSuspected
    assert actions(keepalive, 1000.0)[0] == (8.0 + 2 * SOON, KeepaliveAction.PING)


def test_longRoundTrip() -> None:
    """
    A path is not suspected before four of its round trips have passed.
    """
    for roundTrip, suspected in ((0.02, 0.5), (0.25, 1.0), (0.5, 2.0), (1.0, 4.0)):
        keepalive = Keepalive(0.0)
        keepalive.gap = GAP
        when = {action: at for at, action in actions(keepalive, 100.0, roundTrip)}
        assert when[KeepaliveAction.SUSPECT] == SOON + suspected
        assert when[KeepaliveAction.DIE] == pytest.approx(SOON + PINGS * GAP)
    assert SUSPICION == 0.5


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 30.0),
            st.sampled_from(["data", "answer", "sent", "probe", "suspect", "check"]),
        ),
        max_size=30,
    ),
    st.sampled_from([GAP, PATIENT_GAP]),
)
def test_anything(happenings: list[tuple[float, str]], gap: float) -> None:
    """
    Whatever was before: left alone, a path is dead not later than the longest
    interval and three gaps after, and was asked three times since it was heard.
    """
    keepalive, now, asked = Keepalive(0.0), 0.0, 0
    keepalive.gap = gap
    for pause, what in happenings:
        now += pause
        if what in ("data", "answer"):
            keepalive.received(now, what == "data")
            asked = 0
        elif what == "check":
            action = keepalive.check(now)
            asked += action is KeepaliveAction.PING
            if action is KeepaliveAction.DIE:
                assert asked == PINGS
                return
        else:
            getattr(keepalive, what)(now)
    rest = actions(keepalive, now + IDLE + PINGS * gap + 0.001)
    assert rest[-1][1] is KeepaliveAction.DIE
    assert asked + [action for _, action in rest].count(KeepaliveAction.PING) == PINGS
