"""
Tests for L{punch.yamux.session}: how streams begin and end, the peer played by hand.
"""

from __future__ import annotations

import pytest

from punch.errors import Bug
from punch.yamux.errors import CannotOpen, StreamLimitReached
from punch.yamux.events import (
    Completed,
    Drained,
    Event,
    Finished,
    Opened,
    Received,
    Reset,
)
from punch.yamux.frames import (
    ACK,
    DATA,
    FIN,
    RST,
    SYN,
    WINDOW_UPDATE,
    Header,
)
from punch.yamux.window import INITIAL_WINDOW
from tests.yamux.wire import (
    data,
    dialer,
    flush,
    heard,
    sent,
    update,
    withOurs,
    withTheirs,
)

HALF = INITIAL_WINDOW // 2


# Opening.


@pytest.mark.parametrize(
    ("frame", "events"),
    [
        (update(2, flags=SYN), [Opened(2)]),
        (data(2, b"", SYN), [Opened(2)]),
        (data(2, b"hello", SYN), [Opened(2), Received(2, b"hello")]),
        (data(2, b"all", SYN | FIN), [Opened(2), Received(2, b"all"), Finished(2)]),
        (update(2, flags=SYN | FIN), [Opened(2), Finished(2)]),
        (data(2, b"", SYN | FIN), [Opened(2), Finished(2)]),
    ],
)
def test_accept(frame: bytes, events: list[Event]) -> None:
    """
    SYN may come on either kind of frame, with data and FIN or without, and is
    acknowledged at once.
    """
    session = dialer()
    assert heard(session, frame) == events
    assert sent(session) == [Header(WINDOW_UPDATE, ACK, 2, 0)]


def test_acceptWithWindow() -> None:
    """
    A SYN's window update counts.
    """
    session = dialer()
    heard(session, update(2, 10, SYN))
    session.write(2, bytes(INITIAL_WINDOW + 20))
    flush(session)
    assert session.queued(2) == 10


def test_acceptBeforeData() -> None:
    """
    The acknowledgment goes ahead of what we write on the stream.
    """
    session = dialer()
    heard(session, update(2, flags=SYN))
    session.write(2, b"welcome")
    assert sent(session) == [
        Header(WINDOW_UPDATE, ACK, 2, 0),
        Header(DATA, 0, 2, 7),
        b"welcome",
    ]


@pytest.mark.parametrize(
    ("written", "finish", "frames"),
    [
        (b"", False, [Header(WINDOW_UPDATE, SYN, 1, 0)]),
        (b"name", False, [Header(DATA, SYN, 1, 4), b"name"]),
        (b"name", True, [Header(DATA, SYN | FIN, 1, 4), b"name"]),
        (b"", True, [Header(WINDOW_UPDATE, SYN | FIN, 1, 0)]),
    ],
)
def test_open(written: bytes, finish: bool, frames: list[Header | bytes]) -> None:
    """
    SYN goes with the first data where there is some, and FIN with the last.
    """
    session = dialer()
    id = session.open()
    session.write(id, written)
    if finish:
        session.finish(id)
    assert sent(session) == frames
    assert sent(session) == []


def test_openInOrder() -> None:
    """
    Streams open on the wire in the order of their ids, whichever is written to
    first.
    """
    session = dialer()
    ids = [session.open() for _ in range(4)]
    for id in reversed(ids):
        session.write(id, b"x")
    headers = [each for each in sent(session) if isinstance(each, Header)]
    assert [(each.stream, each.flags) for each in headers] == [(n, SYN) for n in ids]


def test_resetBeforeOpen() -> None:
    """
    A stream that is reset before its SYN went out leaves no trace on the wire.
    """
    session = dialer()
    session.write(session.open(), b"never mind")
    session.reset(1)
    assert sent(session) == []
    assert session.live == 0
    session.open()
    assert sent(session) == [Header(WINDOW_UPDATE, SYN, 3, 0)]


