"""
C{twist punch-rendezvous}.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IServiceMaker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.plugin import getPlugins
from twisted.protocols.amp import Command
from zope.interface import implementer

from punch.cli.rendezvous_tap import (
    ListeningEndpoint,
    Options,
    RendezvousService,
    optionName,
)
from punch.cli.sdnotify import SystemdNotifier
from punch.nat.stun import BindingRequest, BindingSuccess
from punch.net.address import tcpAddress
from punch.rendezvous.commands import Dial, Hello, Publish
from punch.rendezvous.relaypreamble import TICKET_BYTES, encodePreamble
from punch.rendezvous.server.amp import codecOf, readBox
from punch.rendezvous.server.limits import Limits
from tests.support.processes import (
    FEW_FILES,
    Program,
    Start,
    assertRefused,
    certificate,
    freePort,
    openFiles,
    until,
)

LOCAL = "tcp:0:interface=127.0.0.1"

Box = dict[bytes, bytes]


@pytest.fixture(name="start")
def _start(start: Start) -> Start:
    """
    Starts a rendezvous, which ends with the test.
    """
    return partial(start, "punch-rendezvous")


def places(program: Program, count: int = 1) -> list[tuple[str, int]]:
    """
    Where a rendezvous says that it listens, so many times.
    """

    def found() -> list[str]:
        return re.findall(r"listens on \S+:(\d+) \(", program.log.read_text())

    until(lambda: len(found()) >= count, program)
    return [("127.0.0.1", int(port)) for port in found()[:count]]


def stopped(program: Program) -> str:
    """
    Stop a program.

    @return: all that it has said.
    """
    program.process.terminate()
    _, error = program.end()
    return program.log.read_text() + error


def hello(sock: socket.socket) -> Box:
    """
    Say hello and have the answer.
    """
    return ask(sock, Hello, version=1, features=[])


def ask(sock: socket.socket, command: type[Command], **values: Any) -> Box:
    """
    Have a command answered.
    """
    sock.sendall(codecOf(command).ask(values, b"1"))
    return box(sock)


def box(sock: socket.socket) -> Box:
    """
    The next box to arrive.
    """
    sock.settimeout(30)
    heard = b""
    while True:
        taken = readBox(heard, 0, 16_384)
        if taken is not None:
            assert taken[1] == len(heard)
            return taken[0]
        data = sock.recv(4096)
        assert data
        heard += data


def test_plugins() -> None:
    """
    twist knows both of our commands.
    """
    names = {plugin.tapname for plugin in getPlugins(IServiceMaker)}
    assert {"punch", "punch-rendezvous"} <= names


def test_optionNames() -> None:
    """
    Every limit has its option, under its name with dashes.
    """
    assert optionName("dialsPerMinutePerName") == "max-dials-per-minute-per-name"
    options = Options()
    options.parseOptions([f"--{optionName(each.name)}=7" for each in fields(Limits)])
    assert options["limits"] == Limits(**{each.name: 7 for each in fields(Limits)})


def test_defaults() -> None:
    """
    Without options it listens on port 4040 with the default limits.
    """
    options = Options()
    options.parseOptions([])
    assert options["limits"] == Limits()
    assert [each.split(":")[:2] for each in options["listen"]] == [["tcp", "4040"]]
    assert options["relay"]


@pytest.mark.parametrize(
    ("arguments", "relays"),
    [([], True), (["--relay"], True), (["--no-relay"], False)],
)
def test_relayOption(arguments: list[str], relays: bool) -> None:
    """
    It is a relay unless it is told not to be.
    """
    options = Options()
    options.parseOptions(arguments)
    assert options["relay"] is relays


def test_listen(start: Start) -> None:
    """
    It listens on each endpoint, says where, and tells who comes what it observed.
    """
    rendezvous = start("--listen", LOCAL, "--listen", LOCAL)
    for place in places(rendezvous, 2):
        with socket.create_connection(place) as sock:
            host, ours = sock.getsockname()
            assert hello(sock)[b"observed"] == f"{host}:{ours}".encode()
    log = stopped(rendezvous)
    assert "Traceback" not in log
    assert f"({LOCAL})" in log


def test_crowd(start: Start) -> None:
    """
    It serves more connections than the system lets it have files at first.
    """
    crowd = 2 * FEW_FILES
    with openFiles(FEW_FILES):
        limit = f"--max-connections-per-address={crowd}"
        [place] = places(start("--listen", LOCAL, limit))
    with ExitStack() as stack:
        stack.enter_context(openFiles(4 * FEW_FILES))
        for _ in range(crowd):
            sock = stack.enter_context(socket.create_connection(place))
            assert b"observed" in hello(sock)


def test_tls(start: Start, tmp_path: Path) -> None:
    """
    It speaks TLS where its endpoint does, knows the round trip to who comes by it,
    and bears who does not speak it.
    """
    pem = certificate(tmp_path)
    rendezvous = start(
        "--listen", f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
    )
    [place] = places(rendezvous)
    for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""):
        with socket.create_connection(place) as sock:
            sock.sendall(rubbish)
    context = ssl.create_default_context(cafile=str(pem))
    context.check_hostname = False
    with (
        socket.create_connection(place) as sock,
        context.wrap_socket(sock) as secure,
    ):
        host, ours = secure.getsockname()
        assert hello(secure)[b"observed"] == f"{host}:{ours}".encode()
        if sys.platform == "linux":
            # Else it would ask within a second, to measure.
            secure.settimeout(1.6)
            with pytest.raises(TimeoutError):
                secure.recv(1)
    assert "Traceback" not in stopped(rendezvous)


def relayed(
    connect: Callable[[], socket.socket], ending: Callable[[socket.socket], Any]
) -> None:
    """
    Have two clients meet, and speak through the relay.

    @param ending: has a client finish.
    """
    with connect() as listener, connect() as dialer:
        for sock in (listener, dialer):
            hello(sock)
        ask(listener, Publish, name="here", owner=bytes(16))
        mine = ask(dialer, Dial, name="here", message=b"PAKE")[b"ticket"]
        theirs = box(listener)[b"ticket"]
    with connect() as first, connect() as second:
        first.sendall(encodePreamble(mine) + b"first")
        second.sendall(encodePreamble(theirs) + b"second")
        assert read(first, 7) == b"\0second"
        assert read(second, 6) == b"\0first"
        much = os.urandom(4_000_000)
        sending = threading.Thread(target=first.sendall, args=(much,))
        sending.start()
        assert read(second, len(much)) == much
        sending.join()
        ending(first)
        assert second.recv(1) == b""


def read(sock: socket.socket, count: int) -> bytes:
    """
    So many bytes.
    """
    sock.settimeout(30)
    heard = b""
    while len(heard) < count:
        data = sock.recv(count - len(heard))
        assert data
        heard += data
    return heard


def test_relay(start: Start) -> None:
    """
    It relays, and each direction ends alone.
    """
    [place] = places(start("--listen", LOCAL))

    def ending(sock: socket.socket) -> None:
        sock.shutdown(socket.SHUT_WR)

    relayed(lambda: socket.create_connection(place), ending)


def test_relayTLS(start: Start, tmp_path: Path) -> None:
    """
    It relays inside TLS, too.
    """
    pem = certificate(tmp_path)
    rendezvous = start(
        "--listen", f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
    )
    [place] = places(rendezvous)
    context = ssl.create_default_context(cafile=str(pem))

    def connect() -> ssl.SSLSocket:
        return context.wrap_socket(
            socket.create_connection(place),
            server_hostname="localhost",
            suppress_ragged_eofs=False,
        )

    def ending(sock: Any) -> None:
        sock.unwrap()

    relayed(connect, ending)
    assert "Traceback" not in stopped(rendezvous)


def test_noRelay(start: Start) -> None:
    """
    With C{--no-relay} nobody gets a ticket, and who shows one is sent away.
    """
    [place] = places(start("--no-relay", "--listen", LOCAL))
    with (
        socket.create_connection(place) as listener,
        socket.create_connection(place) as dialer,
    ):
        for sock in (listener, dialer):
            hello(sock)
        ask(listener, Publish, name="here", owner=bytes(16))
        answer = ask(dialer, Dial, name="here", message=b"PAKE")
        assert b"introduction" in answer
        assert b"ticket" not in answer
        assert b"ticket" not in box(listener)
    with socket.create_connection(place) as sock:
        sock.sendall(encodePreamble(bytes(TICKET_BYTES)))
        assert sock.recv(1) == b""


def test_stun(start: Start) -> None:
    """
    With C{--stun} it answers STUN, too, on ports of their own.
    """
    both = start("--listen", LOCAL, "--stun", LOCAL, "--stun", LOCAL)
    answered = [place for place in places(both, 3) if _answersSTUN(place)]
    assert len(answered) == 2
    log = stopped(both)
    assert log.count("The STUN server listens on 127.0.0.1:") == 2
    assert "Traceback" not in log


def _answersSTUN(place: tuple[str, int]) -> bool:
    """
    Whether we are told our address there.
    """
    with socket.create_connection(place) as sock:
        sock.sendall(BindingRequest(bytes(12)).toBytes())
        answer = b""
        with suppress(ConnectionResetError):
            answer = sock.recv(1000)
        ours = sock.getsockname()[1]
    told = BindingSuccess(bytes(12), tcpAddress("127.0.0.1", ours)).toBytes()
    return answer == told


@pytest.mark.skipif(sys.platform == "win32", reason="no UNIX sockets")
def test_supervised(start: Start, tmp_path: Path) -> None:
    """
    Its supervisor hears when all endpoints are listened on, and that it stops.
    """
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(30)
        listen = ("--listen", LOCAL, "--listen", LOCAL)
        rendezvous = start(*listen, environment={"NOTIFY_SOCKET": path})
        assert sock.recv(100) == b"READY=1"
        for place in places(rendezvous, 2):
            socket.create_connection(place).close()
        rendezvous.stop()
        assert sock.recv(100) == b"STOPPING=1"
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(100)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--listen", "tcpx:1"], "--listen tcpx:1: Unknown endpoint type: 'tcpx'"),
        (["--listen", "tcp:port"], "--listen tcp:port: "),
        (["--listen", ""], "--listen : "),
        (["--listen", "ssl:1:privateKey=/none"], "--listen ssl:1:privateKey=/none: "),
        (["--max-refusals", "x"], "--max-refusals takes a whole number, not 'x'"),
        (["--max-refusals", "0"], "--max-refusals must be at least 1"),
        (["--max-nothing", "1"], "option --max-nothing not recognized"),
        (["--stun", "tcpx:1"], "--stun tcpx:1: Unknown endpoint type: 'tcpx'"),
        (["--stun", "tcp:1:interface=192.0.2.1"], "cannot listen on tcp:1:"),
        (["--listen", "tcp:99999:interface=127.0.0.1"], "cannot listen on tcp:99999"),
        (["--listen", "tcp:1:interface=192.0.2.1"], "cannot listen on tcp:1:"),
    ],
)
def test_mistakes(start: Start, arguments: list[str], line: str) -> None:
    """
    A mistake gets one line.
    """
    assertRefused(start(*arguments), f"punch-rendezvous: {line}")


def test_portInUse(start: Start) -> None:
    """
    So does a port that another program has, and the process ends.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        assertRefused(
            start("--listen", where),
            f"punch-rendezvous: cannot listen on {where}: Address already in use\n",
        )


