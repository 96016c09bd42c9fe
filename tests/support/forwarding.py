"""
What the tests of C{--expose} and C{--forward} share: targets, clients, and two
programs with a link; real processes on loopback.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from tests.support.processes import PATIENCE, Program, until

LOCAL = "tcp:0:interface=127.0.0.1"

Serve = Callable[[socket.socket], None]


# What runs behind the forwards.


@contextmanager
def serving(serve: Serve, path: Path | None = None) -> Iterator[int]:
    """
    A target whose connections have a thread each.

    @return: its port.
    """
    if path is None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=1000)
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()

    def take(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            connection.settimeout(PATIENCE)
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                Thread(target=take, args=(connection,), daemon=True).start()

    Thread(target=accept, daemon=True).start()
    with listening:
        yield 0 if path else listening.getsockname()[1]
        # To close it alone does not wake who accepts.
        listening.shutdown(socket.SHUT_RDWR)


def everything(connection: socket.socket) -> bytes:
    """
    All until the end.
    """
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def breakOff(connection: socket.socket) -> None:
    """
    End a connection by RST.
    """
    linger = (1).to_bytes(4, "little") + bytes(4)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def saying(name: bytes) -> Serve:
    """
    Answers, after the end, with its name and all that it has heard.
    """
    return lambda connection: connection.sendall(name + b": " + everything(connection))


def connected(address: str) -> socket.socket:
    """
    A connection to a forward, as its event tells the address.
    """
    if address.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(PATIENCE)
        made.connect(address)
        return made
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def conversation(address: str, words: bytes) -> bytes:
    """
    Say something, finish, and hear the answer out.
    """
    with connected(address) as client:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        return everything(client)


def forwarded(program: Program, service: str = "default") -> str:
    """
    Where a program forwards to a service.
    """

    def addresses() -> list[str]:
        told = program.told("forwarding")
        return [each["address"] for each in told if each["service"] == service]

    until(addresses, program)
    return addresses()[0]


# One pair for most of the tests: both sides expose and forward.


@dataclass
class Pair:
    """
    Two programs that have a link.

    @ivar serve: what the service C{any} does, for now.
    @ivar crowd: the port of the service C{crowd}, on which nobody listens yet.
    """

    listener: Program
    dialer: Program
    serve: list[Serve]
    crowd: int

    def joined(self, serve: Serve) -> socket.socket:
        """
        A client's end of a connection whose other end is given to C{serve}.
        """
        self.serve[:] = [serve]
        return connected(forwarded(self.dialer, "any"))
