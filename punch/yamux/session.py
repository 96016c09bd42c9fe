"""
A session: one side's view of all streams on one link.

What the specification leaves open, decided:

  - a SYN is acknowledged at once, with a window update; ours goes with the first
    data if there is some by the stream's first turn, and SYNs go in the order of
    their ids;
  - frames for a stream that is over are ignored, since the peer may not have
    known; for a stream that never was they are a violation;
  - after a go-away, whoever said it, we open none and refuse the peer's if it was
    ours; the streams that live go on;
  - data counts against the window when its header arrives.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from punch.errors import Bug, ProtocolViolation
from punch.role import Role
from punch.yamux.control import Control
from punch.yamux.errors import GoneAway
from punch.yamux.events import (
    Closed,
    Drained,
    Event,
    Finished,
    Opened,
    Received,
    Reset,
    WentAway,
)
from punch.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER_SIZE,
    MAXIMUM_LENGTH,
    PING,
    RST,
    SESSION,
    SYN,
    WINDOW_UPDATE,
    Decoder,
    Header,
    encode,
)
from punch.yamux.limits import DEFAULT_LIMITS, Limits
from punch.yamux.roundtrip import RoundTrip
from punch.yamux.stream import Half, Stream
from punch.yamux.streams import Streams

PIECE: Final = (64 << 10) - HEADER_SIZE - 5
"""
Bytes of data in one frame of ours, at most: what a small write on another stream
may have to wait for.  With the frame's header and that of the link's record it
fills four whole records of TLS.
"""

NORMAL: Final = 0


class Session:
    """
    All streams on one link: calls and bytes in, events and bytes out.

    A call that names a stream which is over does nothing: the caller may not
    have seen the event yet.  One that names a stream which never was is a L{Bug}.
    """

    def __init__(self, role: Role, limits: Limits = DEFAULT_LIMITS) -> None:
        self._longest = limits.window
        self._streams = Streams(role, limits)
        self._leaving = False
        self._peerLeft: int | None = None
        self._roundTrip = RoundTrip()
        self._control = Control(limits.waiting)
        # Who has something to send, in turn: an ordered set.
        self._turns: OrderedDict[int, Stream] = OrderedDict()
        self._events: list[Event] = []
        self._decoder = Decoder()
        # Where the payload goes that now arrives, if anywhere; how much of it is
        # still to come; and whether FIN follows.
        self._target: Stream | None = None
        self._expected = 0
        self._finAfter = False

    # What the application wants.

    @property
    def live(self) -> int:
        """
        How many streams there are.
        """
        return len(self._streams)

    @property
    def roundTrip(self) -> float | None:
        """
        Seconds, the shortest round trip measured; L{None} before the first.
        """
        return self._roundTrip.minimum

    def open(self) -> int:
        """
        Open a stream; it may be written to at once.

        @return: its id.
        @raise CannotOpen: L{GoneAway}, or as L{Streams.open}.
        """
        if self._leaving or self._peerLeft is not None:
            raise GoneAway
        stream = self._streams.open()
        self._turns[stream.id] = stream
        return stream.id

    def write(self, stream: int, data: bytes) -> None:
        """
        Queue bytes.

        @raise Bug: the stream was finished.
        """
        found = self._streams.find(stream)
        if found is None or not data:
            return
        if found.sending is not Half.OPEN:
            raise Bug(f"a write on stream {stream} after its end")
        found.outgoing.put(data)
        self._ready(found)

    def finish(self, stream: int) -> None:
        """
        Send no more than what is queued; receiving goes on.
        """
        found = self._streams.find(stream)
        if found is not None and found.sending is Half.OPEN:
            found.sending = Half.FINISHING
            self._ready(found)

    def reset(self, stream: int) -> None:
        """
        End both directions at once; what is queued is dropped.
        """
        found = self._streams.find(stream)
        if found is None:
            return
        if not found.owed & SYN:
            self._control.put(encode(WINDOW_UPDATE, RST, stream, 0))
        self._forget(found)

    def consumed(self, stream: int, count: int, now: float) -> None:
        """
        The application took C{count} received bytes, so the peer may send as many
        more.

        @raise Bug: so many were not received.
        """
        found = self._streams.find(stream)
        if found is None or found.receiving is not Half.OPEN:
            return
        roundTrip = self._roundTrip.minimum
        grant = found.window.consume(count, now, roundTrip)
        if grant or roundTrip is None:
            self._roundTrip.moving(now)
        if grant:
            found.grant += grant
            self._control.update(found)

    def queued(self, stream: int) -> int:
        """
        Bytes written that were not handed out yet.
        """
        found = self._streams.find(stream)
        return 0 if found is None else found.outgoing.size

    def goAway(self) -> None:
        """
        No new streams, on either side; those that live go on.
        """
        if not self._leaving:
            self._leaving = True
            self._control.put(encode(GO_AWAY, 0, SESSION, NORMAL))

    # What the link does.

    def receive(self, data: bytes, now: float) -> list[Event]:
        """
        Take bytes that arrived.

        @return: what L{takeEvents} would.
        @raise ProtocolViolation: the peer broke the rules; the session is of no
            use then.
        """
        for part in self._decoder.feed(data):
            if type(part) is bytes:
                self._payload(part)
            else:
                assert isinstance(part, Header)
                self._frame(part, now)
        return self.takeEvents()

    def takeEvents(self) -> list[Event]:
        """
        What happened since the last call; L{nextPiece} too makes things happen.
        """
        events = self._events
        if events:
            self._events = []
        return events

    def nextPiece(self, now: float) -> list[bytes] | None:
        """
        The next bytes for the link, for now: all waiting control frames, or else
        one frame of data.

        @return: L{None} if nothing can be sent.
        """
        control = self._control.take()
        if self._roundTrip.wanted:
            control.append(encode(PING, SYN, SESSION, self._roundTrip.ask(now)))
        if control:
            return control
        if not self._turns:
            return None
        _, stream = self._turns.popitem(last=False)
        return self._dataOf(stream)

    # Streams.

    def _forget(self, stream: Stream) -> None:
        """
        The stream is over: nothing of it stays.
        """
        self._streams.remove(stream)
        self._turns.pop(stream.id, None)
        self._control.forget(stream)
        if self._target is stream:
            self._target = None

    def _closeIfOver(self, stream: Stream) -> None:
        if stream.isOver():
            self._forget(stream)
            self._events.append(Closed(stream.id))

    # Sending.

    def _ready(self, stream: Stream) -> None:
        """
        Give the stream its turn if it has something to send; who waits already
        keeps his place.
        """
        if stream.isReady():
            self._turns[stream.id] = stream

    def _dataOf(self, stream: Stream) -> list[bytes]:
        """
        The next frame of a stream whose turn it is.
        """
        flags, stream.owed = stream.owed, 0
        before = stream.outgoing.size
        pieces = stream.outgoing.take(min(PIECE, stream.credit))
        length = before - stream.outgoing.size
        stream.credit -= length
        if stream.sending is Half.FINISHING and not stream.outgoing.size:
            flags |= FIN
            stream.sending = Half.FINISHED
        kind = DATA if length else WINDOW_UPDATE
        self._ready(stream)
        if stream.outgoing.hasDrained():
            self._events.append(Drained(stream.id))
        self._closeIfOver(stream)
        return [encode(kind, flags, stream.id, length), *pieces]

    # Receiving.

    def _payload(self, data: bytes) -> None:
        self._expected -= len(data)
        stream = self._target
        if stream is None:
            return
        self._events.append(Received(stream.id, data))
        if not self._expected:
            self._target = None
            if self._finAfter:
                self._peerFinished(stream)

    def _frame(self, header: Header, now: float) -> None:
        if header.type == PING:
            self._ping(header, now)
        elif header.type == GO_AWAY:
            self._wentAway(header.length)
        else:
            self._streamFrame(header)

    def _ping(self, header: Header, now: float) -> None:
        if header.flags == SYN:
            self._control.checkRoom()
            self._control.put(encode(PING, ACK, SESSION, header.length))
        elif header.flags == ACK:
            self._roundTrip.answered(header.length, now)
        else:
            raise ProtocolViolation(f"a ping with flags {header.flags:#x}")

    def _wentAway(self, code: int) -> None:
        if code != self._peerLeft:
            self._peerLeft = code
            self._events.append(WentAway(code))

    def _streamFrame(self, header: Header) -> None:
        flags = header.flags
        if flags & SYN:
            stream = self._accept(header.stream)
        else:
            stream = self._streams.findForPeer(header.stream)
        if flags & ACK:
            self._streams.acknowledged(header.stream)
        if flags & RST and stream is not None:
            self._forget(stream)
            self._events.append(Reset(stream.id))
            stream = None
        if header.type == DATA:
            self._data(stream, header)
        elif stream is not None:
            self._windowUpdate(stream, header)

    def _accept(self, id: int) -> Stream | None:
        """
        The peer opens a stream; L{None} if we refuse.
        """
        self._control.checkRoom()
        stream = self._streams.accept(id, welcome=not self._leaving)
        if stream is None:
            self._control.put(encode(WINDOW_UPDATE, RST, id, 0))
            return None
        self._control.update(stream)
        self._events.append(Opened(id))
        return stream

    def _data(self, stream: Stream | None, header: Header) -> None:
        """
        A DATA frame begins, for a stream that may be over.
        """
        length = header.length
        self._target, self._expected = stream, length
        self._finAfter = bool(header.flags & FIN)
        if stream is None:
            if length > self._longest:
                raise ProtocolViolation(f"{length} bytes beyond any window")
            return
        if length:
            self._charge(stream, length)
        else:
            self._target = None
            if self._finAfter:
                self._peerFinished(stream)

    def _charge(self, stream: Stream, length: int) -> None:
        if stream.receiving is not Half.OPEN:
            raise ProtocolViolation(f"data on stream {stream.id} after its end")
        if length > stream.window.credit:
            raise ProtocolViolation(
                f"{length} bytes on stream {stream.id} with a window of "
                f"{stream.window.credit}"
            )
        stream.window.credit -= length

    def _windowUpdate(self, stream: Stream, header: Header) -> None:
        if stream.credit + header.length > MAXIMUM_LENGTH:
            raise ProtocolViolation(f"the window of stream {stream.id} overflows")
        stream.credit += header.length
        self._ready(stream)
        if header.flags & FIN:
            self._peerFinished(stream)

    def _peerFinished(self, stream: Stream) -> None:
        if stream.receiving is not Half.OPEN:
            raise ProtocolViolation(f"a second end of stream {stream.id}")
        stream.receiving = Half.FINISHED
        self._events.append(Finished(stream.id))
        self._closeIfOver(stream)
