"""
The session: one side's state of all streams on one link.

The specification leaves these points open; here they are decided so:

  - A SYN is acknowledged at once, with a window update.  Our own SYN goes with the
    stream's first data, if there is some by the stream's first turn, and SYNs go in
    the order of their ids.
  - Frames for a stream that is over are ignored, since the peer may not know that yet.
    Frames for a stream that never was are a violation.
  - After a go-away of either side we open no streams.  After our own we also refuse
    those that the peer opens.  The streams that are open go on.
  - Data counts against the window when its header arrives.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from punch.errors import Bug, ProtocolViolation
from punch.role import Role
from punch.yamux import events, frames
from punch.yamux.control import ControlQueue
from punch.yamux.errors import GoneAway
from punch.yamux.limits import DEFAULT_LIMITS, SessionLimits
from punch.yamux.roundtrip import RoundTripMeter
from punch.yamux.stream import HalfState, StreamState
from punch.yamux.streams import StreamTable

MAX_FRAME_DATA: Final = (64 << 10) - frames.HEADER_SIZE - 5
"""
The most bytes of data in one frame that we send.  A small write on another stream may
have to wait for that many.  With the frame's header and that of the link's record
they fill four whole records of TLS.
"""

NORMAL: Final = 0
"""
The code of a go-away without an error (specification, "Go Away").
"""


class Session:
    """
    One side's state of all streams on one link.  The multiplexer of the link makes it,
    feeds it what arrives, tells it what the application wants, and sends what it
    answers with.

    A call that names a stream which is over does nothing, since the caller may not
    have seen the event yet.  One that names a stream which never was raises L{Bug}.
    """

    def __init__(self, role: Role, limits: SessionLimits = DEFAULT_LIMITS) -> None:
        self._maxWindow = limits.window
        self._streams = StreamTable(role, limits)
        self._sentGoAway = False
        self._receivedGoAway: int | None = None
        self._roundTrip = RoundTripMeter()
        self._control = ControlQueue(limits.controlFrames)
        # The streams that have something to send, in turn: an ordered set.
        self._roundRobin: OrderedDict[int, StreamState] = OrderedDict()
        self._events: list[events.Event] = []
        self._decoder = frames.FrameDecoder()
        # The stream whose payload now arrives, if it is not over; how many bytes of
        # the payload are still to come; and whether FIN follows it.
        self._payloadStream: StreamState | None = None
        self._payloadLeft = 0
        self._finFollows = False

    # What the application does.

    @property
    def live(self) -> int:
        """
        How many streams are open.
        """
        return len(self._streams)

    @property
    def roundTrip(self) -> float | None:
        """
        The shortest round trip measured, in seconds; L{None} before the first.
        """
        return self._roundTrip.minimum

    def open(self) -> int:
        """
        Open a stream.  It can be written to at once.

        @return: the stream's id.
        @raise CannotOpen: L{GoneAway}, or as L{StreamTable.open}.
        """
        if self._sentGoAway or self._receivedGoAway is not None:
            raise GoneAway
        stream = self._streams.open()
        self._roundRobin[stream.id] = stream
        return stream.id

    def write(self, stream: int, data: bytes) -> None:
        """
        Queue bytes on a stream.

        @raise Bug: L{finish} was called before.
        """
        found = self._streams.find(stream)
        if found is None or not data:
            return
        if found.sending is not HalfState.OPEN:
            raise Bug(f"a write on stream {stream} after its end")
        found.sendQueue.put(data)
        self._ready(found)

    def finish(self, stream: int) -> None:
        """
        End our direction of a stream after what is queued.  Receiving goes on.
        """
        found = self._streams.find(stream)
        if found is not None and found.sending is HalfState.OPEN:
            found.sending = HalfState.FINISHING
            self._ready(found)

    def reset(self, stream: int) -> None:
        """
        End both directions of a stream at once and drop what is queued.
        """
        found = self._streams.find(stream)
        if found is None:
            return
        if not found.owedFlags & frames.SYN:
            self._control.put(_resetFrame(stream))
        self._forget(found)

    def consumed(self, stream: int, count: int, now: float) -> None:
        """
        Note that the application consumed C{count} received bytes, so that the peer
        may send as many more.

        @param now: seconds.
        @raise Bug: fewer bytes were received.
        """
        found = self._streams.find(stream)
        if found is None or found.receiving is not HalfState.OPEN:
            return
        roundTrip = self._roundTrip.minimum
        owedCredit = found.window.consume(count, now, roundTrip)
        if owedCredit or roundTrip is None:
            self._roundTrip.windowMoved(now)
        if owedCredit:
            found.owedCredit += owedCredit
            self._control.update(found)

    def queued(self, stream: int) -> int:
        """
        How many bytes of a stream were written and not sent yet.
        """
        found = self._streams.find(stream)
        return 0 if found is None else found.sendQueue.size

    def goAway(self) -> None:
        """
        Let neither side open new streams.  Those that are open go on.
        """
        if not self._sentGoAway:
            self._sentGoAway = True
            self._control.put(frames.encode(frames.GO_AWAY, 0, frames.SESSION, NORMAL))

    # What the link does.

    def receive(self, data: bytes, now: float) -> list[events.Event]:
        """
        Take bytes that arrived.

        @param now: seconds.
        @return: what L{takeEvents} would.
        @raise ProtocolViolation: the peer broke the rules.  The session cannot be used
            after that.
        """
        for part in self._decoder.feed(data):
            if type(part) is bytes:
                self._receivePayload(part)
            else:
                assert isinstance(part, frames.Header)
                self._receiveHeader(part, now)
        return self.takeEvents()

    def takeEvents(self) -> list[events.Event]:
        """
        The events since the last call.  L{nextFrames} makes events too.
        """
        taken = self._events
        if taken:
            self._events = []
        return taken

    def nextFrames(self, now: float) -> list[bytes] | None:
        """
        The next bytes to send: all waiting control frames, or else one frame of data.

        @param now: seconds.
        @return: pieces; L{None} if nothing can be sent now.
        """
        control = self._control.take()
        if self._roundTrip.pingWanted:
            value = self._roundTrip.startPing(now)
            control.append(_pingFrame(frames.SYN, value))
        if control:
            return control
        if not self._roundRobin:
            return None
        _, stream = self._roundRobin.popitem(last=False)
        return self._nextDataFrame(stream)

    # Streams.

    def _forget(self, stream: StreamState) -> None:
        """
        Forget all of a stream that is over.
        """
        self._streams.remove(stream)
        self._roundRobin.pop(stream.id, None)
        self._control.forget(stream)
        if self._payloadStream is stream:
            self._payloadStream = None

    def _closeIfOver(self, stream: StreamState) -> None:
        if stream.isOver():
            self._forget(stream)
            self._events.append(events.Completed(stream.id))

    # Sending.

    def _ready(self, stream: StreamState) -> None:
        """
        Give the stream a turn if it has something to send.  One that waits for its
        turn already keeps its place.
        """
        if stream.isReady():
            self._roundRobin[stream.id] = stream

    def _nextDataFrame(self, stream: StreamState) -> list[bytes]:
        """
        The next frame of a stream whose turn it is.
        """
        flags, stream.owedFlags = stream.owedFlags, 0
        before = stream.sendQueue.size
        pieces = stream.sendQueue.take(min(MAX_FRAME_DATA, stream.credit))
        length = before - stream.sendQueue.size
        stream.credit -= length
        if stream.sending is HalfState.FINISHING and not stream.sendQueue.size:
            flags |= frames.FIN
            stream.sending = HalfState.FINISHED
        kind = frames.DATA if length else frames.WINDOW_UPDATE
        self._ready(stream)
        if stream.sendQueue.hasDrained():
            self._events.append(events.Drained(stream.id))
        self._closeIfOver(stream)
        return [frames.encode(kind, flags, stream.id, length), *pieces]

    # Receiving.

    def _receivePayload(self, data: bytes) -> None:
        self._payloadLeft -= len(data)
        stream = self._payloadStream
        if stream is None:
            return
        self._events.append(events.Received(stream.id, data))
        if not self._payloadLeft:
            self._payloadStream = None
            if self._finFollows:
                self._peerFinished(stream)

    def _receiveHeader(self, header: frames.Header, now: float) -> None:
        if header.type == frames.PING:
            self._ping(header, now)
        elif header.type == frames.GO_AWAY:
            self._wentAway(header.length)
        else:
            self._streamFrame(header)

    def _ping(self, header: frames.Header, now: float) -> None:
        if header.flags == frames.SYN:
            self._control.checkRoom()
            self._control.put(_pingFrame(frames.ACK, header.length))
        elif header.flags == frames.ACK:
            self._roundTrip.pingAnswered(header.length, now)
        else:
            raise ProtocolViolation(f"a ping with flags {header.flags:#x}")

    def _wentAway(self, code: int) -> None:
        if code != self._receivedGoAway:
            self._receivedGoAway = code
            self._events.append(events.WentAway(code))

    def _streamFrame(self, header: frames.Header) -> None:
        flags = header.flags
        if flags & frames.SYN:
            stream = self._accept(header.stream)
        else:
            stream = self._streams.findForPeer(header.stream)
        if flags & frames.ACK:
            self._streams.acknowledged(header.stream)
        if flags & frames.RST and stream is not None:
            self._forget(stream)
            self._events.append(events.Reset(stream.id))
            stream = None
        if header.type == frames.DATA:
            self._data(stream, header)
        elif stream is not None:
            self._windowUpdate(stream, header)

    def _accept(self, id: int) -> StreamState | None:
        """
        The peer opens a stream; L{None} if we refuse.
        """
        self._control.checkRoom()
        stream = self._streams.accept(id, welcome=not self._sentGoAway)
        if stream is None:
            self._control.put(_resetFrame(id))
            return None
        self._control.update(stream)
        self._events.append(events.Opened(id))
        return stream

    def _data(self, stream: StreamState | None, header: frames.Header) -> None:
        """
        A DATA frame begins, for a stream that may be over.
        """
        length = header.length
        self._payloadStream, self._payloadLeft = stream, length
        self._finFollows = bool(header.flags & frames.FIN)
        if stream is None:
            if length > self._maxWindow:
                raise ProtocolViolation(f"{length} bytes beyond any window")
            return
        if length:
            self._charge(stream, length)
        else:
            self._payloadStream = None
            if self._finFollows:
                self._peerFinished(stream)

    def _charge(self, stream: StreamState, length: int) -> None:
        if stream.receiving is not HalfState.OPEN:
            raise ProtocolViolation(f"data on stream {stream.id} after its end")
        if length > stream.window.credit:
            raise ProtocolViolation(
                f"{length} bytes on stream {stream.id} with a window of "
                f"{stream.window.credit}"
            )
        stream.window.credit -= length

    def _windowUpdate(self, stream: StreamState, header: frames.Header) -> None:
        if stream.credit + header.length > frames.MAXIMUM_LENGTH:
            raise ProtocolViolation(f"the window of stream {stream.id} overflows")
        stream.credit += header.length
        self._ready(stream)
        if header.flags & frames.FIN:
            self._peerFinished(stream)

    def _peerFinished(self, stream: StreamState) -> None:
        if stream.receiving is not HalfState.OPEN:
            raise ProtocolViolation(f"a second end of stream {stream.id}")
        stream.receiving = HalfState.FINISHED
        self._events.append(events.Finished(stream.id))
        self._closeIfOver(stream)


def _pingFrame(flag: int, value: int) -> bytes:
    return frames.encode(frames.PING, flag, frames.SESSION, value)


def _resetFrame(stream: int) -> bytes:
    return frames.encode(frames.WINDOW_UPDATE, frames.RST, stream, 0)
