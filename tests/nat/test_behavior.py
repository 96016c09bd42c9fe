"""
Tests for L{punch.nat.behavior}.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.nat.behavior import (
    ALL_PORTS,
    Allocation,
    BadBehavior,
    Mapping,
    ObservedBehavior,
    behaviorFromPorts,
    mappingOf,
)
from punch.net.address import tcpAddress
from tests.support.strategies import behaviors, jsons

FIRST = tcpAddress("192.0.2.1", 4040)
SECOND = tcpAddress("192.0.2.1", 4041)
ELSEWHERE = tcpAddress("192.0.2.9", 4040)
US = tcpAddress("198.51.100.1", 5000)
ALSO_US = tcpAddress("198.51.100.1", 6000)
PORT = Mapping.ADDRESS_AND_PORT_DEPENDENT


@pytest.mark.parametrize(
    ("seen", "mapping"),
    [
        ([], None),
        ([(FIRST, US)], None),
        ([(FIRST, US), (FIRST, US)], None),
        ([(FIRST, US), (SECOND, US)], Mapping.ENDPOINT_INDEPENDENT),
        ([(FIRST, US), (SECOND, ALSO_US)], PORT),
        ([(FIRST, US), (SECOND, US), (ELSEWHERE, ALSO_US)], Mapping.ADDRESS_DEPENDENT),
        ([(FIRST, US), (SECOND, ALSO_US), (ELSEWHERE, US)], PORT),
        ([(FIRST, US), (ELSEWHERE, ALSO_US)], PORT),
    ],
)
def test_mapping(seen: Any, mapping: Mapping | None) -> None:
    """
    The mapping depends on what makes the difference to those who look; of what can't
    be told apart the worse is assumed.
    """
    assert mappingOf(seen) is mapping


@pytest.mark.parametrize(
    ("ports", "allocation", "step"),
    [
        ([5000, 5001, 5002], Allocation.SEQUENTIAL, 1),
        ([5002, 5000, 5001], Allocation.SEQUENTIAL, 1),
        ([5000, 5002, 5004], Allocation.SEQUENTIAL, 2),
        ([5000, 5001, 5009, 5010], Allocation.SEQUENTIAL, 1),
        ([5000, 5000], Allocation.RANDOM, 0),
        ([5000, 9000], Allocation.RANDOM, 0),
        ([5000, 5001, 60000], Allocation.RANDOM, 0),
    ],
)
def test_allocation(ports: list[int], allocation: Allocation, step: int) -> None:
    """
    Ports that follow each other, others' among them, are foretold; the rest are not.
    """
    found = behaviorFromPorts(PORT, ports)
    assert (found.allocation, found.step) == (allocation, step)
    assert found.isSequential is (allocation is Allocation.SEQUENTIAL)
    assert found.isRandom is not found.isSequential
    assert not found.isEndpointIndependent


@pytest.mark.parametrize("first", [1024, 20480, 63488])
def test_block(first: int) -> None:
    """
    Of ports from one block the block is found.
    """
    for seed in range(100):
        random = Random(seed)
        ports = [random.randint(first, first + 1023) for _ in range(10)]
        low, high = behaviorFromPorts(PORT, ports).ports
        assert low <= min(ports) <= max(ports) <= high
        assert high - low < 2048


def test_wholeRange() -> None:
    """
    Ports from everywhere may be any.
    """
    for seed in range(100):
        random = Random(seed)
        ports = [random.randint(*ALL_PORTS) for _ in range(10)]
        assert behaviorFromPorts(PORT, ports).ports == ALL_PORTS


@given(behaviors, st.sampled_from(["mapping", "allocation", "step", "ports"]), jsons)
def test_oneWrong(behavior: ObservedBehavior, name: str, value: Any) -> None:
    """
    A field that is not what it should be gives a value or L{BadBehavior}.
    """
    with suppress(BadBehavior):
        ObservedBehavior.fromFields({**behavior.toFields(), name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"ports": [5, 4]},
        {"ports": [0, 9]},
        {"ports": [1, 65536]},
        {"ports": [True, 7]},
        {"step": -1},
        {"step": 9},
        {"mapping": "no such"},
    ],
)
def test_bad(wrong: dict[str, Any]) -> None:
    """
    Numbers are within their bounds.
    """
    with pytest.raises(BadBehavior):
        ObservedBehavior.fromFields({**ObservedBehavior(PORT).toFields(), **wrong})
