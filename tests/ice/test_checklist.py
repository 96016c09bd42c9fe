"""
Tests for L{punch.ice.checklist}.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import ConnectError, NoAnswer, NotAttached, Refused, Unreachable
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import EASE_AFTER, SHIFT_AFTER, Checklist
from punch.net.address import tcpAddress
from punch.net.outcome import Outcome

OTHER = Candidate(Kind.HOST, tcpAddress("192.168.1.2", 4040))
PEER = Candidate(Kind.SERVER_REFLEXIVE, tcpAddress("192.0.2.1", 4040))
V6 = Candidate(Kind.HOST, tcpAddress("2001:db8::1", 4040))

PAUSES = {
    Outcome.TAKEN: (0.8, 1.2),
    Outcome.UNREACHABLE: (0.8, 1.2),
}
DISTANCE = (0.010, 0.020)
SHORTEST = 0.001
EASED = (0.2, 0.4)


def listing(*candidates: Candidate, seed: int = 1) -> Checklist:
    """
    A checklist with candidates, each tried at 0.
    """
    made = Checklist(Random(seed))
    for each in candidates:
        assert made.add(each, 0.0)
    assert made.due(0.0) == list(candidates)
    return made


def refusals(checklist: Checklist, until: float, took: float = 0.0) -> list[float]:
    """
    Let the peer's address refuse each attempt, C{took} seconds after it.

    @return: when the attempts were made.
    """
    attempts, now = [0.0], 0.0
    while now < until:
        checklist.conclude(PEER.address, Outcome.REFUSED, now + took)
        next = checklist.nextDue()
        assert next is not None
        now = next
        assert checklist.due(now) == [PEER]
        attempts.append(now)
    return attempts


def test_add() -> None:
    """
    A candidate is due at once; its address is taken once.
    """
    checklist = Checklist(Random(1))
    assert checklist.nextDue() is None
    assert checklist.add(PEER, 7.0)
    assert not checklist.add(PEER, 7.0)
    assert not checklist.add(Candidate(Kind.HOST, PEER.address), 7.0)
    assert checklist.nextDue() == 7.0
    assert checklist.due(6.9) == []
    assert checklist.due(7.0) == [PEER]


def test_together() -> None:
    """
    All candidates are tried at once; none waits for another.
    """
    checklist = Checklist(Random(1))
    for each in (PEER, OTHER, V6):
        checklist.add(each, 0.0)
    assert checklist.due(0.0) == [PEER, OTHER, V6]


def test_pending() -> None:
    """
    A pending attempt is left alone, however long it takes.
    """
    checklist = listing(PEER)
    assert checklist.nextDue() is None
    assert checklist.due(1e6) == []


@given(outcome=st.sampled_from(list(PAUSES)), seed=st.integers())
def test_pauses(outcome: Outcome, seed: int) -> None:
    """
    Each outcome has its pause before the next attempt.
    """
    checklist = listing(PEER, seed=seed)
    checklist.conclude(PEER.address, outcome, 100.0)
    shortest, longest = PAUSES[outcome]
    due = checklist.nextDue()
    assert due is not None
    assert 100.0 + shortest <= due <= 100.0 + longest
    assert checklist.due(due - 0.001) == []
    assert checklist.due(due) == [PEER]


@given(
    outcome=st.sampled_from([Outcome.REFUSED, Outcome.TIMED_OUT]),
    seed=st.integers(),
    took=st.floats(0, 0.2),
)
def test_atOnce(outcome: Outcome, seed: int, took: float) -> None:
    """
    A refused connect is followed by another at once; only connects that are
    refused quickly keep a distance.
    """
    checklist = listing(PEER, seed=seed)
    checklist.conclude(PEER.address, outcome, took)
    due = checklist.nextDue()
    assert due is not None
    assert due >= took
    assert SHORTEST <= due <= max(took, 2 * SHORTEST)
    assert checklist.due(due) == [PEER]


def test_connected() -> None:
    """
    After a connection there is nothing to try.
    """
    checklist = listing(PEER)
    checklist.conclude(PEER.address, Outcome.CONNECTED, 1.0)
    assert checklist.nextDue() is None


def test_easing() -> None:
    """
    Refusals come quickly: connects keep a distance that grows in a fifth of a second;
    after three the address is tried a few times a second.
    """
    attempts = refusals(listing(PEER), until=6.0)
    gaps = [(a, b - a) for a, b in pairwise(attempts)]
    first = [gap for start, gap in gaps if start < 0.02]
    fast = [gap for start, gap in gaps if 0.2 <= start < EASE_AFTER]
    slow = [gap for start, gap in gaps if start >= EASE_AFTER]
    assert all(SHORTEST - 1e-9 <= gap <= 2 * SHORTEST + 1e-9 for gap in first)
    assert 20 < len([start for start, _ in gaps if start < 0.2]) < 60
    assert len(fast) > 100
    assert len(slow) >= 7
    low, high = DISTANCE
    assert all(low - 1e-9 <= gap <= high + 1e-9 for gap in fast)
    assert all(EASED[0] - 1e-9 <= gap <= EASED[1] + 1e-9 for gap in slow)


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.TAKEN])
def test_easingAnew(outcome: Outcome) -> None:
    """
    After any other outcome the three seconds start again.
    """
    checklist = listing(PEER)
    refusals(checklist, until=EASE_AFTER - 0.1)
    checklist.conclude(PEER.address, outcome, 3.0)
    checklist.conclude(PEER.address, Outcome.REFUSED, 4.0)
    checklist.conclude(PEER.address, Outcome.REFUSED, 6.9)
    due = checklist.nextDue()
    assert due is not None
    assert due - 6.9 <= EASED[1] + 1e-9
    assert checklist.due(due) == [PEER]
    checklist.conclude(PEER.address, Outcome.REFUSED, 7.0)
    due = checklist.nextDue()
    assert due is not None
    assert due - 7.0 >= EASED[0] - 1e-9


@pytest.mark.parametrize(("took", "most"), [(0.1, 0.1), (1.2, EASED[1])])
def test_shift(took: float, most: float) -> None:
    """
    After a second of nothing but slow refusals, random pauses follow each, at most as
    long as the refusal took and as the pauses of an eased address.
    """
    checklist, now, pauses = listing(PEER), 0.0, []
    checklist.conclude(PEER.address, Outcome.REFUSED, 0.0)
    while now < EASE_AFTER - took:
        due = checklist.nextDue()
        assert due is not None
        if now >= SHIFT_AFTER:
            pauses.append(due - now)
        else:
            assert due <= max(now, 2 * SHORTEST)
        assert checklist.due(due) == [PEER]
        now = due + took
        checklist.conclude(PEER.address, Outcome.REFUSED, now)
    assert pauses
    assert all(0.0 <= pause <= most for pause in pauses)
    assert len({round(pause, 3) for pause in pauses}) == len(pauses)


def test_easingApart() -> None:
    """
    One address that refuses does not slow another.
    """
    checklist = listing(PEER, OTHER)
    checklist.conclude(PEER.address, Outcome.REFUSED, 0.0)
    checklist.conclude(PEER.address, Outcome.REFUSED, 5.0)
    checklist.conclude(OTHER.address, Outcome.REFUSED, 5.0)
    assert checklist.due(5.03) == [OTHER]


def test_noLockStep() -> None:
    """
    Two sides that start together and are refused with one period drift apart.  The
    same seed gives the same times.
    """
    one, other, again = (refusals(listing(PEER, seed=seed), 1.0) for seed in (1, 2, 1))
    assert one == again
    apart = [abs(a - b) for a, b in zip(one[1:], other[1:], strict=False)]
    assert max(apart) > 0.005
    assert len({round(each, 6) for each in apart}) == len(apart)


def test_held() -> None:
    """
    While a connection with an address exists, no attempt is made at it.  After it is
    rejected one is made, with a pause.
    """
    checklist = listing(PEER)
    checklist.conclude(PEER.address, Outcome.REFUSED, 0.0)
    checklist.hold(PEER.address)
    assert checklist.nextDue() is None
    assert checklist.due(10.0) == []
    checklist.release(PEER.address, Outcome.REJECTED, 10.0)
    due = checklist.nextDue()
    assert due is not None
    assert 10.05 <= due <= 10.1


def test_heldTwice() -> None:
    """
    Two connections with one address: the last to end counts.
    """
    checklist = listing(PEER)
    checklist.hold(PEER.address)
    checklist.hold(PEER.address)
    checklist.release(PEER.address, Outcome.REJECTED, 1.0)
    assert checklist.nextDue() is None
    checklist.release(PEER.address, Outcome.REJECTED, 2.0)
    due = checklist.nextDue()
    assert due is not None
    assert due >= 2.05


def test_rejectedAgain() -> None:
    """
    The pause grows with each rejected connection, up to a bound.
    """
    checklist, now, pauses = listing(PEER), 0.0, []
    for _ in range(12):
        checklist.hold(PEER.address)
        checklist.release(PEER.address, Outcome.REJECTED, now)
        due = checklist.nextDue()
        assert due is not None
        pauses.append(due - now)
        now = due
        assert checklist.due(now) == [PEER]
    assert 0.05 <= pauses[0] <= 0.1
    assert all(each <= 2.0 + 1e-9 for each in pauses)
    assert pauses[-1] > 1.0
    assert pauses[2] > pauses[0]


def test_heldStranger() -> None:
    """
    Connections with addresses that nobody told us of change nothing.
    """
    checklist = listing(PEER)
    checklist.hold(OTHER.address)
    checklist.release(OTHER.address, Outcome.REJECTED, 0.0)
    assert checklist.nextDue() is None
    assert OTHER.address not in checklist
    assert isinstance(checklist.failure(), NoAnswer)


def test_questions() -> None:
    """
    A checklist knows addresses, hosts and kinds.
    """
    checklist = listing(PEER, OTHER)
    assert PEER.address in checklist
    assert V6.address not in checklist
    assert checklist.knowsHost("192.0.2.1")
    assert not checklist.knowsHost("192.0.2.2")
    assert checklist.kindOf(PEER.address) is Kind.SERVER_REFLEXIVE
    assert checklist.kindOf(OTHER.address) is Kind.HOST
    assert checklist.kindOf(V6.address) is Kind.PEER_REFLEXIVE


@pytest.mark.parametrize(
    ("peer", "other", "failure"),
    [
        ([], [], NoAnswer),
        ([Outcome.TIMED_OUT], [], NoAnswer),
        ([Outcome.TAKEN], [Outcome.TAKEN], NoAnswer),
        ([Outcome.REFUSED], [Outcome.REFUSED], Refused),
        ([Outcome.UNREACHABLE], [Outcome.UNREACHABLE], Unreachable),
        ([Outcome.REFUSED], [Outcome.UNREACHABLE], Refused),
        ([Outcome.TIMED_OUT], [Outcome.UNREACHABLE], NoAnswer),
        # The other address was tried, and nobody has answered yet.
        ([], [Outcome.UNREACHABLE], NoAnswer),
        ([Outcome.CONNECTED], [Outcome.REFUSED], NotAttached),
        ([Outcome.REFUSED, Outcome.CONNECTED], [], NotAttached),
    ],
)
def test_failure(
    peer: list[Outcome], other: list[Outcome], failure: type[ConnectError]
) -> None:
    """
    The outcomes at all addresses decide the reason.
    """
    checklist = listing(PEER, OTHER)
    for outcome in peer:
        checklist.conclude(PEER.address, outcome, 1.0)
    for outcome in other:
        checklist.conclude(OTHER.address, outcome, 1.0)
    assert type(checklist.failure()) is failure


@pytest.mark.parametrize("released", [False, True])
def test_failureHeld(released: bool) -> None:
    """
    A connection that came in and was not selected counts, too.
    """
    checklist = listing(PEER)
    checklist.hold(PEER.address)
    if released:
        checklist.release(PEER.address, Outcome.REJECTED, 1.0)
    assert isinstance(checklist.failure(), NotAttached)


def test_failureDetail() -> None:
    """
    The addresses that were tried are named.
    """
    said = str(listing(PEER, V6).failure())
    assert "192.0.2.1:4040 (server-reflexive)" in said
    assert "[2001:db8::1]:4040 (host)" in said


@pytest.mark.parametrize(
    ("ports", "searched", "said"),
    [
        ([], 0, ""),
        ([5000], 0, ", predicted port 5000"),
        ([5007, 5001, 5003], 0, ", 3 predicted ports 5001 to 5007"),
        ([], 1, ", 1 connect of a search"),
        ([5000], 600, ", predicted port 5000, 600 connects of a search"),
    ],
)
def test_failureCounts(ports: list[int], searched: int, said: str) -> None:
    """
    Predicted ports and searched connects are counted, not listed.
    """
    host = PEER.address.host
    predicted = [Candidate(Kind.PREDICTED, tcpAddress(host, each)) for each in ports]
    detail = listing(PEER, *predicted).failure(searched).detail
    assert detail == f"tried 192.0.2.1:4040 (server-reflexive){said}"


def test_stopTrying() -> None:
    """
    Candidates of a stopped kind are not tried again, whatever comes of a pending
    attempt; others are.
    """
    checklist = Checklist(Random(1))
    seen = Candidate(Kind.SERVER_REFLEXIVE, tcpAddress("192.0.2.1", 4040))
    other = Candidate(Kind.PREDICTED, tcpAddress("192.0.2.1", 4041))
    for each in (seen, other):
        checklist.add(each, 0.0)
    assert checklist.due(0.0) == [seen, other]
    checklist.stopTrying(Kind.SERVER_REFLEXIVE)
    for each in (seen, other):
        checklist.conclude(each.address, Outcome.REFUSED, 0.1)
    assert checklist.due(1.0) == [other]
    checklist.hold(seen.address)
    checklist.release(seen.address, Outcome.REJECTED, 1.0)
    assert checklist.due(9.0) == []
    assert checklist.outcomes() == {"refused", "rejected"}


@given(st.integers(1, 48), st.floats(0.0, 0.02), st.integers(0, 99))
def test_predictedPace(ports: int, took: float, seed: int) -> None:
    """
    However many ports are predicted, and however fast they refuse, all together are
    retried at most two hundred times a second.
    """
    addresses = [tcpAddress("192.0.2.1", 5000 + each) for each in range(ports)]
    candidates = [Candidate(Kind.PREDICTED, each) for each in addresses]
    checklist = listing(*candidates, seed=seed)
    pending = [(took, each) for each in addresses]
    attempts = 0
    while pending:
        now, address = pending.pop(0)
        checklist.conclude(address, Outcome.REFUSED, now)
        while (due := checklist.nextDue()) is not None and (
            not pending or due <= pending[0][0]
        ):
            if due > 1.0:
                break
            for each in checklist.due(due):
                attempts += 1
                pending.append((due + took, each.address))
        pending.sort(key=lambda each: each[0])
    assert attempts <= 201


def test_isNewOutcome() -> None:
    """
    An outcome is new if it differs from the last at its address.
    """
    checklist = listing(PEER, OTHER)
    outcomes = ["started", "refused", "refused", "timed out", "refused"]
    news = [checklist.isNewOutcome(PEER.address, each) for each in outcomes]
    assert news == [True, True, False, True, True]
    assert checklist.isNewOutcome(OTHER.address, "refused")
