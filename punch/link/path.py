"""
A path: one verified TLS connection, and the records that pass on it.

A path waits until a link uses it.  Then it also watches whether its connection still
answers (L{punch.link.keepalive}).
"""

from __future__ import annotations

import typing
from collections import deque
from typing import Any

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

FAREWELL = 1.0
"""
Seconds for which we wait for the other side to end a path that we end, too.  Then what
was written on it is the kernel's to deliver; what that does not take in as many seconds
is lost.
"""

_SECRET_SIZE = 32
_BINDING_SIZE = 32

_MOST_REQUESTS = 8
"""
Requests that may be open: more than a path may leave unanswered and live.
"""


class PathHandler(typing.Protocol):
    """
    What a path calls on the link that uses it (L{punch.link.paths.LinkPaths}).
    """

    def recordsReceived(self, path: Path, records: list[Record]) -> None:
        """
        Records arrived, in order.
        """

    def suspicionChanged(self, path: Path) -> None:
        """
        The path does not answer any more, or it does again
        (C{path.keepalive.isSuspected}).
        """

    def writabilityChanged(self, path: Path) -> None:
        """
        The path's send buffer is full, or it has room again (C{path.isWritable}).
        """

    def pathEnded(self, path: Path, why: LinkError | None) -> None:
        """
        The path is over; this is called once.

        @param why: C{None} if the peer ended it on purpose.
        """


