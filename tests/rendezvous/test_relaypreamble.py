"""
Tests for L{punch.rendezvous.relaypreamble}.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import RendezvousViolation
from punch.rendezvous.relayerrors import (
    PeerAbsent,
    RelayAddressBusy,
    RelayBusy,
    RelayBytesSpent,
    RelayError,
    RelayRefused,
    TicketUnknown,
    TicketUsed,
)
from punch.rendezvous.relaypreamble import (
    STATUSES,
    TICKET_BYTES,
    NotRelay,
    encodePreamble,
    readPreamble,
)

TICKET = Random(1).randbytes(TICKET_BYTES)
PREAMBLE = encodePreamble(TICKET)


@pytest.mark.parametrize("size", range(len(PREAMBLE)))
def test_incomplete(size: int) -> None:
    """
    As long as it may yet become a ticket, there is none and no mistake.
    """
    assert readPreamble(PREAMBLE[:size]) is None


@given(st.binary(max_size=50) | st.binary(max_size=50).map(lambda b: b"RELAY1" + b))
def test_anything(data: bytes) -> None:
    """
    Any bytes are a ticket, the beginning of one, or not for the relay; and what is
    not for it by its first bytes is not by more of them.
    """
    isOurs = data.startswith(b"RELAY1") or b"RELAY1".startswith(data)
    for more in (data, data + TICKET):
        try:
            taken = readPreamble(more)
        except NotRelay:
            assert not more.startswith(b"RELAY1")
            continue
        assert isOurs
        assert (taken is None) == (len(more) < len(PREAMBLE))


@pytest.mark.parametrize("first", [0, 1, 82])
def test_firstByte(first: int) -> None:
    """
    AMP begins with 0, which the relay never does.
    """
    if first == PREAMBLE[0]:
        assert readPreamble(bytes([first])) is None
    else:
        with pytest.raises(NotRelay):
            readPreamble(bytes([first]))


@pytest.mark.parametrize("size", [0, TICKET_BYTES - 1, TICKET_BYTES + 1])
def test_noTicket(size: int) -> None:
    """
    A rendezvous that gives tickets of another size errs.
    """
    with pytest.raises(RendezvousViolation, match=f"{size} bytes"):
        encodePreamble(bytes(size))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (1, RelayBusy),
        (2, RelayAddressBusy),
        (3, TicketUnknown),
        (4, TicketUsed),
        (5, PeerAbsent),
        (6, RelayRefused),
        (255, RelayRefused),
    ],
)
def test_refusals(status: int, kind: type[RelayError]) -> None:
    """
    Each refusal has its byte, and each byte but 0 is a refusal.
    """
    assert STATUSES.decode(status) is kind
    if status != 6:
        assert STATUSES.encode(kind()) == bytes([status])


def test_spliced() -> None:
    """
    0 is no refusal.
    """
    assert STATUSES.encode(None) == b"\0"
    assert STATUSES.decode(0) is None


def test_others() -> None:
    """
    An error that has no byte of its own is a refusal all the same.
    """
    assert STATUSES.encode(RelayBytesSpent()) == b"\xff"
