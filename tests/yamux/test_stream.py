"""
Tests for L{punch.yamux.stream}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punch.yamux.stream import HIGH_MARK, LOW_MARK, SendQueue


@given(
    st.lists(
        st.binary(min_size=1, max_size=50) | st.integers(0, 80),
        max_size=30,
    )
)
def test_queue(steps: list[bytes | int]) -> None:
    """
    In whatever pieces bytes are put and taken, they come out once, in order, as
    many as were asked for and are there.
    """
    outgoing, model = SendQueue(), b""
    for step in steps:
        if isinstance(step, bytes):
            outgoing.put(step)
            model += step
        else:
            assert b"".join(outgoing.take(step)) == model[:step]
            model = model[step:]
        assert outgoing.size == len(model)


def test_handsOnWhole() -> None:
    """
    A piece that fits is handed on as it is, not copied.
    """
    outgoing = SendQueue()
    piece = bytes(1000)
    outgoing.put(piece)
    [taken] = outgoing.take(1000)
    assert taken is piece


def test_emptyIsSmall() -> None:
    """
    An empty queue holds no container.
    """
    outgoing = SendQueue()
    outgoing.put(b"x")
    outgoing.take(1)
    assert outgoing._chunks is None


def test_marks() -> None:
    """
    It drains once, at the low mark, after it was above the high one.
    """
    outgoing = SendQueue()
    outgoing.put(bytes(HIGH_MARK))
    outgoing.take(HIGH_MARK)
    assert not outgoing.hasDrained()
    outgoing.put(bytes(HIGH_MARK + 1))
    outgoing.take(HIGH_MARK - LOW_MARK)
    assert not outgoing.hasDrained()
    outgoing.take(1)
    assert outgoing.hasDrained()
    assert not outgoing.hasDrained()
