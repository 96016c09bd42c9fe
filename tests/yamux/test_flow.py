"""
Tests for L{punch.yamux.session}: windows, turns, and going away.
"""

from __future__ import annotations

import pytest

from punch.yamux.errors import GoneAway
from punch.yamux.events import (
    Drained,
    Opened,
    Received,
    WentAway,
)
from punch.yamux.frames import (
    ACK,
    DATA,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Header,
    encode,
)
from punch.yamux.roundtrip import PERIOD
from punch.yamux.session import MAX_FRAME_DATA, Session
from punch.yamux.stream import HIGH_MARK
from punch.yamux.window import INITIAL_WINDOW
from tests.yamux.wire import (
    data,
    dialer,
    flush,
    heard,
    ping,
    sent,
    update,
    withOurs,
    withTheirs,
)

HALF = INITIAL_WINDOW // 2


# Windows and the round trip.


def test_windowUpdate() -> None:
    """
    At half of a window consumed, and not before, it is given back, in one update
    however often it was consumed.
    """
    session = withTheirs()
    heard(session, data(2, bytes(INITIAL_WINDOW)))
    session.consumed(2, HALF - 1, 0.0)
    assert sent(session) == [Header(PING, SYN, 0, 1)]
    assert sent(session) == []
    session.consumed(2, 1, 0.0)
    session.consumed(2, HALF, 0.0)
    assert sent(session) == [Header(WINDOW_UPDATE, 0, 2, INITIAL_WINDOW)]
    heard(session, data(2, bytes(INITIAL_WINDOW)))


def test_sentWithinTheWindow() -> None:
    """
    No more goes out than the peer's window, and then what it adds.
    """
    session = withOurs()
    session.write(1, bytes(INITIAL_WINDOW + 10))
    pieces = sent(session)
    assert sum(len(each) for each in pieces if type(each) is bytes) == INITIAL_WINDOW
    heard(session, update(1, 3))
    assert sent(session) == [Header(DATA, 0, 1, 3), bytes(3)]
    assert session.queued(1) == 7


def pinged(session: Session, start: float, lasted: float) -> None:
    """
    A window moves, and the ping that goes with it is answered.
    """
    heard(session, data(2, bytes(HALF)), now=start)
    session.consumed(2, HALF, start)
    frames = sent(session, start)
    [value] = [h.length for h in frames if isinstance(h, Header) and h.type == PING]
    heard(session, ping(ACK, value), now=start + lasted)


def test_roundTrip() -> None:
    """
    The session measures the round trip with a ping of its own as windows move.
    """
    session = withTheirs()
    assert session.roundTrip is None
    pinged(session, 10.0, 0.25)
    assert session.roundTrip == 0.25
    pinged(session, 10.0 + PERIOD, 0.5)
    assert session.roundTrip == 0.25


def test_fewPings() -> None:
    """
    There is one ping a period at most, and none while no window update is due.
    """
    session = withTheirs()
    assert sent(session, 100.0) == []
    pinged(session, 100.0, 0.1)
    heard(session, data(2, bytes(INITIAL_WINDOW)), now=101.0)
    session.consumed(2, INITIAL_WINDOW, 101.0)
    [update] = sent(session, 101.0)
    assert isinstance(update, Header)
    assert update.type == WINDOW_UPDATE
    heard(session, data(2, b"x"), now=200.0)
    session.consumed(2, 1, 200.0)
    assert sent(session, 200.0) == []


def test_windowGrows() -> None:
    """
    A window that is the bottleneck doubles: the update gives more than was
    consumed, and the peer may use it.
    """
    session = withTheirs()
    pinged(session, 0.0, 0.1)
    granted = []
    for now in (0.12, 0.14):
        heard(session, data(2, bytes(HALF)), now=now)
        session.consumed(2, HALF, now)
        granted += [h.length for h in sent(session, now) if isinstance(h, Header)]
    assert granted == [HALF, HALF + INITIAL_WINDOW]
    heard(session, data(2, bytes(2 * INITIAL_WINDOW)))


