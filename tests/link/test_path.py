"""
Tests for L{punch.link.path}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone

from punch.errors import LinkError, PathLost, ProtocolViolation, WrongPin
from punch.link.keepalive import SOON
from punch.link.path import Path, verify
from punch.link.records import Control, Record, Type, encode, encodeHeader
from punch.role import Role
from tests.support.doubles import DIALER_ID, LISTENER_ID, Pair, PunchTestCase


class _Handler:
    """
    Uses a path, and remembers what it brings.
    """

    def __init__(self, path: Path) -> None:
        self.records: list[Record] = []
        self.ends: list[LinkError | None] = []
        path.use(Pair.selected(path), self)
        path.start()

    def recordsReceived(self, path: Path, records: list[Record]) -> None:
        """
        Remember them.
        """
        self.records += records

    def suspicionChanged(self, path: Path) -> None:
        """
        Of no interest here.
        """

    def writabilityChanged(self, path: Path) -> None:
        """
        Of no interest here.
        """

    def pathEnded(self, path: Path, why: LinkError | None) -> None:
        """
        Remember why.
        """
        self.ends.append(why)


class PathTests(PunchTestCase):
    """
    The two ends of a path in memory.
    """

    def setUp(self) -> None:
        """
        Two ends, nothing attached.
        """
        self.pair = Pair()
        self.dialers, self.listeners = self.pair.paths()

    def attach(self) -> None:
        """
        The dialer attaches, and both ends are used.
        """
        self.dialers.startLink(Role.DIALER)
        self.pair.run()
        self.handlers = (_Handler(self.dialers), _Handler(self.listeners))
        [attach] = self.handlers[1].records
        assert isinstance(attach, Control)
        assert attach.type is Type.ATTACH
        self.handlers[1].records.clear()

    def test_ends(self) -> None:
        """
        A path knows where it ends, and who is there.
        """
        assert self.dialers.pin == LISTENER_ID.pin
        assert self.listeners.pin == DIALER_ID.pin
        assert self.dialers.local == self.listeners.remote

    def test_attached(self) -> None:
        """
        The listener hears when the dialer attaches the path.
        """
        attached = self.listeners.whenAttached()
        self.pair.run()
        self.waiting(attached)
        self.dialers.startLink(Role.DIALER)
        self.pair.run()
        assert self.successResultOf(attached) is self.listeners

    def test_cancelled(self) -> None:
        """
        To wait no longer for the attachment leaves the path as it is.
        """
        attached = self.listeners.whenAttached()
        attached.cancel()
        self.failed(attached, CancelledError)
        self.pair.run()
        assert len(self.pair.network.openSockets()) == 2

    def test_notAttached(self) -> None:
        """
        Anything but an ATTACH at first is a violation, and ends the path.
        """
        firsts = (encode(Type.PING), encode(Type.ATTACHED), encode(Type.CLOSE))
        for first in (*firsts, encodeHeader(Type.DATA, 1) + b"x", b"\xff" * 5):
            self.setUp()
            attached = self.listeners.whenAttached()
            self.dialers.transport.write(first)
            self.pair.run()
            self.failed(attached, ProtocolViolation)
            assert self.pair.network.openSockets() == []
            self.logged()

    def test_lostBefore(self) -> None:
        """
        A path that ends before it is attached says so.
        """
        attached = self.listeners.whenAttached()
        self.dialers.close()
        self.pair.run()
        self.failed(attached, ConnectionDone)

    def test_records(self) -> None:
        """
        Records pass in order, both ways.
        """
        self.attach()
        self.dialers.sendData(b"one")
        self.dialers.send(Type.PING, b"two")
        self.listeners.send(Type.PONG)
        self.pair.run(SOON / 2)
        assert self.handlers[1].records == [b"one", Control(Type.PING, b"two")]
        assert self.handlers[0].records == [Control(Type.PONG)]

    def test_inOnePiece(self) -> None:
        """
        The ATTACH and what comes with it are delivered once, when a link uses the path.
        """
        attached = self.listeners.whenAttached()
        data = encodeHeader(Type.DATA, 4) + b"data"
        self.dialers.transport.write(encode(Type.ATTACH) + data + encode(Type.PING))
        self.pair.run()
        self.successResultOf(attached)
        handler = _Handler(self.listeners)
        assert handler.records == [Control(Type.ATTACH), b"data", Control(Type.PING)]
        self.dialers.send(Type.CLOSE)
        self.pair.run()
        assert handler.records[3:] == [Control(Type.CLOSE)]

    def test_usedAtOnce(self) -> None:
        """
        They are delivered once, too, to a link that uses the path at the moment of the
        ATTACH.
        """
        attached = self.listeners.whenAttached().addCallback(_Handler)
        data = encodeHeader(Type.DATA, 4) + b"data"
        self.dialers.transport.write(encode(Type.ATTACH) + data)
        self.dialers.sendData(b"more")
        self.pair.run()
        records = self.successResultOf(attached).records
        assert b"".join(r for r in records if isinstance(r, bytes)) == b"datamore"

    def test_waitsPaused(self) -> None:
        """
        Until a link uses the path, the other side cannot fill our memory.
        """
        self.dialers.startLink(Role.DIALER)
        for _ in range(200):
            self.dialers.sendData(bytes(65536))
        self.pair.run(10)
        held = [each for each in self.listeners._held if isinstance(each, bytes)]
        assert sum(map(len, held)) < 1_000_000

    def test_ended(self) -> None:
        """
        The handler hears of an end on purpose, after what was sent.
        """
        self.attach()
        self.dialers.sendData(b"last")
        self.dialers.close()
        self.pair.run()
        assert self.handlers[1].ends == [None]
        assert self.handlers[1].records == [b"last"]
        assert len(self.handlers[0].ends) == 1

    def test_aborted(self) -> None:
        """
        The handler hears of an end that was no purpose, once.
        """
        self.attach()
        self.dialers.abort()
        self.pair.run()
        for handler in self.handlers:
            assert [type(each) for each in handler.ends] == [PathLost]
        # Once is enough, and harmless after it.
        self.dialers.abort()
        self.listeners.close()

    def test_violated(self) -> None:
        """
        A malformed record ends the path by that name: its handler hears so at once and
        once, and nothing that comes after it; the peer hears a clean end.
        """
        self.attach()
        self.dialers.transport.write(encodeHeader(Type.PING, 1 << 30))
        self.pair.run()
        [violation] = self.handlers[1].ends
        assert isinstance(violation, ProtocolViolation)
        assert "PING record of 1073741824" in str(violation)
        self.dialers.sendData(b"ignored")
        self.pair.run()
        assert self.handlers[1].records == []
        assert len(self.handlers[1].ends) == 1
        assert self.handlers[0].ends == [None]
        assert self.pair.network.openSockets() == []

    def test_violatedUnused(self) -> None:
        """
        A path that no link uses yet ends by itself.
        """
        self.dialers.startLink(Role.DIALER)
        self.pair.run()
        self.listeners.violated(ProtocolViolation("as if"))
        self.pair.run()
        handler = _Handler(self.listeners)
        [violation] = handler.ends
        assert isinstance(violation, ProtocolViolation)
        assert self.pair.network.openSockets() == []

    def test_startedOnce(self) -> None:
        """
        A link begins once on a path, whoever asks, and is attached once.
        """
        link = self.dialers.startLink(Role.DIALER)
        assert self.dialers.startLink(Role.DIALER) is link
        self.pair.run()
        handler = _Handler(self.listeners)
        assert len(handler.records) == 1

    def test_material(self) -> None:
        """
        Both ends know the same link, its secret and its path's binding, which are
        no other path's.
        """
        other = Pair().paths()[0]
        for name in ("link", "secret", "binding"):
            mine: bytes = getattr(self.dialers, name)
            assert mine == getattr(self.listeners, name)
            assert mine != getattr(other, name)
        assert self.dialers.secret != self.dialers.binding

    def test_usedLate(self) -> None:
        """
        A link that uses a path that has ended hears so then.
        """
        self.dialers.startLink(Role.DIALER)
        self.pair.run()
        self.listeners.abort()
        self.pair.run()
        handler = _Handler(self.listeners)
        assert len(handler.ends) == 1

    def test_usedLateByDialer(self) -> None:
        """
        The dialer's too; that nobody waits for an ATTACH there is no error.
        """
        self.dialers.abort()
        self.pair.run()
        handler = _Handler(self.dialers)
        assert len(handler.ends) == 1
        self.failed(self.listeners.whenAttached())
        del self.dialers, self.pair
        assert self.logged() == []


class VerifyTests(PunchTestCase):
    """
    From a connection to a valid path.
    """

    def setUp(self) -> None:
        """
        Connect.
        """
        self.pair = Pair()
        self.connections = self.pair.connections()

    def verify(self, pins: tuple[bytes, bytes]) -> list[Deferred[Path]]:
        """
        Both sides verify; C{pins} are those that the dialer and the listener mean.
        """
        return [
            Deferred.fromCoroutine(
                verify(authenticator, connection, role, lambda pin=pin: succeed(pin))  # type: ignore[misc]
            )
            for authenticator, connection, role, pin in zip(
                self.pair.authenticators,
                self.connections,
                (Role.DIALER, Role.LISTENER),
                pins,
                strict=True,
            )
        ]

    def test_valid(self) -> None:
        """
        The dialer's is valid after TLS, the listener's when it is attached.
        """
        dialers, listeners = self.verify((LISTENER_ID.pin, DIALER_ID.pin))
        self.pair.run()
        path = self.successResultOf(dialers)
        self.waiting(listeners)
        path.startLink(Role.DIALER)
        self.pair.run()
        assert self.successResultOf(listeners).pin == DIALER_ID.pin

    def test_wrongPin(self) -> None:
        """
        Either side finds out about the other, and both are rid of the connection.
        """
        right = (LISTENER_ID.pin, DIALER_ID.pin)
        for wrong in (0, 1):
            self.setUp()
            pins = (bytes(32), right[1]) if wrong == 0 else (right[0], bytes(32))
            verified = self.verify(pins)
            self.pair.run()
            self.failed(verified[wrong], WrongPin)
            # What the other side makes of that is another test's.
            verified[1 - wrong].addErrback(lambda _: None)
            self.connections[wrong].whenLost.addCallback(lambda _: None)
            assert self.connections[wrong].whenLost.called

    def test_cancelled(self) -> None:
        """
        Cancelled at whatever moment, nothing is left.
        """
        for moment in (0.0, 0.03, 0.07, 0.1, 0.5):
            self.setUp()
            verified = self.verify((LISTENER_ID.pin, DIALER_ID.pin))
            self.pair.run(moment)
            if verified[0].called:
                self.successResultOf(verified[0]).abort()
            verified[0].addErrback(lambda _: None)
            verified[1].addErrback(lambda _: None)
            for each in verified:
                each.cancel()
            self.pair.run()
            assert self.pair.network.openSockets() == []
            assert list(self.pair.network.delayedCalls()) == []
