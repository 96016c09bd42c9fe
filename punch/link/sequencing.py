"""
The sequence numbers of a link over successive paths: which of the bytes on each path
are new, and which are to be sent again.

A direction of the link is counted in I{units}: its bytes, and then one for CLOSE, as
TCP counts its FIN (RFC 9293 section 3.4).  An I{offset} is a number of units.  DATA
carries none: on each path each direction begins at an offset that both sides know from
ATTACH and ATTACHED, and goes on from there.  If that is before what came on another
path, both sides know by how much, and the receiver drops just that.

Paths are numbered by their I{generation}.  Only the dialer makes them, and only the
newest is sent on; older ones are read until they end.
"""

from __future__ import annotations

from punch.errors import Bug, ProtocolViolation
from punch.link.attach import Attach, Attached
from punch.link.records import MAXIMUM_DATA, decodeOffset, encodeOffset
from punch.link.sendbuffer import DEFAULT_LIMITS, LinkLimits, Piece, SendBuffer
from punch.role import Role


class Stale(Exception):
    """
    A newer path was attached before this one.  This one is to be dropped; nobody is at
    fault.
    """


class Sequencing:
    """
    Counts what one side of a link sends and receives, over all its paths.

    L{Path.startLink<punch.link.path.Path.startLink>} makes it, and L{LinkPaths
    <punch.link.paths.LinkPaths>} owns it until the link ends.

    @ivar current: the generation of the path to send on; L{None} before the first path,
        and while the link is suspended.
    @ivar received: units that arrived.
    @ivar roundTrip: seconds, the shortest that was L{measured} on the current path.
    @ivar sendBuffer: what our application has written.
    """

    __slots__ = (
        "_isFinished",
        "_limits",
        "_link",
        "_mayHaveLostAck",
        "_newest",
        "_older",
        "_positions",
        "_requested",
        "_role",
        "_secret",
        "_taken",
        "_told",
        "current",
        "received",
        "roundTrip",
        "sendBuffer",
    )

    def __init__(
        self,
        role: Role,
        link: bytes,
        secret: bytes,
        limits: LinkLimits = DEFAULT_LIMITS,
    ) -> None:
        """
        @param link: the link's id, 16 bytes.
        @param secret: the link's, with which each side proves that it is still the
            same one.
        """
        self.current: int | None = None
        self.received = 0
        self.roundTrip: float | None = None
        self._role = role
        self._link = link
        self._secret = secret
        self._limits = limits
        self.sendBuffer = SendBuffer(limits)
        self._newest = 0
        # By generation, for the paths that the peer sends on: the offset of the next
        # unit there.
        self._positions: dict[int, int] = {}
        # For the paths whose ATTACH has no answer yet: what it said that we had
        # received.
        self._requested: dict[int, int] = {}
        # For the paths that were current once: the offsets up to which we sent there,
        # and up to which the peer did.
        self._older: dict[int, tuple[int, int]] = {}
        self._isFinished = False
        self._taken = 0
        self._told = 0
        # Units that we have acknowledged, and whether the last ACK may have been lost
        # with its path.
        self._mayHaveLostAck = False

    # Paths.

    def attach(self, binding: bytes) -> tuple[int, bytes]:
        """
        On the dialer: attach a new path.  The first is current at once; a later one
        when its ATTACHED comes.

        @param binding: ties the proof to this path.
        @return: the path's generation, and the payload of the ATTACH to send on it.
        """
        self._newest += 1
        generation = self._newest
        self._requested[generation] = self.received
        if generation == 1:
            self.current = 1
        attach = Attach(self._link, generation, self.received)
        return generation, attach.toBytes(self._secret, binding)

    def attachReceived(self, payload: bytes, binding: bytes) -> tuple[int, bytes]:
        """
        On the listener: an ATTACH came on a new path, which is current now.

        @return: the path's generation, and the payload of the ATTACHED to send on
            it, before anything else.
        @raise ProtocolViolation: it proves nothing, or is of another link, or
            cannot be.  The path is to be ended; to the link nothing happened.
        @raise Stale: it is not newer than the last.  The path is to be dropped.
        """
        attach = Attach.verified(payload, self._secret, binding)
        if attach.link != self._link:
            raise ProtocolViolation("an ATTACH of another link")
        if attach.generation <= self._newest:
            raise Stale()
        buffer = self.sendBuffer
        # After it wrote this, the dialer may have acknowledged more on another path.
        # We no longer have that, so we begin behind it, and say so.
        start = max(attach.received, buffer.acknowledged)
        sent = buffer.sent
        leaving = buffer.cursor
        buffer.restart(start)
        self._newest = attach.generation
        self._switch(attach.generation, self.received, (leaving, 0))
        attached = Attached(attach.generation, self.received, sent, start)
        return attach.generation, attached.toBytes(self._secret, binding, self._link)

    def attachedReceived(self, generation: int, payload: bytes, binding: bytes) -> bool:
        """
        On the dialer: the ATTACHED came on the path of that generation.

        @return: whether it is the current path now; if not, it was superseded and
            is to be dropped (it need not be told to L{pathLost}).
        @raise ProtocolViolation: it proves nothing, or cannot be.  The path is to
            be ended (and told to L{pathLost}); else nothing happened to the link.
        """
        attached = Attached.verified(payload, self._secret, binding, self._link)
        if attached.generation != generation or generation not in self._requested:
            raise ProtocolViolation("an ATTACHED that was not asked for")
        if generation != self._newest and generation != self.current:
            self._forget(generation)
            return False
        self._check(attached, self._requested[generation])
        if generation != self.current:
            leaving = self.sendBuffer.cursor
            self.sendBuffer.restart(attached.received)
            self._switch(generation, attached.start, (leaving, attached.sent))
        elif attached.received:
            raise ProtocolViolation("an ATTACHED of more than the link's beginning")
        self._positions[generation] = attached.start
        del self._requested[generation]
        return True

    def _check(self, attached: Attached, named: int) -> None:
        """
        See that what the listener says about its own direction fits what came of it.

        @raise ProtocolViolation: it does not.
        """
        if not named <= attached.start <= self.received <= attached.sent:
            raise ProtocolViolation(
                f"an ATTACHED from {attached.start} to {attached.sent} of the"
                f" {self.received} received"
            )

    def _switch(self, generation: int, position: int, ends: tuple[int, int]) -> None:
        if self.current is not None:
            self._older[self.current] = ends
        self.current = generation
        self._positions[generation] = position
        self.roundTrip = None
        self._mayHaveLostAck = self._taken > 0

    def pathLost(self, generation: int) -> list[int]:
        """
        A path is gone, whoever ended it.

        @return: the generations of older paths that are to be ended now: without
            them the other side notices that the current one is gone.
        """
        self._forget(generation)
        if generation != self.current:
            return []
        self.current = None
        self.roundTrip = None
        return sorted(self._older)

    def _forget(self, generation: int) -> None:
        self._requested.pop(generation, None)
        self._positions.pop(generation, None)
        self._older.pop(generation, None)

    @property
    def drained(self) -> list[int]:
        """
        On the dialer: the generations of older paths that may be ended now,
        because all has arrived that either side sent on them.
        """
        if not self._older or self._role is Role.LISTENER:
            return []
        acknowledged, received = self.sendBuffer.acknowledged, self.received
        return [
            generation
            for generation, (ours, theirs) in self._older.items()
            if ours <= acknowledged and theirs <= received
        ]

    def measured(self, seconds: float) -> None:
        """
        A round trip was measured on the current path: from PING to PONG, or from ATTACH
        to ATTACHED.  Without one the bound on what is under way never grows.
        """
        if self.roundTrip is None or seconds < self.roundTrip:
            self.roundTrip = seconds

    # What comes in.

    def dataReceived(self, generation: int, data: bytes) -> bytes:
        """
        Bytes of a DATA record came on a path that has not ended.

        @return: those of them that are new; often all, maybe none.
        @raise ProtocolViolation: the path is not attached, or it is more than the
            peer may send.
        """
        end = self._position(generation) + len(data)
        fresh = end - self.received
        if self._isFinished and fresh >= 0:
            # The last unit was CLOSE, in whose place this has bytes.
            raise ProtocolViolation("DATA after CLOSE")
        if fresh <= 0:
            self._positions[generation] = end
            return b""
        if end - self._taken > self._limits.maximum + MAXIMUM_DATA:
            raise ProtocolViolation(f"{end - self._taken} bytes sent ahead")
        self._positions[generation] = self.received = end
        return data if fresh == len(data) else data[-fresh:]

    def closeReceived(self, generation: int) -> bool:
        """
        CLOSE came on a path that has not ended.

        @return: whether it is new, so that the application is to hear of the end.
        @raise ProtocolViolation: the path is not attached, or the end is elsewhere.
        """
        end = self._position(generation) + 1
        fresh = end > self.received
        if fresh is self._isFinished or end < self.received:
            raise ProtocolViolation("CLOSE in another place")
        self._isFinished = True
        self._positions[generation] = self.received = end
        return fresh

    def _position(self, generation: int) -> int:
        """
        The offset at which a path is.  It is never beyond C{received}, so what
        comes there leaves nothing out.
        """
        try:
            return self._positions[generation]
        except KeyError:
            raise ProtocolViolation("a path is used that is not attached") from None

    def ackReceived(self, generation: int, payload: bytes, now: float) -> None:
        """
        ACK or PONG came on a path that has not ended.

        @raise ProtocolViolation: the path is not attached, or so much was never
            sent.
        """
        self._position(generation)
        self.sendBuffer.acknowledge(decodeOffset(payload), now, self.roundTrip)

    def skipReceived(self, generation: int, payload: bytes) -> None:
        """
        SKIP came on a path that has not ended: what follows there begins further on.

        @raise ProtocolViolation: the path is not attached, or it is not from where
            that is to at most what we told to have taken.
        """
        position, offset = self._position(generation), decodeOffset(payload)
        if not position <= offset <= self._told:
            raise ProtocolViolation(f"SKIP from {position} to {offset}")
        self._positions[generation] = offset

    def taken(self, count: int) -> None:
        """
        The application has taken C{count} more units: bytes, or the news of the
        end, which is one.
        """
        self._taken += count
        if self._taken > self.received:
            raise Bug(f"{count} units taken that had not arrived")

    @property
    def isAckOwed(self) -> bool:
        """
        Whether the peer is to hear soon what was taken.
        """
        return self._mayHaveLostAck or self._taken > self._told

    @property
    def isAckDue(self) -> bool:
        """
        Whether the peer is to hear that at once, because it is much, or all.
        """
        if self.current is None or not self.isAckOwed:
            return False
        isAll = self._isFinished and self._taken == self.received
        interval = self._limits.early if self._older else self._limits.interval
        return isAll or self._mayHaveLostAck or self._taken - self._told >= interval

    def acknowledgment(self) -> bytes:
        """
        Make the payload of an ACK, which is sent now on the current path.
        """
        self._told = self._taken
        self._mayHaveLostAck = False
        return encodeOffset(self._taken)

    def pong(self, generation: int) -> bytes:
        """
        Make the payload of a PONG, which is sent now on the path on which PING came.

        It is an acknowledgment, too.  On an older path it acknowledges nothing, because
        there it could arrive before an ATTACHED that was sent earlier.
        """
        if generation == self.current:
            return self.acknowledgment()
        return encodeOffset(0)

    # What goes out.

    def nextPiece(self) -> Piece | None:
        """
        What to send next on the current path (L{SendBuffer.nextPiece}).

        @return: L{None} while there is no path, too.
        """
        if self.current is None:
            return None
        return self.sendBuffer.nextPiece()

    @property
    def isComplete(self) -> bool:
        """
        Whether nothing is left to do: the peer has acknowledged our CLOSE, and we have
        acknowledged its.
        """
        mayTell = self._isFinished and self._taken == self.received
        return mayTell and not self.isAckOwed and self.sendBuffer.isDone
