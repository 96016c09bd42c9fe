"""
A path: one verified connection, and the records that pass on it.

A ride: a path, as long as a link uses it.
"""

from __future__ import annotations

from collections import deque
from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import LinkError, PathLost, PathSilent, ProtocolViolation
from punch.ice.selected import SelectedPath
from punch.link.attach import LINK_SIZE
from punch.link.keepalive import Keepalive, KeepaliveAction
from punch.link.records import Control, Decoder, Record, Type, encode, encodeHeader
from punch.link.sequencing import Sequencing
from punch.net.connection import Connection, IStreamTransport
from punch.net.tls import PeerAuthenticator, PeerPin, TLSConnection, checkPin
from punch.role import Role
from punch.util.deferreds import SharedResult
from punch.util.timers import RestartableTimer


class PathUser(Shape):
    """
    Who uses a path: a link.
    """

    def recordsReceived(self, records: list[Record]) -> None:
        """
        Records arrived, in order.
        """

    def pathLost(self, reason: Failure | ProtocolViolation) -> None:
        """
        The path is gone.  C{ConnectionDone}: the peer ended it on purpose.  A
        L{ProtocolViolation}: the path is of no use any more, and to be ended; it is
        gone when this is called again.
        """


_SECRET_SIZE = 32
_BINDING_SIZE = 32


