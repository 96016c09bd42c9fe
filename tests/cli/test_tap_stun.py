"""
C{--stun} as a user meets it, for real on loopback; our client with coturn's server,
and coturn's client with our server.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from punch.nat.stun import BindingError, BindingRequest, decode
from tests.support.processes import (
    PATIENCE,
    Program,
    Start,
    assertRefused,
    freePort,
    startRendezvous,
)


def _needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(tool) is None,
        reason=f"no {tool}: install coturn (apt-get install coturn)",
    )


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[int]:
    """
    Coturn's server, on loopback and TCP alone: its port.
    """
    port = freePort()
    config = tmp_path / "turnserver.conf"
    config.write_text(
        f"""
listening-ip=127.0.0.1
listening-port={port}
no-udp
no-tls
no-dtls
no-cli
no-auth
stun-only
simple-log
log-file=stdout
pidfile={tmp_path}/turnserver.pid
userdb={tmp_path}/turndb
"""
    )
    with (tmp_path / "turnserver.log").open("wb") as log:
        server = subprocess.Popen(
            ["turnserver", "-c", str(config)], stdout=log, stderr=log, cwd=tmp_path
        )
    try:
        _awaitPort(port, server)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _awaitPort(port: int, server: subprocess.Popen[bytes]) -> None:
    """
    Wait until something listens.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert server.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)  # No way to be told.
    raise AssertionError("turnserver does not listen")


@_needs("turnserver")
def test_client(start: Start, rendezvous: str, coturn: int) -> None:
    """
    Coturn's server tells both peers their shared ports.
    """
    _meet(start, rendezvous, coturn)


def test_ourOwn(start: Start) -> None:
    """
    So does ours, beside the rendezvous.
    """
    stun = freePort()
    where = f"tcp:{stun}:interface=127.0.0.1"
    _meet(start, startRendezvous(start, 2, "--stun", where), stun)


def _meet(start: Start, rendezvous: str, stun: int) -> None:
    """
    Have two peers meet who ask that STUN server.
    """
    there = f"127.0.0.1:{stun}"
    options = (*_plainly(rendezvous), "--stun", there)
    listener = start("punch", *options)
    listener.await_("observed", 2)
    code = listener.await_("code")["code"]
    dialer = start("punch", *options, "--code", code)
    _part(dialer, listener)
    seen = {each: _seenBy(each, there) for each in (listener, dialer)}
    assert len(seen[listener]) == 1
    # The link may be there before the server has answered the dialer.
    assert len(seen[dialer]) <= 1
    for program, addresses in seen.items():
        [listening] = program.told("listening")
        assert set(addresses) <= {f"127.0.0.1:{listening['port']}"}


def _seenBy(program: Program, server: str) -> list[str]:
    """
    The addresses at which the STUN server has seen a program's shared port.
    """
    observed = program.told("observed")
    return [each["address"] for each in observed if each["by"] == server]


def _plainly(rendezvous: str) -> tuple[str, ...]:
    """
    Options of a meeting that is over with its first path.
    """
    return ("--rendezvous", rendezvous, "--once", "--relay", "never")


def _part(dialer: Program, listener: Program) -> None:
    """
    Have both connected, and end.
    """
    for program in (dialer, listener):
        program.await_("connected")
    dialer.stop()
    assert listener.end() == (0, "")


def test_nobody(start: Start, rendezvous: str) -> None:
    """
    A STUN server that is not there is told of in the log, and harms nothing.
    """
    options = _plainly(rendezvous)
    nowhere = ("--stun", f"127.0.0.1:{freePort()}", "--stun", "nobody.invalid:1")
    listener = start("punch", *options, *nowhere)
    code = listener.await_("code")["code"]
    listener.awaitLine("The STUN server cannot be reached", 2)
    dialer = start("punch", *options, "--code", code, *nowhere)
    _part(dialer, listener)
    for program in (listener, dialer):
        [seen] = program.told("observed")
        assert seen["by"] == "rendezvous"
        assert not program.heard("Traceback")


