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
    Limits,
    Piece,
    SendBuffer,
)

NOW = 100.0
RECORD = DEFAULT_LIMITS.record
BOUND = DEFAULT_LIMITS.initial

TINY = Limits(initial=100, maximum=400, record=10, together=40, small=0)


def sent(written: SendBuffer) -> list[Piece]:
    """
    All that may be sent now.
    """
    found = []
    while (piece := written.nextPiece()) is not None:
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


def kept(written: SendBuffer) -> int:
    """
    The bytes that are kept.
    """
    return sum(size for _, size, _ in [*written._kept, *written._unsent])


def test_record() -> None:
    """
    A record and its header are 64 KiB, as the multiplexer's are.
    """
    assert RECORD + 5 == 1 << 16


def test_references() -> None:
    """
    What is written is sent as it is, in one record, and sent again so.
    """
    written = SendBuffer()
    pieces = [b"h" * 12, b"p" * (RECORD - 12)]
    written.write(pieces)
    assert written.nextPiece() is pieces
    assert written.nextPiece() is None
    written.restart(0)
    assert written.nextPiece() is pieces
    assert written.total == written.sent == written.cursor == RECORD


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
    written = SendBuffer()
    written.write([bytes(each) for each in pieces])
    assert sizes(sent(written)) == expected
    assert written.total == sum(pieces)


def test_bound() -> None:
    """
    No more is under way than the bound; what fits in again is sent, nothing is
    cut for it.
    """
    written = SendBuffer(TINY)
    for _ in range(15):
        written.write([b"0123456789"])
    assert sizes(sent(written)) == [10] * 10
    assert written.outstanding == 100
    written.acknowledge(9, NOW)
    assert sent(written) == []
    written.acknowledge(25, NOW)
    assert sizes(sent(written)) == [10, 10]
    assert written.sent == 120
    assert written.outstanding == 95


def test_full() -> None:
    """
    Full is what may not all be under way; writing is possible still.
    """
    written = SendBuffer(TINY)
    written.write([bytes(9)] * 4)
    assert not written.isFull
    for _ in range(16):
        written.write([bytes(4)])
    assert written.isFull
    written.write([b"more"])
    assert sum(sizes(sent(written))) == 100
    written.acknowledge(4, NOW)
    assert written.isFull
    written.acknowledge(5, NOW)
    assert not written.isFull


def test_close() -> None:
    """
    CLOSE comes last, is one unit, and is sent once on each path.
    """
    written = SendBuffer()
    written.write([b"last"])
    written.finish()
    assert written.total == 5
    assert sent(written) == [[b"last"], CLOSE]
    assert sent(written) == []
    written.restart(4)
    assert sent(written) == [CLOSE]
    written.restart(2)
    assert sent(written) == [[b"st"], CLOSE]
    written.restart(5)
    assert sent(written) == []
    assert written.outstanding == 0
    written.acknowledge(4, NOW)
    assert not written.isDone
    written.acknowledge(5, NOW)
    assert written.isDone


def test_closeBound() -> None:
    """
    CLOSE waits for room like any unit.
    """
    written = SendBuffer(TINY)
    written.write([b"0123456789"] * 4)
    written.write([b"0123456789"] * 4)
    written.write([b"0123456789"] * 2)
    written.finish()
    assert sizes(sent(written)) == [40, 40, 20]
    written.acknowledge(1, NOW)
    assert sent(written) == [CLOSE]


def test_closeOnly() -> None:
    """
    A direction may be empty.
    """
    written = SendBuffer()
    assert sent(written) == []
    assert not written.isDone
    written.finish()
    assert sent(written) == [CLOSE]
    written.acknowledge(1, NOW)
    assert written.isDone


def test_bugs() -> None:
    """
    After the end nothing is written.
    """
    written = SendBuffer()
    written.finish()
    with pytest.raises(Bug):
        written.write([b"more"])
    with pytest.raises(Bug):
        written.finish()
    assert written.total == 1