@pytest.mark.parametrize("limits", [{"localStreams": 2}, {"unacknowledged": 2}])
def test_tooManyOfOurs(limits: dict[str, int]) -> None:
    """
    Our own streams are bounded: those that live, and those that wait for ACK.
    """
    session = dialer(**limits)
    session.open()
    session.open()
    with pytest.raises(StreamLimitReached):
        session.open()
    assert session.live == 2


@pytest.mark.parametrize(
    "answer",
    [
        update(1, flags=ACK),
        data(1, b"x", ACK),
        update(1, flags=RST),
        update(1, flags=ACK | RST),
    ],
)
def test_backlog(answer: bytes) -> None:
    """
    ACK or RST on either kind of frame makes room in the backlog.
    """
    session = dialer(unacknowledged=1)
    session.open()
    flush(session)
    with pytest.raises(StreamLimitReached):
        session.open()
    heard(session, answer)
    assert session.open() == 3


def test_backlogByDefault() -> None:
    """
    256 streams may wait for their ACK.
    """
    session = dialer()
    for _ in range(256):
        session.open()
    with pytest.raises(CannotOpen):
        session.open()


def test_tooManyOfTheirs() -> None:
    """
    Streams of the peer's over the limit are reset, their data is skipped, and
    there is room again when one is over.
    """
    session = dialer(remoteStreams=1)
    heard(session, update(2, flags=SYN))
    flush(session)
    assert heard(session, data(4, b"x", SYN), data(4, b"y"), update(4, 5)) == []
    assert sent(session) == [Header(WINDOW_UPDATE, RST, 4, 0)]
    heard(session, update(2, flags=RST))
    assert heard(session, update(6, flags=SYN)) == [Opened(6)]


def test_ourLimitIsOursAlone() -> None:
    """
    The peer's streams do not count as ours, nor ours as the peer's.
    """
    session = dialer(localStreams=1, remoteStreams=1)
    heard(session, update(2, flags=SYN))
    session.open()
    flush(session)
    heard(session, update(1, flags=ACK))
    assert heard(session, update(4, flags=SYN)) == []


# Ends.


def test_halfClosedByPeer() -> None:
    """
    After the peer's FIN we still send, and its window still grows; after ours as
    well the stream is forgotten.
    """
    session = withOurs()
    assert heard(session, data(1, b"bye", FIN)) == [Received(1, b"bye"), Finished(1)]
    session.write(1, bytes(INITIAL_WINDOW + 1))
    flush(session)
    assert heard(session, update(1, 1)) == [Drained(1)]
    session.finish(1)
    assert sent(session) == [Header(DATA, FIN, 1, 1), b"\0"]
    assert session.takeEvents() == [Completed(1)]
    assert session.live == 0


def test_halfClosedByUs() -> None:
    """
    After our FIN we still receive and give window back; after the peer's as well
    the stream is forgotten.
    """
    session = withOurs()
    session.finish(1)
    assert sent(session) == [Header(WINDOW_UPDATE, FIN, 1, 0)]
    assert heard(session, data(1, bytes(HALF))) == [Received(1, bytes(HALF))]
    session.consumed(1, HALF, 0.0)
    assert Header(WINDOW_UPDATE, 0, 1, HALF) in sent(session)
    assert heard(session, update(1, flags=FIN)) == [Finished(1), Completed(1)]
    assert session.live == 0


def test_finishBehindTheWindow() -> None:
    """
    FIN waits behind data that the window holds back, and goes with the last of
    it.
    """
    session = withOurs()
    session.write(1, bytes(INITIAL_WINDOW + 5))
    session.finish(1)
    session.finish(1)
    headers = [each for each in sent(session) if isinstance(each, Header)]
    assert {each.flags for each in headers} == {0}
    heard(session, update(1, 100))
    assert sent(session) == [Header(DATA, FIN, 1, 5), bytes(5)]


def test_noWindowForTheFinished() -> None:
    """
    Who has finished needs no more window.
    """
    session = withTheirs()
    heard(session, data(2, bytes(INITIAL_WINDOW), FIN))
    session.consumed(2, INITIAL_WINDOW, 0.0)
    assert sent(session) == []