class Path(Protocol):
    """
    Sends and receives records over one TLS connection.

    L{verify} makes it.  The first record is the dialer's ATTACH, or the listener's
    answer to ours; it waits, and all that follows it, until a link calls L{use} and
    L{start}.  Until then whoever made the path owns it and may L{abort} it; afterwards
    the link ends it with L{close} or L{drop}.

    @ivar pin: the peer's.
    @ivar link: the id of a link that begins here, 16 bytes.
    @ivar secret: that link's secret.
    @ivar binding: what the proofs in ATTACH and ATTACHED are tied to on this path.
    @ivar selected: how the path came about, once a link uses it.
    @ivar generation: the path's number in its link, 0 while that is not known.
    @ivar isWritable: whether the transport takes more now.
    @ivar isOver: whether the link was told of the path's end.
    @ivar roundTrip: seconds, the shortest that was measured.
    @ivar whenCurrent: fires with C{True} when the link begins to send here, with
        C{False} if it never will.
    @ivar whenAnswered: fires with C{True} when the peer has answered a request here,
        with C{False} if it never will.
    """

    transport: IStreamTransport
    selected: SelectedPath[Path]

    def __init__(self, clock: IReactorTime, connection: TLSConnection) -> None:
        self.pin = connection.pin
        self.local = connection.local
        self.remote = connection.remote
        material = connection.exportKeyingMaterial(
            LINK_SIZE + _SECRET_SIZE + _BINDING_SIZE
        )
        self.link = material[:LINK_SIZE]
        self.secret = material[LINK_SIZE:-_BINDING_SIZE]
        self.binding = material[-_BINDING_SIZE:]
        self.generation = 0
        self.isWritable = True
        self.isOver = False
        self.roundTrip: float | None = None
        self.whenCurrent: SharedResult[bool] = SharedResult()
        self.whenAnswered: SharedResult[bool] = SharedResult()
        self.keepalive = Keepalive(clock.seconds())
        self._clock = clock
        self._newLink: Sequencing | None = None
        self._decoder = Decoder()
        self._firstType = Type.ATTACH
        self._attached: SharedResult[Path] = SharedResult()
        self._handler: PathHandler | None = None
        # Records that came before a link used us.
        self._held: list[Record] = []
        # When we sent the requests that have no answer yet; answers come in order.
        self._requests: deque[float] = deque(maxlen=_MOST_REQUESTS)
        self._isProducing = False
        self._isClosing = False
        self._isGone = False
        self._reason: Failure | LinkError | None = None
        self._keepaliveTimer = RestartableTimer(clock)
        self._closeTimer = RestartableTimer(clock)
        connection.handOver(self)

    # Before a link uses it.

    def whenAttached(self) -> Deferred[Path]:
        """
        Fires when the dialer has chosen this path; on the dialer, when the listener
        has agreed.
        """
        return self._attached.wait()

    def startLink(self, role: Role) -> Sequencing:
        """
        Begin a link here: on the dialer, attach this path to it.  A link begins once,
        however often this is called.
        """
        if self._newLink is None:
            self._newLink = Sequencing(role, self.link, self.secret)
            if role is Role.DIALER:
                self.attach(self._newLink)
        return self._newLink

    def attach(self, sequencing: Sequencing) -> int:
        """
        On the dialer: choose this path for a link, which sends ATTACH.

        @return: the path's generation.
        """
        self._firstType = Type.ATTACHED
        generation, payload = sequencing.attach(self.binding)
        self.send(Type.ATTACH, payload)
        return generation

    def use(self, selected: SelectedPath[Path], handler: PathHandler) -> None:
        """
        From now on a link uses this path, and C{handler} hears of it.
        """
        self.selected = selected
        self.keepalive = Keepalive(self._clock.seconds())
        self._handler = handler

    def start(self) -> None:
        """
        Give the handler what has waited, then what comes.
        """
        assert self._handler is not None
        self._schedule()
        held, self._held = self._held, []
        if held:
            self._received(self._handler, held)
        self.transport.resumeProducing()
        if self._reason is not None:
            self._end(self._reason)

    # What comes in.

    def dataReceived(self, data: bytes) -> None:
        if self._reason is not None:
            return
        try:
            records = self._decoder.feed(data)
            if self._handler is not None:
                self._received(self._handler, records)
            elif records:
                # A link may come to use us in here, and takes them then.
                self._hold(records)
        except ProtocolViolation as violation:
            self.violated(violation)

    def _hold(self, records: list[Record]) -> None:
        """
        Keep records until a link uses us.

        @raise ProtocolViolation: the first is not the one with which a path begins.
        """
        self._held += records
        if not self._attached.settled:
            first = records[0]
            if not isinstance(first, Control) or first.type is not self._firstType:
                name = self._firstType.name
                raise ProtocolViolation(f"the first record is no {name}")
            self.transport.pauseProducing()
            self._attached.succeed(self)

    def _received(self, handler: PathHandler, records: list[Record]) -> None:
        keepalive = self.keepalive
        wasSuspected, wasIdle = keepalive.isSuspected, keepalive.isIdle
        keepalive.received(self._clock.seconds(), bytes in map(type, records))
        if wasIdle and not keepalive.isIdle:
            self._schedule()
        handler.recordsReceived(self, records)
        if wasSuspected:
            handler.suspicionChanged(self)

    # What goes out.

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

    def becomeCurrent(self) -> None:
        """
        The link sends here from now on.
        """
        self._isProducing = True
        transport: Any = self.transport
        transport.registerProducer(self, True)
        self.whenCurrent.succeed(True)

    def becomeOlder(self) -> None:
        """
        The link sends elsewhere; from now on this path is only read.
        """
        if self._isProducing:
            self._isProducing = False
            self.transport.unregisterProducer()

    # What the transport says, as we are its producer.

    def pauseProducing(self) -> None:
        self._setWritable(False)

    def resumeProducing(self) -> None:
        self._setWritable(True)

    def _setWritable(self, isWritable: bool) -> None:
        assert self._handler is not None
        self.isWritable = isWritable
        self._handler.writabilityChanged(self)

    def stopProducing(self) -> None:
        self.isWritable = False

    # Whether it answers.

    def applicationSent(self) -> None:
        """
        Something of the application's was sent here.
        """
        if self.keepalive.isIdle:
            self.keepalive.sent(self._clock.seconds())
            self._schedule()

    def probe(self, isSuspected: bool) -> None:
        """
        Send a PING at once.

        @param isSuspected: do not wait for the answer to call the path suspected.
        """
        now = self._clock.seconds()
        if isSuspected:
            assert self._handler is not None
            self.keepalive.suspect(now)
            self._handler.suspicionChanged(self)
        else:
            self.keepalive.probe(now)
        self._schedule()

    def requestSent(self) -> None:
        """
        ATTACH or PING was sent, which the peer is to answer.
        """
        self._requests.append(self._clock.seconds())

    def responseReceived(self) -> float | None:
        """
        ATTACHED or PONG came.

        @return: seconds since its request was sent, if there was one.
        """
        if not self._requests:
            return None
        elapsed = self._clock.seconds() - self._requests.popleft()
        self.roundTrip = min(elapsed, self.roundTrip or elapsed)
        self.whenAnswered.succeed(True)
        return elapsed

    def _schedule(self) -> None:
        """
        Check the keepalive when that is due.
        """
        pause = self.keepalive.due(self.roundTrip) - self._clock.seconds()
        self._keepaliveTimer.set(max(0.0, pause), self._checkKeepalive)

    def _checkKeepalive(self) -> None:
        assert self._handler is not None
        action = self.keepalive.check(self._clock.seconds(), self.roundTrip)
        if action is KeepaliveAction.PING:
            self.requestSent()
            self.send(Type.PING)
        elif action is KeepaliveAction.SUSPECT:
            self._handler.suspicionChanged(self)
        elif action is KeepaliveAction.DIE:
            self.drop(PathSilent())
        if not self.isOver:
            self._schedule()

    # Its end.

    def close(self) -> None:
        """
        End the path cleanly, after what was sent, if the other side agrees within
        L{FAREWELL}.
        """
        self.becomeOlder()
        self.whenCurrent.succeed(False)
        if not self._isClosing and not self._isGone:
            self._isClosing = True
            self._closeTimer.set(FAREWELL, self._closeTCP)
            self.transport.loseConnection()

    def _closeTCP(self) -> None:
        """
        Wait for the other side's close_notify no longer: TCP alone delivers what was
        written, for as long again.
        """
        self._closeTimer.set(FAREWELL, self.abort)
        tls: Any = self.transport
        tls.transport.loseConnection()

    def drop(self, why: LinkError | None = None) -> None:
        """
        End the path at once, and tell the link so before the connection is gone.

        @param why: L{PathLost} unless given.
        """
        self._reason = self._reason or why or PathLost()
        self.becomeOlder()
        self.abort()
        self._end(self._reason)

    def abort(self) -> None:
        """
        Abort the connection, if it has not ended.
        """
        if not self._isGone:
            self.transport.abortConnection()

    def violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the rules: end the path for that reason, and ignore what else
        comes on it.
        """
        if self._reason is not None:
            return
        self._reason = violation
        if self._handler is None:
            self.abort()
        else:
            # A clean end tells the peer that it was no accident.
            self.close()
        self._end(violation)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._isGone = True
        self._closeTimer.clear()
        self._end(reason)

    def _end(self, reason: Failure | LinkError) -> None:
        """
        The path is of no use any more: tell who waits for it, or the link, once.
        """
        if self._reason is None:
            self._reason = reason
        if self._handler is None:
            self._attached.fail(self._reason)
        elif not self.isOver:
            self.isOver = True
            self._isProducing = False
            self._keepaliveTimer.clear()
            self.whenCurrent.succeed(False)
            self.whenAnswered.succeed(False)
            self._handler.pathEnded(self, _asLinkError(self._reason))


# zope.interface.implementer would hide Protocol's own declarations from mypy.
implementer(IPushProducer)(Path)


def _asLinkError(reason: Failure | LinkError) -> LinkError | None:
    """
    Why a path ended; C{None} if the peer ended it on purpose.
    """
    if isinstance(reason, LinkError):
        return reason
    return None if reason.check(ConnectionDone) else PathLost()


async def _attached(clock: IReactorTime, secured: TLSConnection, role: Role) -> Path:
    path = Path(clock, secured)
    try:
        if role is Role.LISTENER:
            await path.whenAttached()
    except BaseException:
        path.abort()
        raise
    return path


async def verify(
    authenticator: PeerAuthenticator, connection: Connection, role: Role, pin: PeerPin
) -> Path:
    """
    Make a valid path of a connection: its TLS handshake is done, the peer's pin is
    C{pin} and, on the listener, the dialer has attached it.  Cancelling, or failing,
    aborts the connection.

    @param pin: asks for the pin that the peer must have.
    """
    secured = await authenticator.authenticate(connection, role, pin)
    return await _attached(authenticator.clock, secured, role)


async def verifySecured(
    clock: IReactorTime, secured: TLSConnection, role: Role, pin: PeerPin
) -> Path:
    """
    L{verify}, for a connection whose TLS handshake is done already.
    """
    return await _attached(clock, await checkPin(secured, pin), role)
