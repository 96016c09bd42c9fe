"""
Tests for L{punch.net.sharedport}.
"""

from __future__ import annotations

import socket
from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.python.failure import Failure

from punch.errors import BadOption, PortInUse
from punch.net.address import tcpAddress
from punch.net.connection import Connection, Origin
from punch.net.connector import outcomeOf
from punch.net.outcome import Outcome
from punch.net.sharedport import SharedPort, probePort
from punch.testing import MemoryHost, spin
from tests.support.doubles import PunchTestCase
from tests.support.programs import Recorder, Service, network


class _Port:
    """
    A shared port on a host, with what it has accepted.
    """

    def __init__(self, host: MemoryHost, interface: str = "") -> None:
        self.network = host.network
        self.accepted: list[Connection] = []
        self.probed: list[tuple[str, int]] = []
        self.shared = SharedPort(
            host,
            self.accepted.append,
            interface,
            lambda *probed: self.probed.append(probed),
        )

    def open(self, port: int = 0) -> int:
        """
        Open it.

        @return: its number.
        """
        self.shared.open(port)
        return self.shared.port

    def connect(self, ip: str, port: int) -> Connection:
        """
        Connect.
        """
        return spin(self.shared.connect(tcpAddress(ip, port)), self.network)

    def close(self) -> None:
        """
        Close it.
        """
        spin(self.shared.close(), self.network)


