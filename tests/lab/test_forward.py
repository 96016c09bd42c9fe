"""
Forwards over two NATs that drop: what people put on them.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from statistics import median
from threading import Thread
from time import monotonic

import pytest

from .host import Host
from .nats import DROP
from .run import Meeting
from .topology import Laboratory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

ROUND_TRIP = 0.08
BULK = 2 << 20

_FETCH = """\
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
"""


@contextmanager
def serving(
    host: Host, port: int, serve: Callable[[socket.socket], None]
) -> Iterator[None]:
    """
    A program on C{host} that serves one connection after the other.
    """
    listening = host.socket(port, timeout=60.0)
    listening.listen()

    def run() -> None:
        with suppress(OSError):
            while True:
                with listening.accept()[0] as connection:
                    connection.settimeout(60.0)
                    serve(connection)

    Thread(target=run, daemon=True).start()
    with listening:
        yield
        # To close it alone does not wake who accepts.
        listening.shutdown(socket.SHUT_RDWR)


def connected(host: Host, port: int) -> socket.socket:
    """
    A connection to a port of the host's own.
    """
    made = host.socket(timeout=60.0)
    made.connect(("127.0.0.1", port))
    return made


def through(
    directory: Path,
    use: Callable[[Laboratory], object],
    serve: Callable[[socket.socket], None],
) -> None:
    """
    Have C{b} forward its port 2222 to C{a}'s port 22, and use that.
    """
    with (
        Laboratory(DROP, DROP) as lab,
        serving(lab.a, 22, serve),
        Meeting(
            lab, directory, 15.0, options=["--expose", "tcp:127.0.0.1:22"]
        ) as meeting,
    ):
        forward = ["--forward", "tcp:2222:interface=127.0.0.1"]
        outcome = meeting.dial(lambda: use(lab), forward)
        assert outcome.connected, (outcome.reason, outcome.explanation)


def repeat(connection: socket.socket) -> None:
    """
    Say everything again, at once, as a terminal does.
    """
    while said := connection.recv(4096):
        connection.sendall(said)


def test_interactive(tmp_path: Path) -> None:
    """
    Each key is back after one round trip, and not much more.
    """
    first: list[float] = []
    times: list[float] = []

    def use(lab: Laboratory) -> None:
        for _ in range(3):
            with connected(lab.b, 2222) as terminal:
                keys = [trip(terminal, key) for key in b"ls -l /tmp; exit\n"]
            first.append(keys[0])
            times.extend(keys)

    through(tmp_path, use, repeat)
    assert median(times) < ROUND_TRIP * 1.5
    # The first also opens the stream and connects there.
    assert min(first) < ROUND_TRIP * 2


def trip(terminal: socket.socket, key: int) -> float:
    """
    How many seconds later a key is back.
    """
    started = monotonic()
    terminal.sendall(bytes([key]))
    assert terminal.recv(10) == bytes([key])
    return monotonic() - started


def test_web(tmp_path: Path) -> None:
    """
    A web server, for some fetches one after another.
    """
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text("a page\n" * 1000)
    serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
    serve += ["--directory", str(tmp_path / "site"), "8000"]
    fetch = [sys.executable, "-c", _FETCH, "http://127.0.0.1:8080/page"]
    with (
        Laboratory(DROP, DROP) as lab,
        Meeting(
            lab, tmp_path, 15.0, options=["--expose", "web=tcp:localhost:8000"]
        ) as meeting,
    ):
        server = lab.a.start(serve, tmp_path / "http.log")

        def use() -> None:
            assert lab.a.answers(("127.0.0.1", 8000), 20.0)
            for _ in range(3):
                fetched = lab.b.run(fetch)
                assert fetched.stdout == "a page\n" * 1000, fetched.stderr

        forward = ["--forward", "web=tcp:8080:interface=127.0.0.1"]
        outcome = meeting.dial(use, forward)
        server.end()
        assert outcome.connected, (outcome.reason, outcome.explanation)


def test_bulk(tmp_path: Path) -> None:
    """
    Much, one way and then the other, ended properly.
    """
    data = os.urandom(BULK)
    heard: list[bytes] = []

    def everything(connection: socket.socket) -> bytes:
        pieces = []
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
        return b"".join(pieces)

    def serve(connection: socket.socket) -> None:
        heard.append(everything(connection))
        connection.sendall(heard[0])

    def use(lab: Laboratory) -> None:
        with connected(lab.b, 2222) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            heard.append(everything(client))

    through(tmp_path, use, serve)
    assert [sha256(each).digest() for each in heard] == [sha256(data).digest()] * 2
