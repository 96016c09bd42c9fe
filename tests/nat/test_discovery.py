"""
Tests for L{punch.nat.discovery}.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from punch.nat.behavior import Allocation, Mapping, ObservedBehavior
from punch.nat.discovery import ANSWER_TIMEOUT, SAMPLES, BehaviorDiscovery
from punch.nat.errors import STUNSilent, STUNUnreachable
from punch.net.address import Address, tcpAddress

RENDEZVOUS = tcpAddress("192.0.2.1", 4040)
OBSERVER = tcpAddress("192.0.2.1", 4041)
ELSEWHERE = tcpAddress("192.0.2.5", 3478)


def us(port: int) -> Address:
    """
    Our address as an observer sees it.
    """
    return tcpAddress("198.51.100.1", port)


class _Observers:
    """
    A discovery, and the answers of its observers, one after another; then none.
    """

    def __init__(self, *answers: Any) -> None:
        self.clock = Clock()
        self.answers = list(answers)
        self.asked: list[tuple[Address, bool]] = []
        self.pending: list[Deferred[Address]] = []
        self.found: list[ObservedBehavior | None] = []
        self.discovery = BehaviorDiscovery(self.clock, self.request)
        self.discovery.found.wait().addCallback(self.found.append)

    def request(self, observer: Address, isShared: bool) -> Deferred[Address]:
        """
        See L{punch.nat.discovery.RequestMappedAddress}.
        """
        self.asked.append((observer, isShared))
        if not self.answers:
            self.pending.append(Deferred())
            return self.pending[-1]
        answer = self.answers.pop(0)
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def start(self, *observers: Address) -> None:
        """
        Start, with the rendezvous seeing us at port 5000.
        """
        self.discovery.start(RENDEZVOUS, us(5000), observers)


def test_endpointIndependent() -> None:
    """
    If two observers see one port the mapping is endpoint-independent, and no more
    requests are made.
    """
    asked = _Observers(us(5000))
    asked.start(OBSERVER)
    assert asked.found == [ObservedBehavior(Mapping.ENDPOINT_INDEPENDENT)]
    assert asked.discovery.behavior == asked.found[0]
    assert asked.discovery.mappedAddress == us(5000)
    assert asked.asked == [(OBSERVER, True)]
    assert not asked.clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("step", "allocation"), [(1, Allocation.SEQUENTIAL), (777, Allocation.RANDOM)]
)
def test_changes(step: int, allocation: Allocation) -> None:
    """
    If they do not, samples from other ports tell the allocation.
    """
    asked = _Observers(*[us(5000 + step * n) for n in range(1, SAMPLES + 2)])
    asked.start(OBSERVER)
    [found] = asked.found
    assert found is not None
    assert found.allocation is allocation
    assert asked.asked[1:] == [(OBSERVER, False)] * SAMPLES


@pytest.mark.parametrize("observers", [(), (OBSERVER,)])
def test_nobody(observers: tuple[Address, ...]) -> None:
    """
    Without a second observer nothing is known.
    """
    asked = _Observers(STUNSilent())
    asked.start(*observers)
    assert asked.found == [None]
    assert asked.discovery.behavior is None


def test_silence() -> None:
    """
    An observer that does not answer is not waited for.
    """
    asked = _Observers()
    asked.start(OBSERVER)
    assert not asked.found
    asked.clock.advance(ANSWER_TIMEOUT)
    assert asked.found == [None]
    assert not asked.clock.getDelayedCalls()


def test_someSilent() -> None:
    """
    Some observers' answers are enough.
    """
    asked = _Observers(us(6000), us(7000), STUNSilent(), us(8000), *[STUNSilent()] * 9)
    asked.start(OBSERVER)
    [found] = asked.found
    assert found is not None
    assert found.isRandom


def test_stopped() -> None:
    """
    A discovery that is stopped leaves nothing, and finds C{None}.
    """
    asked = _Observers()
    asked.start(OBSERVER)
    asked.discovery.stop()
    assert asked.found == [None]
    assert not asked.clock.getDelayedCalls()
    assert all(each.called for each in asked.pending)


def test_stoppedUnstarted() -> None:
    """
    So does one that was never started.
    """
    asked = _Observers()
    asked.discovery.stop()
    assert asked.found == [None]


@pytest.mark.parametrize(
    ("observers", "mapped"), [((OBSERVER,), us(6001)), ((), None)], ids=["one", "none"]
)
def test_newMapping(observers: tuple[Address, ...], mapped: Address | None) -> None:
    """
    A new connection to an observer tells which port the NAT allocates now; without
    observers that is not known.
    """
    asked = _Observers(us(5000), us(6001))
    asked.start(*observers)
    seen: list[Any] = []
    Deferred.fromCoroutine(asked.discovery.newMapping()).addCallback(seen.append)
    assert seen == [mapped]
    assert asked.asked[1:] == [(each, False) for each in observers]


@pytest.mark.parametrize(
    ("observers", "times", "mapping"),
    [
        ([OBSERVER], 1, Mapping.ADDRESS_DEPENDENT),
        ([OBSERVER], 2, Mapping.ADDRESS_DEPENDENT),
        ([], 2, Mapping.ADDRESS_AND_PORT_DEPENDENT),
    ],
    ids=["another server's answer", "the same twice", "two addresses, a port each"],
)
def test_monitored(observers: list[Address], times: int, mapping: Mapping) -> None:
    """
    What the STUN monitor knows by then counts, and counts once for each server.  Two
    observers with an address each do not tell whether the mapping depends on the port,
    too, so the worse is assumed.
    """
    samples = [us(6000 + 777 * n) for n in range(SAMPLES)]
    asked = _Observers(*[us(5000) for _ in observers], *samples)
    others = [(ELSEWHERE, us(5777))] * times
    asked.discovery.start(RENDEZVOUS, us(5000), observers, lambda: others)
    [found] = asked.found
    assert found is not None
    assert found.mapping is mapping


@pytest.mark.parametrize(
    ("observers", "answers", "isBlocked"),
    [
        ((OBSERVER,), (STUNSilent(),), True),
        ((OBSERVER,), (STUNUnreachable(),), True),
        ((OBSERVER,), (us(5000),), False),
        ((OBSERVER, ELSEWHERE), (STUNSilent(), us(5000)), False),
        ((), (), False),
    ],
)
def test_isBlocked(
    observers: tuple[Address, ...], answers: tuple[Any, ...], isBlocked: bool
) -> None:
    """
    A peer that reaches the rendezvous, but no other observer, is blocked.
    """
    asked = _Observers(*answers)
    asked.start(*observers)
    assert asked.discovery.isBlocked is isBlocked
