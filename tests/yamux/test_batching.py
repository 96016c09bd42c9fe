"""
Tests for L{punch.yamux.batching}.
"""

from __future__ import annotations

from punch.yamux.batching import LEAST, MOST, QUICK, BatchSize


def _taken(portion: BatchSize, *durations: float) -> int:
    """
    Let the link take a portion in each of these times; the size after that.
    """
    now = 0.0
    for duration in durations:
        portion.filled(now)
        now += duration
        portion.drained(now)
    return portion.size


class SizeTests:
    """
    How large a portion is.
    """

    def test_first(self) -> None:
        """
        Nothing is known of a new link: it is given one frame.
        """
        assert BatchSize().size == LEAST

    def test_fast(self) -> None:
        """
        A link that takes a portion in no time is given more, up to a bound.
        """
        assert _taken(BatchSize(), 0.0) == 2 * LEAST
        assert _taken(BatchSize(), *[0.0] * 10) == MOST

    def test_slow(self) -> None:
        """
        A link that becomes slow is given less, down to one frame.
        """
        portion = BatchSize()
        _taken(portion, 0.0, 0.0)
        assert _taken(portion, QUICK * 1.5) == MOST // 2
        assert _taken(portion, 1.0, 1.0, 1.0) == LEAST

    def test_steady(self) -> None:
        """
        What doubled would take too long stays as it is.
        """
        portion = BatchSize()
        _taken(portion, 0.0)
        assert _taken(portion, QUICK * 0.9, QUICK * 0.6) == 2 * LEAST

    def test_notFull(self) -> None:
        """
        A link that was never full tells nothing.
        """
        portion = BatchSize()
        portion.drained(7.0)
        assert portion.size == LEAST


class GatherTests:
    """
    What a portion is made of.
    """

    def test_all(self) -> None:
        """
        If there is less than a portion, it is all there is, in order.
        """
        pieces = iter([[b"a", b"bc"], [b"d"], None, [b"e"], None])
        portion = BatchSize()
        assert portion.gather(lambda: next(pieces)) == [b"a", b"bc", b"d"]
        assert portion.gather(lambda: next(pieces)) == [b"e"]

    def test_none(self) -> None:
        """
        If there is nothing, it is nothing.
        """
        assert BatchSize().gather(lambda: None) == []

    def test_enough(self) -> None:
        """
        It ends with the piece that fills it: what is left waits for the next.
        """
        frame = [b"h" * 12, b"x" * (LEAST - 12)]
        frames = iter([frame] * 9)
        portion = BatchSize()
        assert portion.gather(lambda: next(frames)) == frame
        _taken(portion, 0.0, 0.0)
        assert portion.gather(lambda: next(frames)) == 4 * frame
