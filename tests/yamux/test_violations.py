"""
Tests for L{punch.yamux.session}: what a peer must not do.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punch.errors import ProtocolViolation
from punch.role import Role
from punch.yamux.events import (
    Finished,
    Received,
)
from punch.yamux.frames import (
    ACK,
    DATA,
    FIN,
    PING,
    RST,
    SYN,
    Header,
    encode,
)
from punch.yamux.session import Session
from punch.yamux.window import INITIAL_WINDOW
from tests.yamux.wire import (
    data,
    dialer,
    heard,
    ping,
    sent,
    update,
    withTheirs,
)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([update(1, flags=SYN)], "wrong side"),
        ([update(4, flags=SYN), update(2, flags=SYN)], "opened after 4"),
        ([update(2, flags=SYN), data(2, b"x", SYN)], "opened after 2"),
        ([update(2, flags=SYN), update(2, 0, RST), update(2, 0, SYN)], "opened after"),
        ([data(2, b"x")], "never was"),
        ([update(2)], "never was"),
        ([update(2, flags=RST)], "never was"),
        ([data(1, b"x")], "never was"),
        ([update(1, flags=ACK)], "never was"),
        ([update(2, flags=SYN), update(4)], "never was"),
        ([update(2, flags=SYN | ACK)], "acknowledgment"),
        ([data(2, b"", SYN | FIN), data(2, b"x")], "after its end"),
        ([data(2, b"x", SYN | FIN), data(2, b"", FIN)], "second end"),
        ([update(2, 0, SYN | FIN), update(2, 0, FIN)], "second end"),
        ([data(2, bytes(INITIAL_WINDOW + 1), SYN)], "with a window of 262144"),
        (
            [data(2, bytes(INITIAL_WINDOW), SYN), data(2, b"", 0), data(2, b"x")],
            "with a window of 0",
        ),
        ([update(2, 0xFFFFFFFF - INITIAL_WINDOW + 1, SYN)], "overflows"),
        (
            [update(2, 0xFFFFFFFF - INITIAL_WINDOW, SYN), update(2), update(2, 1)],
            "overflows",
        ),
        ([ping(ACK, 0)], "no ping"),
        ([ping(0, 0)], "flags 0x0"),
        ([ping(SYN | ACK, 0)], "flags 0x3"),
        (
            [update(2, 0, SYN), update(2, 0, RST), encode(DATA, 0, 2, (16 << 20) + 1)],
            "beyond any window",
        ),
    ],
)
def test_violations(frames: list[bytes], says: str) -> None:
    """
    The last of these frames breaks the rules, and only that one.
    """
    session = dialer()
    for frame in frames[:-1]:
        heard(session, frame)
    with pytest.raises(ProtocolViolation, match=says):
        heard(session, frames[-1])


def test_windowIsCheckedBeforeItsData() -> None:
    """
    Too much data is told from its header.
    """
    session = withTheirs()
    with pytest.raises(ProtocolViolation):
        heard(session, encode(DATA, 0, 2, INITIAL_WINDOW + 1))


def test_frameForUnsentStream() -> None:
    """
    The peer cannot know a stream whose SYN waits.
    """
    session = dialer()
    session.open()
    with pytest.raises(ProtocolViolation, match="never was"):
        heard(session, update(1, flags=ACK))


@settings(max_examples=300)
@given(
    st.sampled_from(Role),
    st.lists(
        st.binary(max_size=30)
        | st.builds(
            encode,
            st.integers(0, 3),
            st.integers(0, 15),
            st.integers(0, 5),
            st.integers(0, 20) | st.integers(0, 0xFFFFFFFF),
        )
    ),
)
def test_anyBytes(role: Role, received: list[bytes]) -> None:
    """
    Whatever a peer sends, and whatever is done with it: nothing but a violation
    comes of it.
    """
    session = Session(role)
    session.open()
    try:
        for each in received:
            for event in session.receive(each, 0.0):
                if isinstance(event, Received):
                    session.consumed(event.stream, len(event.data), 0.0)
                    session.write(event.stream, event.data)
                elif isinstance(event, Finished):
                    session.finish(event.stream)
            sent(session)
    except ProtocolViolation:
        pass


# Floods.


@pytest.mark.parametrize(
    "frameOf",
    [
        pytest.param(lambda n: ping(SYN, n), id="pings"),
        pytest.param(lambda n: update(2 * n + 2, 0, SYN), id="refused streams"),
    ],
)
def test_floodOfAnswers(frameOf: Callable[[int], bytes]) -> None:
    """
    A peer that makes us answer but takes no answer is cut off.
    """
    session = dialer(controlFrames=50, remoteStreams=0)
    for n in range(50):
        heard(session, frameOf(n))
    with pytest.raises(ProtocolViolation, match="50 answers wait"):
        heard(session, frameOf(50))
    assert len(sent(session)) == 50


def test_answersTaken() -> None:
    """
    One that takes its answers may go on.
    """
    session = dialer(controlFrames=50)
    for n in range(51):
        heard(session, ping(SYN, n))
        assert sent(session) == [Header(PING, ACK, 0, n)]


def test_rapidReset() -> None:
    """
    A peer that opens streams and resets them leaves nothing with us, written to
    or not.
    """
    session = dialer()
    for id in range(2, 20_002, 2):
        heard(session, data(id, b"x", SYN))
        session.write(id, b"x")
        heard(session, update(id, flags=RST))
    assert session.live == 0
    assert sent(session) == []


def test_rapidRefusal() -> None:
    """
    A peer that opens streams which we reset, and takes no answer, is cut off.
    """
    session = dialer(controlFrames=50)
    for id in range(2, 102, 2):
        heard(session, update(id, flags=SYN))
        session.reset(id)
    with pytest.raises(ProtocolViolation, match="50 answers wait"):
        heard(session, update(102, flags=SYN))


@pytest.mark.parametrize(
    "frame", [data(2), update(2), update(2, 1)], ids=["empty", "no window", "window"]
)
def test_emptyFrames(frame: bytes) -> None:
    """
    Frames that say little make no events and queue nothing.
    """
    session = withTheirs()
    assert heard(session, *[frame] * 5000) == []
    assert sent(session) == []
