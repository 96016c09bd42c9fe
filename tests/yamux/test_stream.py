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
    sendQueue, model = SendQueue(), b""
    for step in steps:
        if isinstance(step, bytes):
            sendQueue.put(step)
            model += step
        else:
            assert b"".join(sendQueue.take(step)) == model[:step]
            model = model[step:]
        assert sendQueue.size == len(model)


def test_handsOnWhole() -> None:
    """
    A piece that fits is handed on as it is, not copied.
    """
    sendQueue = SendQueue()
    piece = bytes(1000)
    sendQueue.put(piece)
    [taken] = sendQueue.take(1000)
    assert taken is piece


def test_emptyIsSmall() -> None:
    """
    An empty queue holds no container.
    """
    sendQueue = SendQueue()
    sendQueue.put(b"x")
    sendQueue.take(1)
    assert sendQueue._chunks is None


def test_marks() -> None:
    """
    It drains once, at the low mark, after it was above the high one.
    """
    sendQueue = SendQueue()
    sendQueue.put(bytes(HIGH_MARK))
    sendQueue.take(HIGH_MARK)
    assert not sendQueue.hasDrained()
    sendQueue.put(bytes(HIGH_MARK + 1))
    sendQueue.take(HIGH_MARK - LOW_MARK)
    assert not sendQueue.hasDrained()
    sendQueue.take(1)
    assert sendQueue.hasDrained()
    assert not sendQueue.hasDrained()