def test_reset() -> None:
    """
    A reset drops what is queued, and the stream.
    """
    session = withOurs()
    session.write(1, b"never")
    session.reset(1)
    assert sent(session) == [Header(WINDOW_UPDATE, RST, 1, 0)]
    assert session.live == 0


@pytest.mark.parametrize("frame", [update(1, 9, RST), data(1, b"x", RST | FIN)])
def test_resetByPeer(frame: bytes) -> None:
    """
    The peer's reset ends both directions at once; nothing is answered.
    """
    session = withOurs()
    session.write(1, b"never")
    session.finish(1)
    assert heard(session, frame) == [Reset(1)]
    assert sent(session) == []
    assert session.live == 0


def test_resetInsideAFrame() -> None:
    """
    When a stream is reset while a frame of it arrives, the rest is skipped, and
    the next stream's frame is read right.
    """
    session = withTheirs()
    frame = data(2, b"abcdef", FIN)
    assert heard(session, frame[:-3]) == [Received(2, b"abc")]
    session.reset(2)
    assert heard(session, frame[-3:-1]) == []
    assert heard(session, frame[-1:], data(4, b"x", SYN)) == [
        Opened(4),
        Received(4, b"x"),
    ]


def test_pieces() -> None:
    """
    Payload is handed on as it arrives; FIN comes when all of it has.
    """
    session = withTheirs()
    frame = data(2, b"abcdef", FIN)
    assert heard(session, frame[:14]) == [Received(2, b"ab")]
    assert heard(session, frame[14:17]) == [Received(2, b"cde")]
    assert heard(session, frame[17:]) == [Received(2, b"f"), Finished(2)]


LATE = [
    data(2, b"x"),
    data(2, b"", FIN),
    data(2, b"x", FIN),
    data(2, bytes(INITIAL_WINDOW)),
    update(2, 7),
    update(2, 0xFFFFFFFF),
    update(2, flags=FIN),
    update(2, flags=RST),
]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("how", ["reset", "reset by peer", "finished", "refused"])
def test_late(how: str, late: bytes) -> None:
    """
    Frames for a stream that is over are ignored, and the next one's accounting
    is untouched by them.
    """
    session = withTheirs()
    if how == "reset":
        session.reset(2)
    elif how == "reset by peer":
        heard(session, update(2, flags=RST))
    elif how == "finished":
        session.finish(2)
        flush(session)
        heard(session, update(2, flags=FIN))
    else:
        session = dialer(remoteStreams=0)
        heard(session, update(2, flags=SYN))
    assert heard(session, late) == []
    assert session.live == 0


@pytest.mark.parametrize("late", [data(1, b"x"), update(1, 7, ACK), update(1, 0, RST)])
def test_lateForOurs(late: bytes) -> None:
    """
    It is the same with a stream of ours that we reset before the ACK came.
    """
    session = dialer()
    session.open()
    flush(session)
    session.reset(1)
    assert heard(session, late) == []
    assert session.live == 0


def test_callsAfterTheEnd() -> None:
    """
    Who has not yet heard of a stream's end may go on calling.
    """
    session = withTheirs()
    heard(session, data(2, b"abc"), update(2, flags=RST))
    session.consumed(2, 3, 0.0)
    session.write(2, b"answer")
    session.finish(2)
    session.reset(2)
    assert session.queued(2) == 0
    assert sent(session) == []


@pytest.mark.parametrize("id", [0, 1, 2])
def test_callsForNoStream(id: int) -> None:
    """
    A call for a stream that never was is our own mistake.
    """
    session = dialer()
    with pytest.raises(Bug, match=f"no stream {id}"):
        session.write(id, b"x")
    with pytest.raises(Bug):
        session.queued(id)


def test_writeAfterFinish() -> None:
    """
    So is a write after the end.
    """
    session = withOurs()
    session.finish(1)
    with pytest.raises(Bug, match="after its end"):
        session.write(1, b"x")