MISTAKES = [
    (["--rendezvous", "tcp:h:1", "--stun", "x"], "--stun x: not HOST:PORT"),
    (["--rendezvous", "tcp:h:1", "--stun", "::1:2"], "in brackets"),
    (["--peer", "h:1", "--plaintext", "--port", "2", "--stun", "h:1"], "rendezvous"),
]


def test_mistakes(start: Start) -> None:
    """
    Each mistake gets one line, and the status for misuse.
    """
    running = [(start("punch", *args), line) for args, line in MISTAKES]
    for program, line in running:
        assert assertRefused(program, line) == 64


@_needs("turnserver")
def test_refusal(coturn: int) -> None:
    """
    Coturn refuses attributes that nobody knows as we do, and we read it.
    """
    question = bytearray(
        BindingRequest(bytes(12)).toBytes() + bytes.fromhex("7fff000400000000")
    )
    question[3] = 8
    with socket.create_connection(("127.0.0.1", coturn)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(bytes(question))
        refusal = decode(sock.recv(1000))
    assert isinstance(refusal, BindingError)
    assert (refusal.code, refusal.unknown) == (420, (0x7FFF,))


def _serve(start: Start, port: int) -> Program:
    """
    Our server.
    """
    here = "interface=127.0.0.1"
    server = start(
        "punch-rendezvous", "--listen", f"tcp:0:{here}", "--stun", f"tcp:{port}:{here}"
    )
    server.awaitLine("listens on", 2)
    return server


@contextmanager
def overUDP(port: int) -> Iterator[tuple[int, list[int]]]:
    """
    Carries each datagram to a server's TCP port on a connection of its own, and what
    it answers back: a message of STUN is the same in both, only TCP's end is not
    marked (RFC 8489 section 6.2.2).

    @return: the UDP port, and the TCP ports from which it has asked.
    """
    used: list[int] = []

    def carry() -> None:
        while True:
            datagram, source = udp.recvfrom(2000)
            if not datagram:
                return
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.settimeout(PATIENCE)
                used.append(sock.getsockname()[1])
                sock.sendall(datagram)
                udp.sendto(sock.recv(2000), source)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        carrier = threading.Thread(target=carry, daemon=True)
        carrier.start()
        yield udp.getsockname()[1], used
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", udp.getsockname())
        carrier.join(PATIENCE)
        assert not carrier.is_alive()


@_needs("turnutils_stunclient")
def test_server(start: Start) -> None:
    """
    Coturn's client understands our server.  It speaks UDP only (so does its
    C{turnutils_natdiscovery}; C{turnutils_uclient -t} asks for nothing but TURN's
    Allocate), so its messages are carried over to TCP.
    """
    port = freePort()
    server = _serve(start, port)
    with overUDP(port) as (udp, used):
        ran = subprocess.run(
            ["turnutils_stunclient", "-p", str(udp), "127.0.0.1"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    said = ran.stdout + ran.stderr
    found = re.findall(r"reflexive addr: 127\.0\.0\.1:(\d+)", said)
    assert found, said
    assert set(found) == {str(each) for each in used}
    assert ran.returncode == 0
    assert not server.heard("Traceback")


@_needs("turnutils_uclient")
def test_allocate(start: Start) -> None:
    """
    Coturn's TURN client, over TCP, gets no answer to what STUN does not have
    (section 6.3), and the server takes no harm.
    """
    port = freePort()
    server = _serve(start, port)
    command = ["turnutils_uclient", "-t", "-c", "-n", "1", "-e", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "-v", "-p", str(port), "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        assert client.stdout is not None
        said = b""
        while b"allocate sent" not in said:
            said += (line := client.stdout.readline())
            assert line, said
        with pytest.raises(subprocess.TimeoutExpired):
            client.wait(2.0)
        client.kill()
        said += client.stdout.read()
    assert b"success" not in said
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(BindingRequest(bytes(12)).toBytes())
        assert decode(sock.recv(1000))
    assert not server.heard("Traceback")
