"""
C{twist punch-rendezvous}.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.application.service import IServiceMaker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.plugin import getPlugins
from zope.interface import implementer

from punch.rendezvous.commands import Hello
from punch.rendezvous.limits import Limits
from punch.rendezvous.wire import takeBox, wireOf
from punch.rendezvous_tap import ListeningService, Options, optionName

TWIST = [sys.executable, "-m", "twisted", "--log-format", "text", "punch-rendezvous"]
LOCAL = "tcp:0:interface=127.0.0.1"

Start = Callable[..., "Rendezvous"]


class Rendezvous:
    """
    A rendezvous in a process.
    """

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*TWIST, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.log = ""

    def port(self) -> int:
        """
        The next port that it says it listens on.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line.decode()
            said = re.search(rb"listens on \S+:(\d+) \(", line)
            if said:
                return int(said[1])
        raise AssertionError(f"it does not listen: {self.log}")

    def stop(self) -> str:
        """
        Stop it.

        @return: its log.
        """
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.stdout is not None
        self.log += self.process.stdout.read().decode()
        self.process.wait()
        return self.log


@pytest.fixture(name="start")
def _start() -> Iterator[Start]:
    """
    Starts a rendezvous that is stopped after the test.
    """
    started: list[Rendezvous] = []

    def start(*arguments: str) -> Rendezvous:
        started.append(Rendezvous(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def hello(sock: socket.socket) -> dict[bytes, bytes]:
    """
    Say hello and have the answer.
    """
    sock.settimeout(30)
    sock.sendall(wireOf(Hello).ask({"version": 1, "features": []}, b"1"))
    heard = b""
    while True:
        taken = takeBox(heard, 0, 16_384)
        if taken is not None:
            return taken[0]
        data = sock.recv(4096)
        assert data
        heard += data


def mistaken(*arguments: str) -> str:
    """
    What a rendezvous that does not start says on standard error.
    """
    ended = subprocess.run(
        [*TWIST, *arguments], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode not in (0, None)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.stderr


def certificate(folder: Path) -> Path:
    """
    A key and a certificate for localhost.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


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


def test_listen(start: Start) -> None:
    """
    It listens on each endpoint, says where, and tells who comes what it observed.
    """
    rendezvous = start("--listen", LOCAL, "--listen", LOCAL)
    for port in (rendezvous.port(), rendezvous.port()):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            host, ours = sock.getsockname()
            assert hello(sock)[b"observed"] == f"{host}:{ours}".encode()
    log = rendezvous.stop()
    assert "Traceback" not in log
    assert f"({LOCAL})" in log


def test_tls(start: Start, tmp_path: Path) -> None:
    """
    It speaks TLS where its endpoint does, knows the round trip to who comes by it,
    and bears who does not speak it.
    """
    pem = certificate(tmp_path)
    rendezvous = start(
        "--listen", f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
    )
    place = ("127.0.0.1", rendezvous.port())
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
    assert "Traceback" not in rendezvous.stop()


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
        (["--listen", "tcp:99999:interface=127.0.0.1"], "cannot listen on tcp:99999"),
        (["--listen", "tcp:1:interface=192.0.2.1"], "cannot listen on tcp:1:"),
    ],
)
def test_mistakes(arguments: list[str], line: str) -> None:
    """
    A mistake gets one line.
    """
    said = mistaken(*arguments)
    assert said.startswith(f"punch-rendezvous: {line}")
    assert said.endswith("\n")
    assert said.count("\n") == 1


def test_portInUse() -> None:
    """
    So does a port that another program has, and the process ends.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = mistaken("--listen", f"tcp:{port}:interface=127.0.0.1")
    assert said == (
        f"punch-rendezvous: cannot listen on tcp:{port}:interface=127.0.0.1: "
        "Address already in use\n"
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


def test_fails() -> None:
    """
    An endpoint that fails later is told of then.
    """
    endpoint, said = Later(), list[str]()
    service = ListeningService(Factory(), [("later", endpoint)], said.append)
    service.startService()
    assert said == []
    endpoint.listening.errback(OSError("no such luck"))
    assert said == ["cannot listen on later: no such luck"]


def test_stopped() -> None:
    """
    A service that stops waits no more for an endpoint, and that is no failure.
    """
    endpoint, said = Later(), list[str]()
    service = ListeningService(Factory(), [("later", endpoint)], said.append)
    service.startService()
    stopped: list[object] = []
    service.stopService().addCallback(stopped.append)
    assert stopped == [None]
    assert said == []