def test_growthOfTheOver() -> None:
    """
    What a stream's window had grown by is free again when it is over.
    """
    session = dialer(windowGrowth=INITIAL_WINDOW)
    for id in (2, 4):
        heard(session, update(id, flags=SYN))
        flush(session)
        if id == 2:
            pinged(session, 0.0, 0.1)
        for _ in range(6):
            heard(session, data(id, bytes(HALF)), now=0.2)
            session.consumed(id, HALF, 0.2)
        flush(session)
        heard(session, data(id, bytes(2 * INITIAL_WINDOW), RST))


# Turns.


def streamsOf(frames: list[Header | bytes]) -> list[int]:
    """
    Whose frames these are.
    """
    return [each.stream for each in frames if isinstance(each, Header)]


def test_turns() -> None:
    """
    Streams are served in turn, a piece each; a small write waits for one piece
    of each busy stream.
    """
    session = dialer()
    busy = [session.open() for _ in range(3)]
    small = session.open()
    flush(session)
    for id in busy:
        session.write(id, bytes(3 * MAX_FRAME_DATA))
    assert session.nextFrames(0.0) is not None
    session.write(small, b"x")
    assert streamsOf(sent(session)) == [3, 5, 1, 7, 3, 5, 1, 3, 5]


def test_controlFirst() -> None:
    """
    Control frames go ahead of data, all at once.
    """
    session = withOurs()
    session.write(1, b"data")
    heard(session, ping(SYN, 5), ping(SYN, 6), update(2, flags=SYN))
    session.goAway()
    piece = session.nextFrames(0.0)
    assert piece == [
        encode(PING, ACK, 0, 5),
        encode(PING, ACK, 0, 6),
        encode(GO_AWAY, 0, 0, 0),
        encode(WINDOW_UPDATE, ACK, 2, 0),
    ]
    assert session.nextFrames(0.0) == [encode(DATA, 0, 1, 4), b"data"]
    assert session.nextFrames(0.0) is None


def test_smallWritesShareAFrame() -> None:
    """
    What was written piecemeal goes out in one frame.
    """
    session = withOurs()
    for each in (b"a", b"bc", b"", b"d"):
        session.write(1, each)
    assert sent(session) == [Header(DATA, 0, 1, 4), b"abcd"]


def test_drained() -> None:
    """
    A writer that filled its queue hears when it has drained.
    """
    session = withOurs()
    session.write(1, bytes(HIGH_MARK + 1))
    assert session.takeEvents() == []
    flush(session)
    assert session.takeEvents() == [Drained(1)]
    assert session.takeEvents() == []


def test_eventsOfSending() -> None:
    """
    What sending made happen also comes with the next bytes received.
    """
    session = withOurs()
    session.write(1, bytes(HIGH_MARK + 1))
    flush(session)
    assert heard(session, data(1, b"x")) == [Drained(1), Received(1, b"x")]


# Going away.


def test_goAway() -> None:
    """
    After our go-away, said once, the peer's new streams are refused and we open
    none; those that live go on.
    """
    session = withTheirs()
    session.goAway()
    session.goAway()
    assert sent(session) == [Header(GO_AWAY, 0, 0, 0)]
    assert heard(session, data(4, b"x", SYN), data(2, b"y")) == [Received(2, b"y")]
    assert sent(session) == [Header(WINDOW_UPDATE, RST, 4, 0)]
    with pytest.raises(GoneAway):
        session.open()


@pytest.mark.parametrize("code", [0, 1, 2, 4101])
def test_wentAway(code: int) -> None:
    """
    After the peer's go-away we open no stream, whatever its code; those that
    live go on, and the peer may open more.
    """
    session = withOurs()
    away = encode(GO_AWAY, 0, 0, code)
    assert heard(session, away, away) == [WentAway(code)]
    with pytest.raises(GoneAway):
        session.open()
    session.write(1, b"x")
    assert sent(session) == [Header(DATA, 0, 1, 1), b"x"]
    assert heard(session, update(2, flags=SYN)) == [Opened(2)]
