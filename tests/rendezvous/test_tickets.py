"""
What lets two clients use the relay.
"""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.relayerrors import TicketUnknown, TicketUsed
from punch.relaying import TICKET_BYTES
from punch.rendezvous.tickets import Pair, Tickets


def tickets(seconds: float = 30.0) -> Tickets:
    """
    Tickets that are counted.
    """
    numbers = count(1)
    return Tickets(seconds, lambda size: next(numbers).to_bytes(size, "big"))


def test_issue() -> None:
    """
    Each side has its own.
    """
    issued = tickets()
    first, second = issued.issue(1.0), issued.issue(1.0)
    given = {first.listener, first.dialer, second.listener, second.dialer}
    assert len(given) == 4
    assert len(issued) == 4
    assert {len(each) for each in given} == {TICKET_BYTES}


def test_unguessable() -> None:
    """
    By default they are the system's randomness.
    """
    issued = Tickets(30.0)
    pairs = [issued.issue(1.0) for _ in range(100)]
    assert len({each for pair in pairs for each in (pair.listener, pair.dialer)}) == 200


def test_use() -> None:
    """
    Both are of one pair, in whatever order they come.
    """
    issued = tickets()
    pair = issued.issue(1.0)
    assert issued.use(pair.dialer) is pair
    assert pair.used == {pair.dialer}
    assert issued.use(pair.listener) is pair
    assert pair.used == {pair.dialer, pair.listener}


def test_once() -> None:
    """
    Each is good once.
    """
    issued = tickets()
    pair = issued.issue(1.0)
    issued.use(pair.listener)
    with pytest.raises(TicketUsed):
        issued.use(pair.listener)
    assert pair.used == {pair.listener}


@given(st.binary(max_size=40))
def test_unknown(ticket: bytes) -> None:
    """
    What was not issued is unknown.
    """
    issued = Tickets(30.0)
    issued.issue(1.0)
    with pytest.raises(TicketUnknown):
        issued.use(ticket)


def test_forget() -> None:
    """
    When the introduction is over, so are its tickets, used or not, and no others.
    """
    issued = tickets()
    over, alive = issued.issue(1.0), issued.issue(1.0)
    issued.use(over.dialer)
    issued.forget(over)
    for ticket in (over.dialer, over.listener):
        with pytest.raises(TicketUnknown):
            issued.use(ticket)
    issued.forget(over)
    assert issued.use(alive.dialer) is alive
    assert len(issued) == 2


def test_expire() -> None:
    """
    They are good for so long, used or not.
    """
    issued = tickets(10.0)
    pairs: list[Pair] = [issued.issue(float(now)) for now in range(4)]
    issued.use(pairs[0].listener)
    assert issued.expire(9.9) == []
    assert issued.expire(11.0) == pairs[:2]
    with pytest.raises(TicketUnknown):
        issued.use(pairs[1].dialer)
    assert issued.use(pairs[2].dialer) is pairs[2]
    assert issued.expire(100.0) == pairs[2:]
    assert len(issued) == 0
