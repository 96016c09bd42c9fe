"""
Tests for L{punch.streams.servicename}.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.streams.errors import (
    NoSuchService,
    StreamError,
    StreamRefused,
    TargetRefused,
    TooManyStreams,
)
from punch.streams.servicename import (
    STATUSES,
    ServiceNameReader,
    encodeService,
    isServiceName,
)

NAMES = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80
).filter(lambda name: len(name.encode()) <= 255)


@given(NAMES, st.binary(max_size=300), st.data())
def test_roundTrip(service: str, rest: bytes, data: st.DataObject) -> None:
    """
    However it arrives in pieces, the service's name is read, and what follows is
    given back whole.
    """
    assert isServiceName(service)
    sent = encodeService(service) + rest
    opening = ServiceNameReader()
    for at in range(len(sent) + 1):
        read = opening.feed(sent[at - 1 : at] if at else b"")
        if read is not None:
            assert (read[0], read[1] + sent[at:]) == (service, rest)
            return
    raise AssertionError("it was never whole")


@given(st.lists(st.binary(max_size=100), max_size=8))
def test_anything(pieces: list[bytes]) -> None:
    """
    Whatever arrives, it is a name or not yet one; at most a name's bytes are held.
    """
    opening = ServiceNameReader()
    for piece in pieces:
        if opening.feed(piece) is not None:
            return
    assert sum(map(len, pieces)) <= 255


@pytest.mark.parametrize("name", ["", "x" * 256, "\u00e4" * 128])
def test_noName(name: str) -> None:
    """
    A name has 1 to 255 bytes.
    """
    assert not isServiceName(name)
    with pytest.raises(ValueError, match="1 to 255"):
        encodeService(name)


def test_emptyName() -> None:
    """
    An empty name asks for a service that cannot exist.
    """
    assert ServiceNameReader().feed(b"\0abc") == ("", b"abc")


@pytest.mark.parametrize(
    ("error", "status", "heard"),
    [
        (NoSuchService("x"), 1, NoSuchService),
        (TargetRefused("x"), 2, TargetRefused),
        (TooManyStreams(), 3, TooManyStreams),
        (RuntimeError(), 255, StreamRefused),
    ],
)
def test_statuses(error: Exception, status: int, heard: type[StreamError]) -> None:
    """
    Each reason to refuse is heard as the same reason; its text has the service's name.
    """
    assert STATUSES.encode(error) == bytes([status])
    assert STATUSES.decode(status) is heard
    assert "web" in str(heard("web"))


@given(st.integers(0, 255))
def test_anyStatus(status: int) -> None:
    """
    Every byte but 0 is a refusal.
    """
    assert (STATUSES.decode(status) is None) == (status == 0)
