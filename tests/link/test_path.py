"""
Tests for L{punch.link.path}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from punch.errors import ProtocolViolation, WrongPin
from punch.link.path import Path, verify
from punch.link.records import Control, Record, Type, encode, encodeHeader
from punch.role import Role
from tests.support.doubles import DIALER_ID, LISTENER_ID, Pair, PunchTestCase


class _Rider:
    """
    Remembers what a path brings.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.lost: list[Failure | ProtocolViolation] = []

    def recordsReceived(self, records: list[Record]) -> None:
        """
        Remember them.
        """
        self.records += records

    def pathLost(self, reason: Failure | ProtocolViolation) -> None:
        """
        Remember why.
        """
        self.lost.append(reason)


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
        The dialer attaches, and both carry a rider.
        """
        self.dialers.begin(Role.DIALER)
        self.pair.run()
        self.riders = (_Rider(), _Rider())
        self.dialers.carry(self.riders[0])
        self.listeners.carry(self.riders[1])
        [attach] = self.riders[1].records
        assert isinstance(attach, Control)
        assert attach.type is Type.ATTACH
        self.riders[1].records.clear()

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
        self.dialers.begin(Role.DIALER)
        self.pair.run()
        assert self.successResultOf(attached) is self.listeners

    def test_cancelled(self) -> None:
        """
        Who does not want to hear it any more leaves the path as it is.
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
        self.dialers.finish()
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
        self.pair.run()
        assert self.riders[1].records == [b"one", Control(Type.PING, b"two")]
        assert self.riders[0].records == [Control(Type.PONG)]

    def test_inOnePiece(self) -> None:
        """
        The ATTACH and what comes with it are delivered once, when somebody rides.
        """
        attached = self.listeners.whenAttached()
        data = encodeHeader(Type.DATA, 4) + b"data"
        self.dialers.transport.write(encode(Type.ATTACH) + data + encode(Type.PING))
        self.pair.run()
        self.successResultOf(attached)
        rider = _Rider()
        self.listeners.carry(rider)
        assert rider.records == [Control(Type.ATTACH), b"data", Control(Type.PING)]
        self.dialers.send(Type.CLOSE)
        self.pair.run()
        assert rider.records[3:] == [Control(Type.CLOSE)]

    def test_ridesAtOnce(self) -> None:
        """
        Also to who begins to ride in the moment of the ATTACH.
        """
        rider = _Rider()
        attached = self.listeners.whenAttached()
        attached.addCallback(lambda path: path.carry(rider))
        data = encodeHeader(Type.DATA, 4) + b"data"
        self.dialers.transport.write(encode(Type.ATTACH) + data)
        self.dialers.sendData(b"more")
        self.pair.run()
        assert b"".join(r for r in rider.records if isinstance(r, bytes)) == (
            b"datamore"
        )

    def test_waitsPaused(self) -> None:
        """
        Until somebody rides, the other side cannot fill our memory.
        """
        self.dialers.begin(Role.DIALER)
        for _ in range(200):
            self.dialers.sendData(bytes(65536))
        self.pair.run(10)
        held = [each for each in self.listeners._held if isinstance(each, bytes)]
        assert sum(map(len, held)) < 1_000_000

    def test_ended(self) -> None:
        """
        The rider hears of an end on purpose, after what was sent.
        """
        self.attach()
        self.dialers.sendData(b"last")
        self.dialers.finish()
        self.pair.run()
        [reason] = self.riders[1].lost
        assert isinstance(reason, Failure)
        reason.trap(ConnectionDone)
        assert self.riders[1].records == [b"last"]
        assert len(self.riders[0].lost) == 1

    def test_aborted(self) -> None:
        """
        And of one that was not.
        """
        self.attach()
        self.dialers.abort()
        self.pair.run()
        for rider in self.riders:
            [reason] = rider.lost
            assert isinstance(reason, Failure)
            assert not reason.check(ConnectionDone)
        # Once is enough, and harmless after it.
        self.dialers.abort()
        self.listeners.finish()

    def test_violated(self) -> None:
        """
        A malformed record ends the path by that name: its rider hears so at once,
        nothing that comes after it, and again when the path is gone.
        """
        self.attach()
        self.dialers.transport.write(encodeHeader(Type.PING, 1 << 30))
        self.pair.run()
        [reason] = self.riders[1].lost
        assert isinstance(reason, ProtocolViolation)
        assert "PING record of 1073741824" in str(reason)
        self.dialers.sendData(b"ignored")
        self.pair.run()
        assert self.riders[1].records == []
        self.listeners.finish()
        self.pair.run()
        assert len(self.riders[1].lost) == 2
        [reason] = self.riders[0].lost
        assert isinstance(reason, Failure)
        reason.trap(ConnectionDone)
        assert self.pair.network.openSockets() == []

    def test_violatedUnridden(self) -> None:
        """
        Where nobody rides yet, the path ends by itself.
        """
        self.dialers.begin(Role.DIALER)
        self.pair.run()
        self.listeners.violated(ProtocolViolation("as if"))
        self.pair.run()
        rider = _Rider()
        self.listeners.carry(rider)
        [reason] = rider.lost
        assert isinstance(reason, ProtocolViolation)
        assert self.pair.network.openSockets() == []

    def test_begunOnce(self) -> None:
        """
        A link begins once on a path, whoever asks, and is attached once.
        """
        begun = self.dialers.begin(Role.DIALER)
        assert self.dialers.begin(Role.DIALER) is begun
        self.pair.run()
        rider = _Rider()
        self.listeners.carry(rider)
        assert len(rider.records) == 1

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

    def test_lateRider(self) -> None:
        """
        Who rides on a path that has ended hears it then.
        """
        self.dialers.begin(Role.DIALER)
        self.pair.run()
        self.listeners.abort()
        self.pair.run()
        rider = _Rider()
        self.listeners.carry(rider)
        assert len(rider.lost) == 1

    def test_lateRiderOfDialer(self) -> None:
        """
        The dialer's too; that nobody waits for an ATTACH there is no error.
        """
        self.dialers.abort()
        self.pair.run()
        rider = _Rider()
        self.dialers.carry(rider)
        assert len(rider.lost) == 1
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
                verify(security, connection, role, lambda pin=pin: succeed(pin))  # type: ignore[misc]
            )
            for security, connection, role, pin in zip(
                self.pair.securities,
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
        path.begin(Role.DIALER)
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