def test_violations() -> None:
    """
    What was never sent cannot be acknowledged or named by a path, and what was
    acknowledged is not needed again.
    """
    written = SendBuffer()
    written.write([bytes(100)])
    with pytest.raises(ProtocolViolation, match="an ACK of 1 where 0 were sent"):
        written.acknowledge(1, NOW)
    assert written.nextPiece() == [bytes(100)]
    with pytest.raises(ProtocolViolation, match="an ACK of 101"):
        written.acknowledge(101, NOW)
    written.acknowledge(40, NOW)
    for offset in (39, 101):
        with pytest.raises(ProtocolViolation, match=f"from {offset}, not 40 to 100"):
            written.restart(offset)
    assert written.cursor == 100
    written.restart(40)
    assert written.nextPiece() == [bytes(60)]


def test_late() -> None:
    """
    An acknowledgment that was overtaken changes nothing.
    """
    written = SendBuffer()
    written.write([bytes(100)])
    sent(written)
    written.acknowledge(60, NOW)
    written.acknowledge(30, NOW)
    assert written.acknowledged == 60


def test_forgets() -> None:
    """
    What was acknowledged is not kept.
    """
    written = SendBuffer(TINY)
    data = bytes(10)
    before = sys.getrefcount(data)
    for _ in range(5):
        written.write([data])
    sent(written)
    assert sys.getrefcount(data) == before + 5
    written.acknowledge(20, NOW)
    assert sys.getrefcount(data) == before + 3
    written.acknowledge(49, NOW)
    assert sys.getrefcount(data) == before + 1
    written.acknowledge(50, NOW)
    assert sys.getrefcount(data) == before


def test_acknowledgedAhead() -> None:
    """
    An acknowledgment may come, by an older path, of what the current one has not
    sent again.  Its position does not jump: it is sent all the same, and then
    forgotten.
    """
    written = SendBuffer(TINY)
    for digit in b"0123":
        written.write([bytes([digit]) * 10])
    sent(written)
    written.restart(5)
    assert written.nextPiece() == [b"00000"]
    assert written.sent == 40
    written.acknowledge(35, NOW)
    assert written.outstanding == 0
    assert joined(sent(written)) == b"1" * 10 + b"2" * 10 + b"3" * 10
    assert kept(written) == 10
    assert written.outstanding == 5


def test_restartAhead() -> None:
    """
    And then the next path may begin where the current one never came to.
    """
    written = SendBuffer(TINY)
    for digit in b"0123":
        written.write([bytes([digit]) * 10])
    sent(written)
    written.restart(5)
    written.acknowledge(15, NOW)
    written.restart(27)
    assert kept(written) == 30
    assert joined(sent(written)) == b"2" * 3 + b"3" * 10
    written.restart(40)
    assert sent(written) == []
    written.acknowledge(40, NOW)
    assert kept(written) == 0


def test_restartAtAcknowledged() -> None:
    """
    A path that begins where all was taken leaves nothing kept.
    """
    written = SendBuffer(TINY)
    for digit in b"0123":
        written.write([bytes([digit]) * 10])
    sent(written)
    written.restart(5)
    written.acknowledge(35, NOW)
    written.restart(35)
    assert kept(written) == 5
    written.restart(40)
    written.acknowledge(40, NOW)
    assert kept(written) == 0


def test_outstanding() -> None:
    """
    Outstanding is what was sent on this path: what an earlier one brought is not
    this one's to prove.
    """
    written = SendBuffer()
    written.write([bytes(100)])
    sent(written)
    assert written.outstanding == 100
    written.restart(70)
    assert written.outstanding == 0
    sent(written)
    assert written.outstanding == 30
    written.acknowledge(60, NOW)
    assert written.outstanding == 30
    written.acknowledge(90, NOW)
    assert written.outstanding == 10


def skipping(acknowledged: int) -> SendBuffer:
    """
    Forty bytes and CLOSE, all sent, on a new path from 5 where 5 were sent again;
    of which so much was taken.
    """
    written = SendBuffer(replace(TINY, skip=7))
    for digit in b"0123":
        written.write([bytes([digit]) * 10])
    written.finish()
    sent(written)
    written.restart(5)
    assert written.nextPiece() == [b"00000"]
    written.acknowledge(acknowledged, NOW)
    return written


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
    written = skipping(acknowledged)
    skip = Control(Type.SKIP, encodeOffset(acknowledged))
    assert written.nextPiece() == skip
    assert written.cursor == acknowledged
    assert kept(written) == max(0, 40 - acknowledged)
    assert written.outstanding == 0
    assert joined(sent(written)) == rest
    assert written.outstanding == len(rest)
    assert written.sent == 41
    written.restart(acknowledged)
    assert joined(sent(written)) == rest
    written.acknowledge(41, NOW)
    assert kept(written) == 0
    assert written.isDone


