"""
Tests for L{punch.link.sequencing}: what it does, case by case.  (Whether bytes can get
lost is what the model looks for, C{test_sequencing_model}.)
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from punch.errors import Bug, ProtocolViolation
from punch.link.attach import Attach, Attached
from punch.link.records import MAXIMUM_DATA, Control, Type, decodeOffset, encodeOffset
from punch.link.sendbuffer import CLOSE, DEFAULT_LIMITS
from punch.link.sequencing import Sequencing, Stale
from punch.role import Role

LINK = bytes(range(16))
SECRET = b"secret"
NOW = 100.0
INTERVAL = DEFAULT_LIMITS.interval
EARLY = DEFAULT_LIMITS.early


def newSides() -> tuple[Sequencing, Sequencing]:
    """
    Dialer and listener of a link that has no path yet.
    """
    return (
        Sequencing(Role.DIALER, LINK, SECRET),
        Sequencing(Role.LISTENER, LINK, SECRET),
    )


def joined(dialer: Sequencing, listener: Sequencing) -> int:
    """
    Attach a path; its generation.
    """
    generation, asked = dialer.attach(b"binding")
    assert listener.attachReceived(asked, b"binding")[0] == generation
    return generation


def attached(dialer: Sequencing, listener: Sequencing) -> int:
    """
    Attach a path and hear the answer; its generation.
    """
    generation, asked = dialer.attach(b"binding")
    _, answer = listener.attachReceived(asked, b"binding")
    assert dialer.attachedReceived(generation, answer, b"binding")
    return generation


def linked() -> tuple[Sequencing, Sequencing]:
    """
    Dialer and listener on a first path.
    """
    dialer, listener = newSides()
    assert attached(dialer, listener) == 1
    return dialer, listener


def acknowledge(taker: Sequencing, giver: Sequencing, generation: int) -> None:
    """
    One takes all that it received, and the other hears of it.
    """
    taker.taken(taker.received - decodeOffset(taker.acknowledgment()))
    giver.ackReceived(generation, taker.acknowledgment(), NOW)


def unacknowledged(giver: Sequencing) -> int:
    """
    The units that one has sent, and whose arrival it has not heard of.
    """
    return giver.sendBuffer.sent - giver.sendBuffer.acknowledged


def test_first() -> None:
    """
    The dialer sends on the first path at once, the listener when it hears of it.
    """
    dialer, listener = newSides()
    assert dialer.current is listener.current is None
    dialer.sendBuffer.write([b"hello"])
    listener.sendBuffer.write([b"welcome"])
    assert dialer.nextPiece() is listener.nextPiece() is None
    generation, asked = dialer.attach(b"binding")
    assert dialer.current == generation == 1
    assert dialer.nextPiece() == [b"hello"]
    number, answer = listener.attachReceived(asked, b"binding")
    assert listener.current == number == 1
    assert listener.nextPiece() == [b"welcome"]
    assert listener.dataReceived(1, b"hello") == b"hello"
    assert dialer.attachedReceived(1, answer, b"binding")
    assert dialer.dataReceived(1, b"welcome") == b"welcome"
    assert dialer.sendBuffer.cursor == 5
    assert listener.sendBuffer.cursor == 7


def test_later() -> None:
    """
    Until a later path's ATTACHED comes, the dialer stays on the one before it; the
    listener changes at once.
    """
    dialer, listener = linked()
    generation, asked = dialer.attach(b"next")
    dialer.sendBuffer.write([b"still"])
    assert dialer.current == 1
    assert dialer.nextPiece() == [b"still"]
    _, answer = listener.attachReceived(asked, b"next")
    assert listener.current == 2
    assert listener.dataReceived(1, b"still") == b"still"
    assert dialer.attachedReceived(generation, answer, b"next")
    assert dialer.current == 2
    assert dialer.nextPiece() == [b"still"]
    assert listener.dataReceived(2, b"st") == b""
    assert listener.dataReceived(2, b"ill, ") == b", "


def test_resumed() -> None:
    """
    What died with a path is sent again, and only that.
    """
    dialer, listener = linked()
    for text in (b"one", b"two", b"three"):
        dialer.sendBuffer.write([text])
        assert dialer.nextPiece() == [text]
    listener.dataReceived(1, b"onet")
    assert dialer.pathLost(1) == listener.pathLost(1) == []
    assert dialer.current is listener.current is None
    dialer.sendBuffer.write([b"four"])
    assert dialer.nextPiece() is None
    assert dialer.sendBuffer.cursor == 11
    assert attached(dialer, listener) == 2
    pieces = [dialer.nextPiece(), dialer.nextPiece()]
    assert pieces == [[b"wothree"], [b"four"]]
    assert dialer.nextPiece() is None
    assert dialer.sendBuffer.cursor == 15


def test_acknowledgedAhead() -> None:
    """
    An acknowledgment may come before an ATTACH that was sent before it: the
    listener, who has nothing of that any more, says where it begins.
    """
    dialer, listener = linked()
    listener.sendBuffer.write([b"0123456789"])
    listener.nextPiece()
    assert dialer.dataReceived(1, b"0123") == b"0123"
    generation, asked = dialer.attach(b"next")
    assert Attach.verified(asked, SECRET, b"next").received == 4
    assert dialer.dataReceived(1, b"4567") == b"4567"
    dialer.taken(7)
    listener.ackReceived(1, dialer.acknowledgment(), NOW)
    _, answer = listener.attachReceived(asked, b"next")
    said = Attached.verified(answer, SECRET, b"next", LINK)
    assert said == Attached(2, received=0, sent=10, start=7)
    assert listener.nextPiece() == [b"789"]
    assert dialer.attachedReceived(generation, answer, b"next")
    assert dialer.dataReceived(2, b"789") == b"89"


def test_superseded() -> None:
    """
    Of several paths only the newest counts; the dialer is told to drop the others,
    the listener too.
    """
    dialer, listener = linked()
    second, asked2 = dialer.attach(b"second")
    third, asked3 = dialer.attach(b"third")
    fourth, asked4 = dialer.attach(b"fourth")
    _, answer2 = listener.attachReceived(asked2, b"second")
    _, answer4 = listener.attachReceived(asked4, b"fourth")
    with pytest.raises(Stale):
        listener.attachReceived(asked3, b"third")
    assert listener.current == fourth
    assert not dialer.attachedReceived(second, answer2, b"second")
    assert dialer.current == 1
    assert dialer.attachedReceived(fourth, answer4, b"fourth")
    assert dialer.current == fourth
    assert dialer.pathLost(third) == []


def test_firstAnsweredLate() -> None:
    """
    The first path's ATTACHED counts while that is current, even if others were
    asked for since.
    """
    dialer, listener = newSides()
    first, asked = dialer.attach(b"first")
    _, answer = listener.attachReceived(asked, b"first")
    second, asked2 = dialer.attach(b"second")
    _, answer2 = listener.attachReceived(asked2, b"second")
    assert dialer.attachedReceived(first, answer, b"first")
    assert dialer.attachedReceived(second, answer2, b"second")
    assert dialer.current == second


def test_firstOvertaken() -> None:
    """
    The first path's ATTACHED is dropped if a later path is attached already.
    """
    dialer, listener = newSides()
    first, asked = dialer.attach(b"first")
    _, answer = listener.attachReceived(asked, b"first")
    assert attached(dialer, listener) == 2
    assert not dialer.attachedReceived(first, answer, b"first")
    assert dialer.current == 2
    with pytest.raises(ProtocolViolation, match="not attached"):
        dialer.dataReceived(first, b"data")


def test_drained() -> None:
    """
    The dialer may end an older path when nothing is missing of what either side
    sent on it; so it is said once for each.
    """
    dialer, listener = linked()
    dialer.sendBuffer.write([b"from the dialer"])
    listener.sendBuffer.write([b"from the listener"])
    dialer.nextPiece()
    listener.nextPiece()
    attached(dialer, listener)
    assert dialer.drained == []
    listener.dataReceived(1, b"from the dialer")
    acknowledge(listener, dialer, 2)
    assert dialer.drained == []
    dialer.dataReceived(1, b"from the listene")
    assert dialer.drained == []
    dialer.dataReceived(2, b"from the listener")
    assert dialer.drained == [1]
    assert listener.drained == []
    assert dialer.pathLost(1) == []
    assert dialer.drained == []
    assert dialer.current == 2


def test_drainedAcknowledged() -> None:
    """
    That it arrived is not enough: it has to be acknowledged.
    """
    dialer, listener = linked()
    dialer.sendBuffer.write([b"data"])
    dialer.nextPiece()
    listener.dataReceived(1, b"data")
    attached(dialer, listener)
    assert dialer.drained == []
    acknowledge(listener, dialer, 2)
    assert dialer.drained == [1]


def test_olderEnd() -> None:
    """
    Who loses its current path ends the older ones, so that the other side, which
    may be on one of them still, looks for another.
    """
    dialer, listener = linked()
    joined(dialer, listener)
    joined(dialer, listener)
    assert listener.pathLost(2) == []
    assert listener.pathLost(3) == [1]
    assert listener.current is None
    assert listener.pathLost(1) == []
    assert dialer.current == 1
    assert dialer.pathLost(3) == []
    assert dialer.current == 1
    assert dialer.pathLost(1) == []
    assert dialer.current is None


def test_acknowledging() -> None:
    """
    The peer is told at once of much, and soon of anything.
    """
    dialer, _ = linked()
    dialer.dataReceived(1, bytes(2 * INTERVAL))
    assert not dialer.isAckOwed
    dialer.taken(INTERVAL - 1)
    assert dialer.isAckOwed
    assert not dialer.isAckDue
    dialer.taken(1)
    assert dialer.isAckDue
    assert dialer.acknowledgment() == encodeOffset(INTERVAL)
    assert not dialer.isAckOwed
    assert not dialer.isAckDue


def test_acknowledgingEnd() -> None:
    """
    The peer is told at once that all was taken.
    """
    dialer, _ = linked()
    dialer.dataReceived(1, b"data")
    assert dialer.closeReceived(1)
    dialer.taken(4)
    assert not dialer.isAckDue
    dialer.taken(1)
    assert dialer.isAckDue
    assert dialer.acknowledgment() == encodeOffset(5)
    assert not dialer.isAckDue


@pytest.mark.parametrize("role", Role)
def test_acknowledgingAgain(role: Role) -> None:
    """
    What was told may have been lost with its path: on a new one it is told again.
    """
    dialer, listener = linked()
    sides = {Role.DIALER: dialer, Role.LISTENER: listener}
    taker, giver = sides[role], sides[role.other]
    giver.sendBuffer.write([b"data"])
    giver.nextPiece()
    taker.dataReceived(1, b"data")
    taker.taken(4)
    taker.acknowledgment()
    dialer.pathLost(1)
    listener.pathLost(1)
    assert not taker.isAckOwed
    attached(dialer, listener)
    assert taker.isAckDue
    assert not giver.isAckOwed
    assert taker.acknowledgment() == encodeOffset(4)
    assert not taker.isAckOwed


def test_acknowledgingNowhere() -> None:
    """
    While there is no path, nothing is to be told.
    """
    dialer, _ = linked()
    dialer.dataReceived(1, bytes(INTERVAL))
    dialer.pathLost(1)
    dialer.taken(INTERVAL)
    assert dialer.isAckOwed
    assert not dialer.isAckDue


def test_acknowledgingEarly() -> None:
    """
    While an older path lives, what it brings is told of sooner: the peer need not
    send it again on the new one.
    """
    dialer, listener = linked()
    attached(dialer, listener)
    dialer.dataReceived(1, bytes(INTERVAL))
    dialer.taken(EARLY - 1)
    assert not dialer.isAckDue
    dialer.taken(1)
    assert dialer.isAckDue
    assert dialer.acknowledgment() == encodeOffset(EARLY)
    dialer.pathLost(1)
    dialer.taken(INTERVAL - EARLY - 1)
    assert not dialer.isAckDue


@pytest.mark.parametrize("role", Role)
def test_skip(role: Role) -> None:
    """
    What the older path brought is not sent on the new one again.
    """
    dialer, listener = linked()
    sides = {Role.DIALER: dialer, Role.LISTENER: listener}
    taker, giver = sides[role], sides[role.other]
    text = bytes(range(200)) * 500
    giver.sendBuffer.write([text[:9], text[9:]])
    assert isinstance(giver.nextPiece(), list)
    attached(dialer, listener)
    assert taker.dataReceived(1, text[:70_000]) == text[:70_000]
    taker.taken(60_000)
    giver.ackReceived(1, taker.acknowledgment(), NOW)
    skip = giver.nextPiece()
    assert isinstance(skip, Control)
    assert skip == Control(Type.SKIP, encodeOffset(60_000))
    taker.skipReceived(2, skip.payload)
    piece = giver.nextPiece()
    assert isinstance(piece, list)
    rest = b"".join(piece)
    assert rest == text[60_000:]
    assert taker.dataReceived(2, rest) == text[70_000:]
    # The older one is where it was.
    assert taker.dataReceived(1, text[70_000:]) == b""


def test_skipEnd() -> None:
    """
    CLOSE, too, can be left out, and comes no more then.
    """
    dialer, listener = linked()
    joined(dialer, listener)
    listener.dataReceived(1, b"data")
    listener.closeReceived(1)
    listener.taken(5)
    assert listener.acknowledgment() == encodeOffset(5)
    listener.skipReceived(2, encodeOffset(4))
    assert not listener.closeReceived(2)
    listener.skipReceived(2, encodeOffset(5))
    with pytest.raises(ProtocolViolation, match="CLOSE in another place"):
        listener.closeReceived(2)


@pytest.mark.parametrize("offset", [1, 8, 10])
def test_skipWrong(offset: int) -> None:
    """
    A path never goes back, nor beyond what was told to have been taken, even if
    that was taken, or has arrived.
    """
    dialer, listener = linked()
    joined(dialer, listener)
    listener.dataReceived(2, b"01")
    listener.dataReceived(1, b"0123456789")
    listener.taken(7)
    listener.acknowledgment()
    listener.taken(1)
    with pytest.raises(ProtocolViolation, match=f"SKIP from 2 to {offset}"):
        listener.skipReceived(2, encodeOffset(offset))
    listener.skipReceived(2, encodeOffset(2))
    listener.skipReceived(2, encodeOffset(7))
    assert listener.dataReceived(2, b"789ab") == b"ab"


def test_pong() -> None:
    """
    PONG acknowledges, too; but not on an older path, where it could be quicker than
    the ATTACHED before it.
    """
    dialer, listener = linked()
    listener.dataReceived(1, b"data")
    listener.taken(4)
    assert listener.pong(1) == encodeOffset(4)
    assert not listener.isAckOwed
    joined(dialer, listener)
    listener.dataReceived(1, b"more")
    listener.taken(4)
    assert listener.pong(1) == encodeOffset(0)
    assert listener.isAckOwed
    assert listener.pong(2) == encodeOffset(8)
    assert not listener.isAckOwed


def test_complete() -> None:
    """
    Complete is who knows that both ends were taken, and has said so of its part.
    """
    dialer, listener = linked()
    dialer.sendBuffer.finish()
    listener.sendBuffer.finish()
    assert dialer.nextPiece() is listener.nextPiece() is CLOSE
    assert dialer.closeReceived(1)
    assert listener.closeReceived(1)
    dialer.taken(1)
    listener.taken(1)
    listener.ackReceived(1, dialer.acknowledgment(), NOW)
    assert not listener.isComplete
    dialer.ackReceived(1, listener.acknowledgment(), NOW)
    assert listener.isComplete
    assert dialer.isComplete


def test_halfComplete() -> None:
    """
    One direction that has ended is not enough, whichever.
    """
    dialer, listener = linked()
    dialer.sendBuffer.finish()
    dialer.nextPiece()
    listener.closeReceived(1)
    acknowledge(listener, dialer, 1)
    assert not dialer.isComplete
    assert not listener.isComplete


def test_closeAgain() -> None:
    """
    CLOSE that comes on two paths is heard once.
    """
    dialer, listener = linked()
    dialer.sendBuffer.write([b"data"])
    dialer.sendBuffer.finish()
    assert dialer.nextPiece() == [b"data"]
    assert dialer.nextPiece() is CLOSE
    attached(dialer, listener)
    assert dialer.nextPiece() == [b"data"]
    assert dialer.nextPiece() is CLOSE
    assert listener.dataReceived(2, b"data") == b"data"
    assert listener.closeReceived(2)
    assert listener.dataReceived(1, b"data") == b""
    assert not listener.closeReceived(1)
    assert listener.received == 5


def close(listener: Sequencing) -> None:
    """
    C{"data"} and CLOSE on the second path.
    """
    listener.dataReceived(2, b"data")
    listener.closeReceived(2)


@pytest.mark.parametrize(
    ("misbehave", "said"),
    [
        (lambda side: side.dataReceived(2, b"x"), "DATA after CLOSE"),
        (lambda side: side.closeReceived(2), "CLOSE in another place"),
        (lambda side: side.dataReceived(1, b"data+"), "DATA after CLOSE"),
        (lambda side: side.dataReceived(1, b"data++"), "DATA after CLOSE"),
        (lambda side: side.closeReceived(1), "CLOSE in another place"),
    ],
)
def test_endElsewhere(misbehave: Callable[[Sequencing], object], said: str) -> None:
    """
    The end is where it is, on every path.
    """
    dialer, listener = linked()
    joined(dialer, listener)
    close(listener)
    with pytest.raises(ProtocolViolation, match=said):
        misbehave(listener)
    assert listener.received == 5


def test_endEarlier() -> None:
    """
    An ATTACHED cannot begin before what ATTACH named as received.
    """
    dialer, listener = linked()
    joined(dialer, listener)
    listener.dataReceived(2, b"data")
    with pytest.raises(ProtocolViolation, match="CLOSE in another place"):
        listener.closeReceived(1)
    assert listener.dataReceived(2, b"more") == b"more"


def test_held() -> None:
    """
    A peer that sends far more than it may is stopped.
    """
    _, listener = linked()
    megabyte = bytes(MAXIMUM_DATA)
    for _ in range((DEFAULT_LIMITS.maximum >> 20) + 1):
        listener.dataReceived(1, megabyte)
    with pytest.raises(ProtocolViolation, match="17825793 bytes sent ahead"):
        listener.dataReceived(1, b"x")
    listener.taken(1)
    assert listener.dataReceived(1, b"x") == b"x"


def test_notArrived() -> None:
    """
    What has not arrived cannot be taken.
    """
    dialer, _ = linked()
    dialer.dataReceived(1, b"data")
    with pytest.raises(Bug):
        dialer.taken(5)


@pytest.mark.parametrize(
    "use",
    [
        lambda side, path: side.dataReceived(path, b"data"),
        lambda side, path: side.closeReceived(path),
        lambda side, path: side.ackReceived(path, encodeOffset(0), NOW),
        lambda side, path: side.skipReceived(path, encodeOffset(0)),
    ],
)
def test_notAttached(use: Callable[[Sequencing, int], object]) -> None:
    """
    Before its ATTACHED nothing comes on a path, and after its end neither.
    """
    dialer, _ = newSides()
    generation, _ = dialer.attach(b"binding")
    with pytest.raises(ProtocolViolation, match="not attached"):
        use(dialer, generation)
    dialer, _ = linked()
    dialer.pathLost(1)
    with pytest.raises(ProtocolViolation, match="not attached"):
        use(dialer, 1)


def test_acknowledgedNothing() -> None:
    """
    An acknowledgment must be one, and of what was sent.
    """
    dialer, _ = linked()
    with pytest.raises(ProtocolViolation, match="an ACK of 1"):
        dialer.ackReceived(1, encodeOffset(1), NOW)
    with pytest.raises(ProtocolViolation, match="an offset of 0 bytes"):
        dialer.ackReceived(1, b"", NOW)


@pytest.mark.parametrize(
    ("attach", "secret", "said"),
    [
        (Attach(LINK, 2, 0), b"other", "wrong proof"),
        (Attach(bytes(16), 2, 0), SECRET, "another link"),
        (Attach(LINK, 2, 5), SECRET, "from 5, not 0 to 4"),
    ],
)
def test_badAttach(attach: Attach, secret: bytes, said: str) -> None:
    """
    An ATTACH that cannot be leaves the link as it is.
    """
    dialer, listener = linked()
    listener.sendBuffer.write([b"data"])
    listener.nextPiece()
    with pytest.raises(ProtocolViolation, match=said):
        listener.attachReceived(attach.toBytes(secret, b"binding"), b"binding")
    assert listener.current == 1
    assert unacknowledged(listener) == 4
    assert attached(dialer, listener) == 2


def test_noGeneration() -> None:
    """
    Generations begin with 1.
    """
    _, listener = newSides()
    with pytest.raises(Stale):
        listener.attachReceived(Attach(LINK, 0, 0).toBytes(SECRET, b""), b"")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Attached(1, 0, 8, 4), "not asked for"),
        (Attached(3, 0, 8, 4), "not asked for"),
        (Attached(2, 5, 8, 4), "from 5, not 0 to 4"),
        (Attached(2, 0, 8, 3), "from 3 to 8 of the 6 received"),
        (Attached(2, 0, 8, 7), "from 7 to 8 of the 6 received"),
        (Attached(2, 0, 5, 4), "from 4 to 5 of the 6 received"),
    ],
)
def test_badAttached(answer: Attached, said: str) -> None:
    """
    An ATTACHED that cannot be leaves the link as it is.
    """
    dialer, _ = linked()
    dialer.sendBuffer.write([b"data"])
    dialer.nextPiece()
    dialer.dataReceived(1, b"abcd")
    dialer.attach(b"next")
    dialer.dataReceived(1, b"ef")
    with pytest.raises(ProtocolViolation, match=said):
        dialer.attachedReceived(2, answer.toBytes(SECRET, b"next", LINK), b"next")
    assert dialer.current == 1
    assert unacknowledged(dialer) == 4
    right = Attached(2, 4, 8, 5).toBytes(SECRET, b"next", LINK)
    assert dialer.attachedReceived(2, right, b"next")
    assert dialer.dataReceived(2, b"fg") == b"g"
    with pytest.raises(ProtocolViolation, match="not asked for"):
        dialer.attachedReceived(2, right, b"next")


def test_badFirst() -> None:
    """
    Before the first path nothing can have been received.
    """
    dialer, _ = newSides()
    dialer.attach(b"")
    dialer.sendBuffer.write([b"data"])
    dialer.nextPiece()
    answer = Attached(1, 4, 0, 0).toBytes(SECRET, b"", LINK)
    with pytest.raises(ProtocolViolation, match="more than the link's beginning"):
        dialer.attachedReceived(1, answer, b"")


def test_measured() -> None:
    """
    The least of a path's round trips counts, and no other path's.
    """
    dialer, listener = linked()
    for seconds in (0.3, 0.1, 0.2):
        dialer.measured(seconds)
    assert dialer.roundTrip == 0.1
    attached(dialer, listener)
    assert dialer.roundTrip is None
    dialer.measured(0.5)
    assert dialer.roundTrip == 0.5
    dialer.pathLost(2)
    assert dialer.roundTrip is None


def test_full() -> None:
    """
    Nobody need write more than may be under way; more of that comes with the pace.
    """
    dialer, _ = linked()
    dialer.measured(0.1)
    for _ in range(3):
        while not dialer.sendBuffer.isFull:
            dialer.sendBuffer.write([bytes(1 << 16), b""])
        while dialer.nextPiece() is not None:
            pass
        offset = dialer.sendBuffer.acknowledged + DEFAULT_LIMITS.initial // 2
        dialer.ackReceived(1, encodeOffset(offset), NOW)
    while not dialer.sendBuffer.isFull:
        dialer.sendBuffer.write([bytes(1 << 16), b""])
    while dialer.nextPiece() is not None:
        pass
    assert unacknowledged(dialer) == 2 * DEFAULT_LIMITS.initial
