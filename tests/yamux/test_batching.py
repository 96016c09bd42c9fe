"""
Tests for L{punch.yamux.batching}.
"""

from __future__ import annotations

from punch.yamux.batching import MAXIMUM, MINIMUM, TARGET_TIME, BatchSize


def _taken(batch: BatchSize, *durations: float) -> int:
    """
    Let the link take each of these times for a batch, and answer with the size after
    that.
    """
    now = 0.0
    for duration in durations:
        batch.paused(now)
        now += duration
        batch.resumed(now)
    return batch.size


class SizeTests:
    """
    How large a batch is.
    """

    def test_first(self) -> None:
        """
        Nothing is known of a new link: it is given one frame.
        """
        assert BatchSize().size == MINIMUM

    def test_fast(self) -> None:
        """
        A link that takes a batch in no time is given more, up to a bound.
        """
        assert _taken(BatchSize(), 0.0) == 2 * MINIMUM
        assert _taken(BatchSize(), *[0.0] * 10) == MAXIMUM

    def test_slow(self) -> None:
        """
        A link that becomes slow is given less, down to one frame.
        """
        batch = BatchSize()
        _taken(batch, 0.0, 0.0)
        assert _taken(batch, TARGET_TIME * 1.5) == MAXIMUM // 2
        assert _taken(batch, 1.0, 1.0, 1.0) == MINIMUM

    def test_steady(self) -> None:
        """
        What doubled would take too long stays as it is.
        """
        batch = BatchSize()
        _taken(batch, 0.0)
        assert _taken(batch, TARGET_TIME * 0.9, TARGET_TIME * 0.6) == 2 * MINIMUM

    def test_notFull(self) -> None:
        """
        A link that was never full tells nothing.
        """
        batch = BatchSize()
        batch.resumed(7.0)
        assert batch.size == MINIMUM


class GatherTests:
    """
    What a batch is made of.
    """

    def test_all(self) -> None:
        """
        If there is less than a batch, it is all there is, in order.
        """
        pieces = iter([[b"a", b"bc"], [b"d"], None, [b"e"], None])
        batch = BatchSize()
        assert batch.gather(lambda: next(pieces)) == [b"a", b"bc", b"d"]
        assert batch.gather(lambda: next(pieces)) == [b"e"]

    def test_none(self) -> None:
        """
        If there is nothing, it is nothing.
        """
        assert BatchSize().gather(lambda: None) == []

    def test_enough(self) -> None:
        """
        It ends with the piece that fills it: what is left waits for the next.
        """
        frame = [b"h" * 12, b"x" * (MINIMUM - 12)]
        frames = iter([frame] * 9)
        batch = BatchSize()
        assert batch.gather(lambda: next(frames)) == frame
        _taken(batch, 0.0, 0.0)
        assert batch.gather(lambda: next(frames)) == 4 * frame