def test_skipLittle() -> None:
    """
    A little is rather sent again.
    """
    written = skipping(16)
    assert joined(sent(written)) == b"1" * 10 + b"2" * 10 + b"3" * 10 + b"$"


def test_skipDefault() -> None:
    """
    A quarter of a full record is much.
    """
    for missing, expected in ((0, Type.SKIP), (1, Type.DATA)):
        written = SendBuffer()
        written.write([bytes(RECORD)])
        sent(written)
        written.restart(0)
        written.acknowledge((16 << 10) - missing, NOW)
        piece = written.nextPiece()
        found = piece.type if isinstance(piece, Control) else Type.DATA
        assert found is expected


@pytest.mark.parametrize("isSent", [True, False])
def test_small(isSent: bool) -> None:
    """
    What is written byte by byte takes not much more to keep.
    """
    written = SendBuffer()
    for _ in range(1 << 18):
        written.write([b"x"])
        if isSent:
            assert written.nextPiece() == [b"x"]
    payloads = [*written._kept, *written._unsent]
    assert len(payloads) <= (1 << 18) // (DEFAULT_LIMITS.small // 2)
    assert all(len(pieces) == 1 for _, _, pieces in payloads)
    assert kept(written) == 1 << 18
    written.restart(0)
    assert joined(sent(written)) == b"x" * (1 << 18)


def rounds(written: SendBuffer, pace: float, roundTrip: float | None) -> list[int]:
    """
    The bounds, in MiB, after each of eight times that all under way was taken, in
    C{pace} seconds, by a writer who always has more.
    """
    found, now = [], NOW
    for _ in range(8):
        start, under = written.acknowledged, written.bound
        while not written.isFull:
            written.write([bytes(1 << 16), b""])
        sent(written)
        for part in range(1, 9):
            now += pace / 8
            written.acknowledge(start + part * under // 8, now, roundTrip)
            while not written.isFull:
                written.write([bytes(1 << 16), b""])
            sent(written)
        found.append(written.bound >> 20)
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
    Who never has to wait for the bound needs no larger one, however quick.
    """
    written = SendBuffer()
    for number in range(1, 1000):
        written.write([bytes(RECORD)])
        sent(written)
        written.acknowledge(number * RECORD, NOW, 0.1)
    assert written.bound == BOUND


def test_growthStartsAnew() -> None:
    """
    A new path has its own pace: what the one before moved does not count.
    """
    written = SendBuffer(TINY)
    for _ in range(40):
        written.write([bytes(10)])
    sent(written)
    written.acknowledge(1, NOW, 0.1)
    written.acknowledge(90, NOW, 0.1)
    sent(written)
    written.restart(written.sent)
    written.acknowledge(110, NOW, 0.1)
    assert written.bound == TINY.initial
    sent(written)
    written.acknowledge(190, NOW, 0.1)
    sent(written)
    assert written.bound == TINY.initial
    written.acknowledge(210, NOW, 0.1)
    assert written.bound == 2 * TINY.initial


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
    written = SendBuffer(Limits(10_000, 10_000, record=20, together=50, small=small))
    text = bytes(number % 251 for number in range(10_000))
    at = 0
    for write in writes:
        pieces = []
        for size in write:
            pieces.append(text[at : at + size])
            at += size
        written.write(pieces)
    text = text[:at] + b"$"
    written.finish()
    for most, acknowledged, ahead in paths:
        cursor = written.cursor
        found = [piece for _ in range(most) if (piece := written.nextPiece())]
        assert joined(found) == text[cursor : written.cursor]
        written.acknowledge(min(acknowledged, written.sent), NOW)
        start = min(written.acknowledged + ahead, written.sent)
        written.restart(start)
        assert kept(written) <= len(text) - written.acknowledged + 50
    cursor = written.cursor
    assert joined(sent(written)) == text[cursor:]