class Path(Protocol):
    """
    Records over one connection; they wait until a link rides on it.

    C{pin}: the other side's.  C{link}, C{secret}: the id and the secret of a link
    that begins here.  C{binding}: what proofs of who attaches it are tied to.
    """

    transport: IStreamTransport

    def __init__(self, connection: TLSConnection) -> None:
        self.pin = connection.pin
        self.local = connection.local
        self.remote = connection.remote
        material = connection.exportKeyingMaterial(
            LINK_SIZE + _SECRET_SIZE + _BINDING_SIZE
        )
        self.link = material[:LINK_SIZE]
        self.secret = material[LINK_SIZE:-_BINDING_SIZE]
        self.binding = material[-_BINDING_SIZE:]
        self._begun: Sequencing | None = None
        self._decoder = Decoder()
        self._held: list[Record] = []
        self._rider: PathUser | None = None
        self._lost: Failure | ProtocolViolation | None = None
        self._isGone = False
        self._attached: SharedResult[Path] = SharedResult()
        self._first = Type.ATTACH
        connection.handOver(self)

    def dataReceived(self, data: bytes) -> None:
        if self._lost is not None:
            return
        try:
            records = self._decoder.feed(data)
            if self._rider is not None:
                self._rider.recordsReceived(records)
            elif records:
                # A link may come to ride on us in here, and takes them then.
                self._hold(records)
        except ProtocolViolation as violation:
            self.violated(violation)

    def violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the rules: the path ends by that name.  Whatever else comes
        is ignored.
        """
        self._end(violation)
        if self._rider is None:
            self.abort()

    def _hold(self, records: list[Record]) -> None:
        """
        Before a link rides on us, only one thing can be meant for us: the
        dialer's ATTACH, or the answer to ours.  What follows it is the link's.
        """
        self._held += records
        if not self._attached.settled:
            first = records[0]
            if not isinstance(first, Control) or first.type is not self._first:
                raise ProtocolViolation(f"the first record is no {self._first.name}")
            self.transport.pauseProducing()
            self._attached.succeed(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._isGone = True
        if self._rider is not None and self._lost is not None:
            # It was told of a violation, and has ended the path.
            self._rider.pathLost(reason)
        self._end(reason)

    def _end(self, reason: Failure | ProtocolViolation) -> None:
        if self._lost is not None:
            return
        self._lost = reason
        if self._rider is not None:
            self._rider.pathLost(reason)
        elif not self._attached.settled:
            self._attached.fail(reason)

    def whenAttached(self) -> Deferred[Path]:
        """
        The dialer chose this path; or, on the dialer, the listener agreed.
        """
        return self._attached.wait()

    def begin(self, role: Role) -> Sequencing:
        """
        Begin a link here, once: the dialer chooses this path for it.
        """
        if self._begun is None:
            self._begun = Sequencing(role, self.link, self.secret)
            if role is Role.DIALER:
                self.attach(self._begun)
        return self._begun

    def attach(self, continuity: Sequencing) -> int:
        """
        On the dialer: choose this path for a link.

        @return: the path's generation.
        """
        self._first = Type.ATTACHED
        generation, payload = continuity.attach(self.binding)
        self.send(Type.ATTACH, payload)
        return generation

    def carry(self, rider: PathUser) -> None:
        """
        Give C{rider} what has waited and what comes.
        """
        self._rider = rider
        held, self._held = self._held, []
        if held:
            rider.recordsReceived(held)
        self.transport.resumeProducing()
        if self._lost is not None:
            rider.pathLost(self._lost)

    def send(self, type: Type, payload: bytes = b"") -> None:
        """
        Send a control record.
        """
        self.transport.write(encode(type, payload))

    def sendData(self, *pieces: bytes) -> None:
        """
        Send one DATA record.
        """
        size = sum(map(len, pieces))
        self.transport.writeSequence([encodeHeader(Type.DATA, size), *pieces])

    def finish(self) -> None:
        """
        End the path cleanly, after what was sent.
        """
        self.transport.loseConnection()

    def part(self) -> None:
        """
        Wait for the other side no longer: what was written is the kernel's to deliver.
        """
        if not self._isGone:
            tls: Any = self.transport
            tls.transport.loseConnection()

    def abort(self) -> None:
        """
        End the path at once, if it has not ended.
        """
        if not self._isGone:
            self.transport.abortConnection()


async def _attached(secured: TLSConnection, role: Role) -> Path:
    path = Path(secured)
    try:
        if role is Role.LISTENER:
            await path.whenAttached()
    except BaseException:
        path.abort()
        raise
    return path


async def verify(
    security: PeerAuthenticator, connection: Connection, role: Role, pin: PeerPin
) -> Path:
    """
    Make a valid path of a connection: its TLS is done, its pin is C{pin} and, on
    the listener, the dialer has attached it.  Cancelling, or failing, aborts the
    connection.

    @param pin: asks for the other side's.
    """
    return await _attached(await security.authenticate(connection, role, pin), role)


async def verifySecured(secured: TLSConnection, role: Role, pin: PeerPin) -> Path:
    """
    L{verify}, for a connection whose TLS is done already.
    """
    return await _attached(await checkPin(secured, pin), role)


FAREWELL = 1.0
"""
Seconds for which we wait for the other side to end a path that we end, too.  Then what
was written on it is the kernel's to deliver; what that does not take in as many seconds
is lost.
"""

_MOST_ASKED = 8
"""
Questions that may be open: more than a path may leave unanswered and live.
"""


class Rider(Shape):
    """
    Who rides: a link.
    """

    def recordsReceived(self, ride: Ride, records: list[Record]) -> None:
        """
        Records arrived, in order.
        """

    def doubted(self, ride: Ride) -> None:
        """
        The path does not answer any more; or it does again.
        """

    def flowChanged(self, ride: Ride) -> None:
        """
        The path takes no more for now (C{ride.isFlowing}); or it does again.
        """

    def rideEnded(self, ride: Ride, why: LinkError | None) -> None:
        """
        The path is gone.  C{None}: the peer ended it on purpose.
        """


@implementer(IPushProducer)
class Ride:
    """
    One path under a link.

    C{generation}: the path's, 0 as long as it is not known.  C{isFlowing}: whether
    it takes more now.  C{whenAttached}: fires with C{True} when the link has come
    to go on here, with C{False} if it has not.  C{whenAnswered}: likewise, when the
    peer has answered something here.
    """

    def __init__(
        self, clock: IReactorTime, selected: SelectedPath[Path], rider: Rider
    ) -> None:
        self.selected = selected
        self.path = selected.path
        self.generation = 0
        self.isFlowing = True
        self.isOver = False
        self.whenAttached: SharedResult[bool] = SharedResult()
        self.whenAnswered: SharedResult[bool] = SharedResult()
        self.pulse = Keepalive(clock.seconds())
        self.roundTrip: float | None = None
        self._clock = clock
        self._rider = rider
        # When we asked what is not answered yet; answers come in order.
        self._asked: deque[float] = deque(maxlen=_MOST_ASKED)
        self._producing = False
        self._isLeaving = False
        self._timer = RestartableTimer(clock)
        self._parting = RestartableTimer(clock)

    def start(self) -> None:
        """
        Take what has come on the path, and what comes.
        """
        self._plan()
        self.path.carry(self)

    # What the path says (L{PathUser}).

    def recordsReceived(self, records: list[Record]) -> None:
        """
        Records arrived.
        """
        pulse = self.pulse
        wasSuspected, wasIdle = pulse.isSuspected, pulse.isIdle
        pulse.heard(self._clock.seconds(), bytes in map(type, records))
        if self.isOver:
            return
        if wasIdle and not pulse.isIdle:
            self._plan()
        self._rider.recordsReceived(self, records)
        if wasSuspected:
            self._rider.doubted(self)

    def pathLost(self, reason: Failure | ProtocolViolation) -> None:
        """
        The path is gone.
        """
        if isinstance(reason, ProtocolViolation):
            # The peer is to know that it was no accident.
            self.leave()
            self._end(reason)
        else:
            self._parting.clear()
            self._end(None if reason.check(ConnectionDone) else PathLost())

    # What the path's transport says.

    def pauseProducing(self) -> None:
        self.isFlowing = False
        self._rider.flowChanged(self)

    def resumeProducing(self) -> None:
        self.isFlowing = True
        self._rider.flowChanged(self)

    def stopProducing(self) -> None:
        self.isFlowing = False

    # What the link does.

    def lead(self) -> None:
        """
        What the link sends goes this way from now on.
        """
        self._producing = True
        transport: Any = self.path.transport
        transport.registerProducer(self, True)
        self.whenAttached.succeed(True)

    def follow(self) -> None:
        """
        Another path leads now; this one is only read.
        """
        if self._producing:
            self._producing = False
            self.path.transport.unregisterProducer()

    def used(self) -> None:
        """
        Something of the application's was sent.
        """
        if self.pulse.isIdle:
            self.pulse.used(self._clock.seconds())
            self._plan()

    def probe(self, isDoubtful: bool) -> None:
        """
        See at once whether it answers.
        """
        now = self._clock.seconds()
        if isDoubtful:
            self.pulse.doubt(now)
            self._rider.doubted(self)
        else:
            self.pulse.probe(now)
        self._plan()

    def asked(self) -> None:
        """
        Something was sent that is to be answered.
        """
        self._asked.append(self._clock.seconds())

    def answered(self) -> float | None:
        """
        An answer came.

        @return: seconds since we asked, if we did.
        """
        if not self._asked:
            return None
        taken = self._clock.seconds() - self._asked.popleft()
        self.roundTrip = min(taken, self.roundTrip or taken)
        self.whenAnswered.succeed(True)
        return taken

    def leave(self) -> None:
        """
        End the path cleanly, after what was sent, if that does not take too long.
        """
        self.follow()
        self.whenAttached.succeed(False)
        if not self._isLeaving:
            self._isLeaving = True
            self._parting.set(FAREWELL, self._part)
            self.path.finish()

    def _part(self) -> None:
        """
        Our last words may be lost on the way, and sent again for longer than we wait.
        """
        self._parting.set(FAREWELL, self.path.abort)
        self.path.part()

    def drop(self, why: LinkError | None = None) -> None:
        """
        End the path at once.
        """
        self.follow()
        self.path.abort()
        self._end(why or PathLost())

    def violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the rules on this path.
        """
        self.path.violated(violation)

    # Its end, and its life.

    def _end(self, why: LinkError | None) -> None:
        if self.isOver:
            return
        self.isOver = True
        self._producing = False
        self._timer.clear()
        self.whenAttached.succeed(False)
        self.whenAnswered.succeed(False)
        self._rider.rideEnded(self, why)

    def _plan(self) -> None:
        """
        Look at the pulse when it is due.
        """
        pause = self.pulse.due(self.roundTrip) - self._clock.seconds()
        self._timer.set(max(0.0, pause), self._look)

    def _look(self) -> None:
        now = self._clock.seconds()
        beat = self.pulse.look(now, self.roundTrip)
        if beat is KeepaliveAction.PING:
            self.asked()
            self.path.send(Type.PING)
        elif beat is KeepaliveAction.SUSPECT:
            self._rider.doubted(self)
        elif beat is KeepaliveAction.DIE:
            self.drop(PathSilent())
        if not self.isOver:
            self._plan()
