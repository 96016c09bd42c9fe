"""
Tests for L{punch.nat.discovery}.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from punch.nat.behavior import Allocation, Mapping, Translation
from punch.nat.discovery import PATIENCE, SAMPLES, BehaviorDiscovery
from punch.nat.errors import STUNSilent, STUNUnreachable
from punch.net.address import Address, tcpAddress

RENDEZVOUS = tcpAddress("192.0.2.1", 4040)
VANTAGE = tcpAddress("192.0.2.1", 4041)
ELSEWHERE = tcpAddress("192.0.2.5", 3478)


def us(port: int) -> Address:
    """
    We, as somebody sees us.
    """
    return tcpAddress("198.51.100.1", port)


class _Looks:
    """
    What those who look say, one after another; nothing after that.
    """

    def __init__(self, *answers: Any) -> None:
        self.clock = Clock()
        self.answers = list(answers)
        self.asked: list[tuple[Address, bool]] = []
        self.pending: list[Deferred[Address]] = []
        self.found: list[Translation | None] = []
        self.survey = BehaviorDiscovery(self.clock, self.look)
        self.survey.found.wait().addCallback(self.found.append)

    def look(self, vantage: Address, isShared: bool) -> Deferred[Address]:
        """
        See L{punch.nat.discovery.Look}.
        """
        self.asked.append((vantage, isShared))
        if not self.answers:
            self.pending.append(Deferred())
            return self.pending[-1]
        answer = self.answers.pop(0)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def begin(self, *vantages: Address) -> None:
        """
        Begin, the rendezvous seeing us at port 5000.
        """
        self.survey.begin(RENDEZVOUS, us(5000), vantages)


def test_kept() -> None:
    """
    A port that looks the same from two addresses is kept, and nobody asks further.
    """
    looks = _Looks(us(5000))
    looks.begin(VANTAGE)
    assert looks.found == [Translation(Mapping.ENDPOINT_INDEPENDENT)]
    assert looks.survey.translation == looks.found[0]
    assert looks.survey.looked == us(5000)
    assert looks.asked == [(VANTAGE, True)]
    assert not looks.clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("step", "allocation"), [(1, Allocation.SEQUENTIAL), (777, Allocation.RANDOM)]
)
def test_changes(step: int, allocation: Allocation) -> None:
    """
    One that does not is asked for in other ports' company.
    """
    looks = _Looks(*[us(5000 + step * n) for n in range(1, SAMPLES + 2)])
    looks.begin(VANTAGE)
    [found] = looks.found
    assert found is not None
    assert found.allocation is allocation
    assert looks.asked[1:] == [(VANTAGE, False)] * SAMPLES


@pytest.mark.parametrize("vantages", [(), (VANTAGE,)])
def test_nobody(vantages: tuple[Address, ...]) -> None:
    """
    Where nobody else looks, nothing is known.
    """
    looks = _Looks(STUNSilent())
    looks.begin(*vantages)
    assert looks.found == [None]
    assert looks.survey.translation is None


def test_silence() -> None:
    """
    Who does not answer is not waited for.
    """
    looks = _Looks()
    looks.begin(VANTAGE)
    assert not looks.found
    looks.clock.advance(PATIENCE)
    assert looks.found == [None]
    assert not looks.clock.getDelayedCalls()


def test_someSilent() -> None:
    """
    The answers that there are do.
    """
    looks = _Looks(us(6000), us(7000), STUNSilent(), us(8000), *[STUNSilent()] * 9)
    looks.begin(VANTAGE)
    [found] = looks.found
    assert found is not None
    assert found.isRandom


def test_ended() -> None:
    """
    A survey that is ended leaves nothing; those who wait hear that nothing is known.
    """
    looks = _Looks()
    looks.begin(VANTAGE)
    looks.survey.end()
    assert looks.found == [None]
    assert not looks.clock.getDelayedCalls()
    assert all(each.called for each in looks.pending)


def test_endedUnbegun() -> None:
    """
    Nor does one that was never begun.
    """
    looks = _Looks()
    looks.survey.end()
    assert looks.found == [None]


def test_ahead() -> None:
    """
    Which port comes next is told by a connection that is made now.
    """
    looks = _Looks(us(5000), us(6001))
    looks.begin(VANTAGE)
    seen: list[Any] = []
    Deferred.fromCoroutine(looks.survey.ahead()).addCallback(seen.append)
    assert seen == [us(6001)]
    assert looks.asked[-1] == (VANTAGE, False)


def test_aheadUnknown() -> None:
    """
    If nobody tells, it is not known.
    """
    looks = _Looks()
    looks.begin()
    seen: list[Any] = []
    Deferred.fromCoroutine(looks.survey.ahead()).addCallback(seen.append)
    assert seen == [None]


@pytest.mark.parametrize("again", [False, True])
def test_elsewhere(again: bool) -> None:
    """
    What others have seen by then is heeded; and counts once, if they are where we have
    looked ourselves.
    """
    looks = _Looks(us(5000), *[us(6000 + 777 * n) for n in range(SAMPLES)])
    others = [(ELSEWHERE, us(5777))] * (2 if again else 1)
    looks.survey.begin(RENDEZVOUS, us(5000), [VANTAGE], lambda: others)
    [found] = looks.found
    assert found is not None
    assert found.mapping is Mapping.ADDRESS_DEPENDENT


def test_elsewhereAlone() -> None:
    """
    Two that see us at one port each, at two addresses, tell not whether it depends on
    the port too, however often they are asked.
    """
    looks = _Looks(*[us(6000 + 777 * n) for n in range(SAMPLES)])
    others = [(ELSEWHERE, us(5777))] * 2
    looks.survey.begin(RENDEZVOUS, us(5000), [], lambda: others)
    [found] = looks.found
    assert found is not None
    assert found.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT


@pytest.mark.parametrize(
    ("vantages", "answers", "isBlocked"),
    [
        ((VANTAGE,), (STUNSilent(),), True),
        ((VANTAGE,), (STUNUnreachable(),), True),
        ((VANTAGE,), (us(5000),), False),
        ((VANTAGE, ELSEWHERE), (STUNSilent(), us(5000)), False),
        ((), (), False),
    ],
)
def test_isBlocked(
    vantages: tuple[Address, ...], answers: tuple[Any, ...], isBlocked: bool
) -> None:
    """
    Whoever came to the rendezvous, and to nobody else who would look, is blocked.
    """
    looks = _Looks(*answers)
    looks.begin(*vantages)
    assert looks.survey.isBlocked is isBlocked
