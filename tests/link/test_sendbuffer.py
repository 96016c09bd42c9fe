"""
Tests for L{punch.link.sendbuffer}.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import Bug, ProtocolViolation
from punch.link.records import MAXIMUM_DATA, Control, Type, encodeOffset
from punch.link.sendbuffer import (
    CLOSE,
    DEFAULT_LIMITS,
    SHORTEST_ROUND_TRIP,
    LinkLimits,
    Piece,
    SendBuffer,
)

NOW = 100.0
RECORD = DEFAULT_LIMITS.record
BOUND = DEFAULT_LIMITS.initial

TINY = LinkLimits(initial=100, maximum=400, record=10, together=40, small=0)


def sent(buffer: SendBuffer) -> list[Piece]:
    """
    All that may be sent now.
    """
    found = []
    while (piece := buffer.nextPiece()) is not None:
        found.append(piece)
    return found


def sizes(pieces: list[Piece]) -> list[int]:
    """
    The sizes of records; 0 for CLOSE.
    """
    return [0 if isinstance(each, Control) else sum(map(len, each)) for each in pieces]


def joined(pieces: list[Piece]) -> bytes:
    """
    The bytes of records, and C{$} for CLOSE.
    """
    return b"".join(
        b"$" if isinstance(each, Control) else b"".join(each) for each in pieces
    )


def kept(buffer: SendBuffer) -> int:
    """
    The bytes that are kept.
    """
    return sum(size for _, size, _ in [*buffer._kept, *buffer._unsent])


def test_record() -> None:
    """
    A record and its header are 64 KiB, as the multiplexer's are.
    """
    assert RECORD + 5 == 1 << 16


def test_references() -> None:
    """
    What is written is sent as it is, in one record, and sent again so.
    """
    buffer = SendBuffer()
    pieces = [b"h" * 12, b"p" * (RECORD - 12)]
    buffer.write(pieces)
    assert buffer.nextPiece() is pieces
    assert buffer.nextPiece() is None
    buffer.restart(0)
    assert buffer.nextPiece() is pieces
    assert buffer.total == buffer.sent == buffer.cursor == RECORD


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], []),
        ([0], []),
        ([1], [1]),
        ([RECORD], [RECORD]),
        ([RECORD + 1], [RECORD, 1]),
        ([3 * RECORD], [RECORD, RECORD, RECORD]),
        ([RECORD, 1], [RECORD + 1]),
        ([MAXIMUM_DATA - 1, 1], [MAXIMUM_DATA]),
        ([MAXIMUM_DATA, 1], [RECORD] * 16 + [MAXIMUM_DATA + 1 - 16 * RECORD]),
    ],
)
def test_cut(pieces: list[int], expected: list[int]) -> None:
    """
    One long piece is cut to records; several stay one, while that is allowed.
    """
    buffer = SendBuffer()
    buffer.write([bytes(each) for each in pieces])
    assert sizes(sent(buffer)) == expected
    assert buffer.total == sum(pieces)


def test_bound() -> None:
    """
    No more is under way than the bound; what fits in again is sent, nothing is
    cut for it.
    """
    buffer = SendBuffer(TINY)
    for _ in range(15):
        buffer.write([b"0123456789"])
    assert sizes(sent(buffer)) == [10] * 10
    assert buffer.sent - buffer.acknowledged == 100
    buffer.acknowledge(9, NOW)
    assert sent(buffer) == []
    buffer.acknowledge(25, NOW)
    assert sizes(sent(buffer)) == [10, 10]
    assert buffer.sent == 120
    assert buffer.sent - buffer.acknowledged == 95


def test_full() -> None:
    """
    Full is what may not all be under way; writing is possible still.
    """
    buffer = SendBuffer(TINY)
    buffer.write([bytes(9)] * 4)
    assert not buffer.isFull
    for _ in range(16):
        buffer.write([bytes(4)])
    assert buffer.isFull
    buffer.write([b"more"])
    assert sum(sizes(sent(buffer))) == 100
    buffer.acknowledge(4, NOW)
    assert buffer.isFull
    buffer.acknowledge(5, NOW)
    assert not buffer.isFull


def test_close() -> None:
    """
    CLOSE comes last, is one unit, and is sent once on each path.
    """
    buffer = SendBuffer()
    buffer.write([b"last"])
    buffer.finish()
    assert buffer.total == 5
    assert sent(buffer) == [[b"last"], CLOSE]
    assert sent(buffer) == []
    buffer.restart(4)
    assert sent(buffer) == [CLOSE]
    buffer.restart(2)
    assert sent(buffer) == [[b"st"], CLOSE]
    buffer.restart(5)
    assert sent(buffer) == []
    assert buffer.cursor == 5
    buffer.acknowledge(4, NOW)
    assert not buffer.isDone
    buffer.acknowledge(5, NOW)
    assert buffer.isDone


def test_closeBound() -> None:
    """
    CLOSE waits for room like any unit.
    """
    buffer = SendBuffer(TINY)
    buffer.write([b"0123456789"] * 4)
    buffer.write([b"0123456789"] * 4)
    buffer.write([b"0123456789"] * 2)
    buffer.finish()
    assert sizes(sent(buffer)) == [40, 40, 20]
    buffer.acknowledge(1, NOW)
    assert sent(buffer) == [CLOSE]


def test_closeOnly() -> None:
    """
    A direction may be empty.
    """
    buffer = SendBuffer()
    assert sent(buffer) == []
    assert not buffer.isDone
    buffer.finish()
    assert sent(buffer) == [CLOSE]
    buffer.acknowledge(1, NOW)
    assert buffer.isDone


def test_bugs() -> None:
    """
    After the end nothing is written.
    """
    buffer = SendBuffer()
    buffer.finish()
    with pytest.raises(Bug):
        buffer.write([b"more"])
    with pytest.raises(Bug):
        buffer.finish()
    assert buffer.total == 1


def test_violations() -> None:
    """
    What was never sent cannot be acknowledged or named by a path, and what was
    acknowledged is not needed again.
    """
    buffer = SendBuffer()
    buffer.write([bytes(100)])
    with pytest.raises(ProtocolViolation, match="an ACK of 1 where 0 were sent"):
        buffer.acknowledge(1, NOW)
    assert buffer.nextPiece() == [bytes(100)]
    with pytest.raises(ProtocolViolation, match="an ACK of 101"):
        buffer.acknowledge(101, NOW)
    buffer.acknowledge(40, NOW)
    for offset in (39, 101):
        with pytest.raises(ProtocolViolation, match=f"from {offset}, not 40 to 100"):
            buffer.restart(offset)
    assert buffer.cursor == 100
    buffer.restart(40)
    assert buffer.nextPiece() == [bytes(60)]


def test_late() -> None:
    """
    An acknowledgment that was overtaken changes nothing.
    """
    buffer = SendBuffer()
    buffer.write([bytes(100)])
    sent(buffer)
    buffer.acknowledge(60, NOW)
    buffer.acknowledge(30, NOW)
    assert buffer.acknowledged == 60


def test_forgets() -> None:
    """
    What was acknowledged is not kept.
    """
    buffer = SendBuffer(TINY)
    data = bytes(10)
    before = sys.getrefcount(data)
    for _ in range(5):
        buffer.write([data])
    sent(buffer)
    assert sys.getrefcount(data) == before + 5
    buffer.acknowledge(20, NOW)
    assert sys.getrefcount(data) == before + 3
    buffer.acknowledge(49, NOW)
    assert sys.getrefcount(data) == before + 1
    buffer.acknowledge(50, NOW)
    assert sys.getrefcount(data) == before


def test_acknowledgedAhead() -> None:
    """
    An acknowledgment may come, by an older path, of what the current one has not
    sent again.  Its position does not jump: it is sent all the same, and then
    forgotten.
    """
    buffer = SendBuffer(TINY)
    for digit in b"0123":
        buffer.write([bytes([digit]) * 10])
    sent(buffer)
    buffer.restart(5)
    assert buffer.nextPiece() == [b"00000"]
    assert buffer.sent == 40
    buffer.acknowledge(35, NOW)
    assert buffer.cursor == 10
    assert joined(sent(buffer)) == b"1" * 10 + b"2" * 10 + b"3" * 10
    assert kept(buffer) == 10
    assert buffer.cursor == 40


def test_restartAhead() -> None:
    """
    After that, the next path may begin beyond what the current one ever sent.
    """
    buffer = SendBuffer(TINY)
    for digit in b"0123":
        buffer.write([bytes([digit]) * 10])
    sent(buffer)
    buffer.restart(5)
    buffer.acknowledge(15, NOW)
    buffer.restart(27)
    assert kept(buffer) == 30
    assert joined(sent(buffer)) == b"2" * 3 + b"3" * 10
    buffer.restart(40)
    assert sent(buffer) == []
    buffer.acknowledge(40, NOW)
    assert kept(buffer) == 0


def test_restartAtAcknowledged() -> None:
    """
    A path that begins where all was taken leaves nothing kept.
    """
    buffer = SendBuffer(TINY)
    for digit in b"0123":
        buffer.write([bytes([digit]) * 10])
    sent(buffer)
    buffer.restart(5)
    buffer.acknowledge(35, NOW)
    buffer.restart(35)
    assert kept(buffer) == 5
    buffer.restart(40)
    buffer.acknowledge(40, NOW)
    assert kept(buffer) == 0


def test_cursor() -> None:
    """
    The cursor is where the current path is, whatever an earlier one has brought.
    """
    buffer = SendBuffer()
    buffer.write([bytes(100)])
    sent(buffer)
    assert buffer.cursor == 100
    buffer.restart(70)
    assert buffer.cursor == 70
    assert sizes(sent(buffer)) == [30]
    assert buffer.cursor == 100
    for offset in (60, 90):
        buffer.acknowledge(offset, NOW)
        assert buffer.acknowledged == offset
        assert buffer.cursor == 100


def skipping(acknowledged: int) -> SendBuffer:
    """
    Forty bytes and CLOSE, all sent, on a new path from 5 where 5 were sent again;
    of which so much was taken.
    """
    buffer = SendBuffer(replace(TINY, skip=7))
    for digit in b"0123":
        buffer.write([bytes([digit]) * 10])
    buffer.finish()
    sent(buffer)
    buffer.restart(5)
    assert buffer.nextPiece() == [b"00000"]
    buffer.acknowledge(acknowledged, NOW)
    return buffer


@pytest.mark.parametrize(
    ("acknowledged", "rest"),
    [
        (17, b"1" * 3 + b"2" * 10 + b"3" * 10 + b"$"),
        (20, b"2" * 10 + b"3" * 10 + b"$"),
        (23, b"2" * 7 + b"3" * 10 + b"$"),
        (39, b"3$"),
        (40, b"$"),
        (41, b""),
    ],
)
def test_skip(acknowledged: int, rest: bytes) -> None:
    """
    What an older path has brought meanwhile is not sent again, if it is much; it is
    said how far that goes, and nothing of it is kept.
    """
    buffer = skipping(acknowledged)
    skip = Control(Type.SKIP, encodeOffset(acknowledged))
    assert buffer.nextPiece() == skip
    assert buffer.cursor == acknowledged
    assert kept(buffer) == max(0, 40 - acknowledged)
    assert joined(sent(buffer)) == rest
    assert buffer.cursor == buffer.sent == 41
    buffer.restart(acknowledged)
    assert joined(sent(buffer)) == rest
    buffer.acknowledge(41, NOW)
    assert kept(buffer) == 0
    assert buffer.isDone


def test_skipLittle() -> None:
    """
    A little is rather sent again.
    """
    buffer = skipping(16)
    assert joined(sent(buffer)) == b"1" * 10 + b"2" * 10 + b"3" * 10 + b"$"


def test_skipDefault() -> None:
    """
    A quarter of a full record is much.
    """
    for missing, expected in ((0, Type.SKIP), (1, Type.DATA)):
        buffer = SendBuffer()
        buffer.write([bytes(RECORD)])
        sent(buffer)
        buffer.restart(0)
        buffer.acknowledge((16 << 10) - missing, NOW)
        piece = buffer.nextPiece()
        found = piece.type if isinstance(piece, Control) else Type.DATA
        assert found is expected


@pytest.mark.parametrize("isSent", [True, False])
def test_small(isSent: bool) -> None:
    """
    What is written byte by byte takes not much more to keep.
    """
    buffer = SendBuffer()
    for _ in range(1 << 18):
        buffer.write([b"x"])
        if isSent:
            assert buffer.nextPiece() == [b"x"]
    payloads = [*buffer._kept, *buffer._unsent]
    assert len(payloads) <= (1 << 18) // (DEFAULT_LIMITS.small // 2)
    assert all(len(pieces) == 1 for _, _, pieces in payloads)
    assert kept(buffer) == 1 << 18
    buffer.restart(0)
    assert joined(sent(buffer)) == b"x" * (1 << 18)


def rounds(buffer: SendBuffer, pace: float, roundTrip: float | None) -> list[int]:
    """
    The bounds, in MiB, after each of eight times that all under way was taken, in
    C{pace} seconds, by a writer who always has more.
    """
    found, now = [], NOW
    for _ in range(8):
        start, under = buffer.acknowledged, buffer.bound
        while not buffer.isFull:
            buffer.write([bytes(1 << 16), b""])
        sent(buffer)
        for part in range(1, 9):
            now += pace / 8
            buffer.acknowledge(start + part * under // 8, now, roundTrip)
            while not buffer.isFull:
                buffer.write([bytes(1 << 16), b""])
            sent(buffer)
        found.append(buffer.bound >> 20)
    return found


@pytest.mark.parametrize(
    ("pace", "roundTrip", "expected"),
    [
        (0.1, 0.1, [4, 8, 16, 16, 16, 16, 16, 16]),
        (0.16, 0.1, [4, 8, 8, 16, 16, 16, 16, 16]),
        (0.25, 0.1, [4] * 8),
        (0.1, None, [4] * 8),
        (SHORTEST_ROUND_TRIP, 0.00001, [4, 8, 16, 16, 16, 16, 16, 16]),
        (3 * SHORTEST_ROUND_TRIP, 0.00001, [4] * 8),
    ],
)
def test_growth(pace: float, roundTrip: float | None, expected: list[int]) -> None:
    """
    The bound doubles when it is used up in less than two round trips, to its end.
    """
    assert rounds(SendBuffer(), pace, roundTrip) == expected


def test_growthOnlyIfHeldBack() -> None:
    """
    A sender that never has to wait for the bound gets no larger one, however quick.
    """
    buffer = SendBuffer()
    for number in range(1, 1000):
        buffer.write([bytes(RECORD)])
        sent(buffer)
        buffer.acknowledge(number * RECORD, NOW, 0.1)
    assert buffer.bound == BOUND


def test_growthStartsAnew() -> None:
    """
    A new path has its own pace: what the one before moved does not count.
    """
    buffer = SendBuffer(TINY)
    for _ in range(40):
        buffer.write([bytes(10)])
    sent(buffer)
    buffer.acknowledge(1, NOW, 0.1)
    buffer.acknowledge(90, NOW, 0.1)
    sent(buffer)
    buffer.restart(buffer.sent)
    buffer.acknowledge(110, NOW, 0.1)
    assert buffer.bound == TINY.initial
    sent(buffer)
    buffer.acknowledge(190, NOW, 0.1)
    sent(buffer)
    assert buffer.bound == TINY.initial
    buffer.acknowledge(210, NOW, 0.1)
    assert buffer.bound == 2 * TINY.initial


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=12),
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 100), st.integers(0, 100)),
        max_size=12,
    ),
    st.sampled_from([0, 5, 15]),
)
def test_again(
    writes: list[list[int]], paths: list[tuple[int, int, int]], small: int
) -> None:
    """
    From wherever a path begins, what was written there follows.
    """
    buffer = SendBuffer(LinkLimits(10_000, 10_000, record=20, together=50, small=small))
    text = bytes(number % 251 for number in range(10_000))
    at = 0
    for write in writes:
        pieces = []
        for size in write:
            pieces.append(text[at : at + size])
            at += size
        buffer.write(pieces)
    text = text[:at] + b"$"
    buffer.finish()
    for most, acknowledged, ahead in paths:
        cursor = buffer.cursor
        found = [piece for _ in range(most) if (piece := buffer.nextPiece())]
        assert joined(found) == text[cursor : buffer.cursor]
        buffer.acknowledge(min(acknowledged, buffer.sent), NOW)
        start = min(buffer.acknowledged + ahead, buffer.sent)
        buffer.restart(start)
        assert kept(buffer) <= len(text) - buffer.acknowledged + 50
    cursor = buffer.cursor
    assert joined(sent(buffer)) == text[cursor:]