@implementer(IStreamServerEndpoint)
class Later:
    """
    An endpoint that listens when it is told.
    """

    def __init__(self) -> None:
        self.listening: Deferred[IListeningPort] = Deferred()

    def listen(self, protocolFactory: Any) -> Deferred[IListeningPort]:
        """
        Listen later.
        """
        return self.listening


def listening(endpoint: Later, said: list[str]) -> RendezvousService:
    """
    A service that has started, of which nobody is told.
    """
    endpoints = [ListeningEndpoint("later", endpoint, Factory())]
    notifier = SystemdNotifier(MemoryReactor(), {})
    service = RendezvousService(endpoints, said.append, notifier)
    service.startService()
    return service


def test_fails() -> None:
    """
    An endpoint that fails later is told of then.
    """
    endpoint, said = Later(), list[str]()
    listening(endpoint, said)
    assert said == []
    endpoint.listening.errback(OSError("no such luck"))
    assert said == ["cannot listen on later: no such luck"]


def test_stopped() -> None:
    """
    A service that stops waits no more for an endpoint, and that is no failure.
    """
    endpoint, said = Later(), list[str]()
    service = listening(endpoint, said)
    stopped: list[object] = []
    service.stopService().addCallback(stopped.append)
    assert stopped == [None]
    assert said == []


def test_vantages(start: Start) -> None:
    """
    Peers are told of the port beside the first by its number alone: where it is they
    know, also where another address leads here.
    """
    rendezvous = start("--listen", f"tcp:{freePort()}:interface=127.0.0.1")
    first, beside = places(rendezvous, 2)
    assert beside[1] == first[1] + 1
    with socket.create_connection(first) as sock:
        told = hello(sock)[b"vantages"]
    assert f":{beside[1]}".encode() in told
    assert b"127.0.0.1" not in told
