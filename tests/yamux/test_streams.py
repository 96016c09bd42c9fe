"""
Tests for L{punch.yamux.streams}.
"""

from __future__ import annotations

import pytest

from punch.errors import ProtocolViolation
from punch.role import Role
from punch.yamux.errors import StreamIdsExhausted
from punch.yamux.frames import MAXIMUM_ID
from punch.yamux.streams import StreamIds


@pytest.mark.parametrize(
    ("role", "first"), [(Role.DIALER, [1, 3, 5]), (Role.LISTENER, [2, 4, 6])]
)
def test_allot(role: Role, first: list[int]) -> None:
    """
    The dialer's ids are odd, the listener's even; none is 0.
    """
    ids = StreamIds(role)
    assert [ids.allot() for _ in first] == first
    assert all(ids.isOurs(id) and not StreamIds(role.other).isOurs(id) for id in first)


@pytest.mark.parametrize(
    ("role", "last"), [(Role.DIALER, MAXIMUM_ID), (Role.LISTENER, MAXIMUM_ID - 1)]
)
def test_exhausted(role: Role, last: int) -> None:
    """
    After the last id there is none: they do not wrap.
    """
    ids = StreamIds(role)
    ids._next = last
    assert ids.allot() == last
    for _ in range(2):
        with pytest.raises(StreamIdsExhausted):
            ids.allot()
    assert ids.wasOpened(last)


def test_wasOpened() -> None:
    """
    All ids up to a side's last were opened, for all that we know; those above
    were not.
    """
    ids = StreamIds(Role.DIALER)
    assert not ids.wasOpened(1)
    assert not ids.wasOpened(2)
    ids.allot()
    ids.accept(6)
    assert [id for id in range(1, 10) if ids.wasOpened(id)] == [1, 2, 4, 6]


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ([3], "wrong side"),
        ([2, 2], "opened after 2"),
        ([4, 2], "opened after 4"),
        ([MAXIMUM_ID], "wrong side"),
    ],
)
def test_violations(ids: list[int], says: str) -> None:
    """
    The peer opens only ids of its own, and each higher than the last.
    """
    own = StreamIds(Role.DIALER)
    for id in ids[:-1]:
        own.accept(id)
    with pytest.raises(ProtocolViolation, match=says):
        own.accept(ids[-1])