class SharedPortTests(PunchTestCase):
    """
    A shared port on a host in memory.
    """

    def setUp(self) -> None:
        """
        A host with both families, and another.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1", "2001:db8::1")
        self.port = _Port(self.host)
        self.other = _Port(self.network.host("192.0.2.2", "2001:db8::2"))

    def test_bothFamilies(self) -> None:
        """
        It accepts connections and makes them, IPv4 and IPv6, on one number.
        """
        assert self.port.open(4040) == 4040
        self.other.open(5050)
        for ip, from_ in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
            made = self.other.connect(ip, 4040)
            assert made.how is Origin.CONNECTED
            assert made.local == tcpAddress(from_, 5050)
            self.network.run(1)
            accepted = self.port.accepted.pop()
            assert accepted.how is Origin.ACCEPTED
            assert accepted.remote == tcpAddress(from_, 5050)

    def test_any(self) -> None:
        """
        Port 0 is any free one, the same for both families.
        """
        number = self.port.open(0)
        assert number > 0
        assert len(self.network.openSockets()) == 2
        assert {each.getsockname()[1] for each in self.host.sockets()} == {number}

    def test_anyTakenInOneFamily(self) -> None:
        """
        A number that is free in one family only is passed over.
        """
        taken: list[int] = []
        listen = self.host.listenTCP

        def listenTCP(port: Any, factory: Any, *args: Any, **kw: Any) -> Any:
            made: Any = listen(port, factory, *args, **kw)
            if kw.get("interface") == "" and len(taken) < 3:
                number = made.getHost().port
                taken.append(number)
                Service(self.host, number, "::")
            return made

        self.patch(self.host, "listenTCP", listenTCP)  # type: ignore[no-untyped-call]
        assert self.port.open(0) not in taken
        assert len(taken) == 3
        self.network.run(0)
        assert len(self.network.openSockets()) == 2 + 3

    def test_inUse(self) -> None:
        """
        A port of another program is in use, in either family.
        """
        for interface in ("", "::"):
            service = Service(self.host, 4040, interface)
            with pytest.raises(PortInUse, match="4040"):
                self.port.open(4040)
            self.port.close()
            spin(service.listening.stopListening(), self.network)

    def test_probed(self) -> None:
        """
        A port that is chosen is looked at first, in both families; one that the
        system gives needs no look.
        """
        self.port.open(0)
        assert self.port.probed == []
        self.port.close()
        self.port.open(4040)
        assert self.port.probed == [("", 4040), ("::", 4040)]

    def test_probedInUse(self) -> None:
        """
        What the look finds is raised, and nothing is opened.
        """

        def inUse(interface: str, port: int) -> None:
            if interface == "::":
                raise PortInUse(f"port {port}")

        port = SharedPort(self.host, lambda connection: None, probe=inUse)
        with pytest.raises(PortInUse):
            port.open(4040)
        assert self.network.openSockets() == []

    def test_again(self) -> None:
        """
        It can be opened again at once, while connections from before live on.
        """
        self.port.open(4040)
        self.other.open(5050)
        made = self.port.connect("192.0.2.2", 5050)
        self.port.close()
        again = _Port(self.host)
        assert again.open(4040) == 4040
        self.waiting(made.whenLost)

    def test_onlyIPv4(self) -> None:
        """
        A host without IPv6 has a port all the same.
        """
        port = _Port(self.network.host("192.0.2.3"))
        assert port.open(4040) == 4040
        assert port.open(0) != 4040
        self.other.open(5050)
        assert port.connect("192.0.2.2", 5050).remote.host == "192.0.2.2"

    def test_oneInterface(self) -> None:
        """
        With one local address it listens there only, and connects from there.
        """
        host = self.network.host("192.0.2.8", "192.0.2.9")
        port = _Port(host, "192.0.2.9")
        port.open(4040)
        self.other.open(5050)
        service = Service(self.host, 6060)
        assert port.connect("192.0.2.1", 6060).local.host == "192.0.2.9"
        assert service.listening
        assert self.other.connect("192.0.2.9", 4040)
        with pytest.raises(error.ConnectionRefusedError):
            self.other.connect("192.0.2.8", 4040)

    def test_otherFamily(self) -> None:
        """
        With one of the other family nothing is reached.
        """
        port = _Port(self.host, "192.0.2.1")
        port.open(4040)
        self.other.open(5050)
        with pytest.raises(error.ConnectError) as caught:
            port.connect("2001:db8::2", 5050)
        assert outcomeOf(Failure(caught.value)) is Outcome.UNREACHABLE

    def test_notOurInterface(self) -> None:
        """
        An address that is not this host's is a mistake in the options.
        """
        for interface in ("192.0.2.77", "2001:db8::77"):
            port = _Port(self.host, interface)
            for number in (0, 4040):
                with pytest.raises(BadOption, match=interface):
                    port.open(number)
        assert self.network.openSockets() == []

    def test_manyConnects(self) -> None:
        """
        Any number of connects go on from it at once.
        """
        self.port.open(4040)
        hosts = [self.network.host(f"192.0.2.{n}") for n in range(100, 120)]
        services = [Service(each, 5050) for each in hosts]
        connects = [
            self.port.shared.connect(tcpAddress(f"192.0.2.{n}", 5050))
            for n in range(100, 120)
        ]
        made = spin(gatherResults(connects), self.network)
        assert {each.local.port for each in made} == {4040}
        self.network.run(1)
        assert [len(each.accepted) for each in services] == [1] * 20

    def test_outcomes(self) -> None:
        """
        Connects end as the network says.
        """
        self.port.open(4040)
        refused = self.port.shared.connect(tcpAddress("192.0.2.2", 1))
        with pytest.raises(error.ConnectionRefusedError):
            spin(refused, self.network)
        silent = self.port.shared.connect(tcpAddress("192.0.2.99", 1))
        self.network.run(15)
        self.waiting(silent)
        self.network.run(200)
        assert outcomeOf(self.failed(silent)) is Outcome.TIMED_OUT

    def test_taken(self) -> None:
        """
        A four-tuple that lives already is taken.
        """
        self.port.open(4040)
        self.other.open(5050)
        self.port.connect("192.0.2.2", 5050)
        self.network.run(1)
        with pytest.raises(error.ConnectError) as caught:
            self.other.connect("192.0.2.1", 4040)
        assert outcomeOf(Failure(caught.value)) is Outcome.TAKEN

    def test_cancelled(self) -> None:
        """
        A cancelled connect leaves nothing behind.
        """
        self.port.open(4040)
        pending = self.port.shared.connect(tcpAddress("192.0.2.99", 1))
        self.network.run(1)
        pending.cancel()
        self.failed(pending)
        self.port.close()
        assert self.network.openSockets() == []
        assert list(self.host.getDelayedCalls()) == []

    def test_closed(self) -> None:
        """
        Closing it ends the listening and nothing else; waiting for that can be
        cancelled.
        """
        self.port.open(4040)
        self.other.open(5050)
        made = self.port.connect("192.0.2.2", 5050)
        closing = self.port.shared.close()
        closing.cancel()
        if not closing.called:
            self.failed(closing, CancelledError)
        else:
            closing.addErrback(lambda failure: failure.trap(CancelledError))
        self.network.run(1)
        refused = self.other.shared.connect(tcpAddress("2001:db8::1", 4040))
        with pytest.raises(error.ConnectionRefusedError):
            spin(refused, self.network)
        taker = Recorder()
        made.handOver(taker)
        self.other.accepted[0].transport.write(b"alive")
        self.network.run(1)
        assert taker.received == b"alive"
        self.port.close()


# Once each, over real sockets.


def really(coroutine: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
    """
    Run a coroutine on the real reactor (pytest-twisted waits for it).
    """
    return Deferred.fromCoroutine(coroutine).addTimeout(20, _reactor())


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


async def ended(*connections: Connection) -> None:
    """
    End connections.
    """
    for each in connections:
        each.abort()
        await each.whenLost


def test_realConnect() -> Deferred[None]:
    """
    On real sockets too, one port listens and connects.
    """

    async def run() -> None:
        accepted: Deferred[Connection] = Deferred()
        listening = SharedPort(_reactor(), accepted.callback)
        connecting = SharedPort(_reactor(), lambda connection: connection.abort())
        listening.open()
        connecting.open()
        assert listening.port != connecting.port
        made = await connecting.connect(tcpAddress("127.0.0.1", listening.port))
        came = await accepted
        assert made.local.port == came.remote.port == connecting.port
        await ended(made, came)
        await listening.close()
        await connecting.close()

    return really(run())


def test_realTwenty() -> Deferred[None]:
    """
    Twenty connects at once from one port, while it listens.
    """

    async def run() -> None:
        came: list[Connection] = []
        ports = [SharedPort(_reactor(), came.append) for _ in range(20)]
        connecting = SharedPort(_reactor(), lambda connection: connection.abort())
        for port in (*ports, connecting):
            port.open()
        connects = [
            connecting.connect(tcpAddress("127.0.0.1", port.port)) for port in ports
        ]
        made = await gatherResults(connects)
        assert {each.local.port for each in made} == {connecting.port}
        assert len({each.remote.port for each in made}) == 20
        for port in (*ports, connecting):
            await port.close()
        await ended(*made, *came)

    return really(run())


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_realPortInUse(family: socket.AddressFamily, reuse: bool) -> None:
    """
    A port on which a program of the same user listens is in use, even if that
    would share it.
    """
    if family == socket.AF_INET6 and not _hasIPv6():
        pytest.skip("no IPv6 here")
    with socket.socket(family) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
        if family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("", 0))
        other.listen()
        number = other.getsockname()[1]
        port = SharedPort(_reactor(), lambda connection: connection.abort())
        with pytest.raises(PortInUse, match=str(number)):
            port.open(number)
        with pytest.raises(PortInUse):
            probePort("::" if family == socket.AF_INET6 else "", number)


def _hasIPv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_realProbe() -> None:
    """
    To look at a free port leaves it free, and what is no address of ours shows
    when we listen, not before.
    """
    with socket.socket() as other:
        other.bind(("", 0))
        number = other.getsockname()[1]
    for _ in range(3):
        probePort("", number)
        probePort("::", number)
    probePort("192.0.2.1", number)


def test_realAgain() -> Deferred[None]:
    """
    A port can be opened again at once after connections on it were closed.
    """

    async def run() -> None:
        came: Deferred[Connection] = Deferred()
        listening = SharedPort(_reactor(), came.callback)
        connecting = SharedPort(_reactor(), lambda connection: connection.abort())
        listening.open()
        connecting.open()
        made = await connecting.connect(tcpAddress("127.0.0.1", listening.port))
        taker = Recorder()
        made.handOver(taker)
        (await came).handOver(Recorder())
        made.transport.loseConnection()  # Leaves TIME_WAIT.
        await made.whenLost
        await (await came).whenLost
        for port in (listening, connecting):
            number = port.port
            await port.close()
            port.open(number)
            await port.close()

    return really(run())
