"""
The target: what stands behind the forwards.  Blocking sockets, a thread each; it
copies no bulk bytes itself, so as to leave the processor to what is measured.

The first byte of a connection says what it is to be: L{ECHO} or a constant below.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.bench.connections import ECHO, receive
from tests.bench.program import Program

SINK = b"s"
"""
Every byte is counted and dropped.
"""

SOURCE = b"g"
"""
Then follows C{!Q}: so many bytes come, then the end.
"""

COUNT = b"c"
"""
Answers with C{!Q}: how many bytes all the sinks have had; again for every byte.
"""

PIECE = 1 << 20

_PIECES = 16
_BACKLOG = 4096
_ANY = "127.0.0.1", 0


class Target:
    """
    The connections' ends, and how much they had.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._sunk = 0
        self._lock = threading.Lock()
        self._ends: dict[bytes, Callable[[socket.socket], None]] = {
            ECHO: self._echo,
            SINK: self._sink,
            SOURCE: self._source,
            COUNT: self._count,
        }

    def serve(self, listening: socket.socket) -> None:
        """
        Accept connections for ever.
        """
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=self._take, args=(sock,), daemon=True).start()

    def _take(self, sock: socket.socket) -> None:
        # What a measurement leaves behind ends as it may.
        with sock, suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end = self._ends.get(sock.recv(1))
            if end is not None:
                end(sock)

    def _echo(self, sock: socket.socket) -> None:
        while data := sock.recv(65536):
            sock.sendall(data)

    def _sink(self, sock: socket.socket) -> None:
        while count := drop(sock):
            with self._lock:
                self._sunk += count

    def _source(self, sock: socket.socket) -> None:
        left = int.from_bytes(receive(sock, 8), "big")
        while left:
            left -= pour(sock, self._file, left)

    def _count(self, sock: socket.socket) -> None:
        while sock.recv(1):
            sock.sendall(self._sunk.to_bytes(8, "big"))


def pour(sock: socket.socket, file: int, most: int) -> int:
    """
    Send a piece of the file, by the kernel alone.

    @return: how many bytes have been sent.
    """
    return os.sendfile(sock.fileno(), file, 0, min(most, _PIECES * PIECE))


_rubbish = bytearray(PIECE)


def drop(sock: socket.socket) -> int:
    """
    Receive bytes, without a copy of them (C{MSG_TRUNC}, Linux).

    @return: how many; 0 at the end.
    """
    return sock.recv_into(_rubbish, PIECE, socket.MSG_TRUNC)


@contextmanager
def bulky() -> Iterator[int]:
    """
    A file to L{pour} from, of random bytes.
    """
    with tempfile.TemporaryFile() as file:
        file.write(os.urandom(PIECE) * _PIECES)
        file.flush()
        yield file.fileno()


@contextmanager
def targeting() -> Iterator[int]:
    """
    Run a target in a process of its own.

    @return: its port.
    """
    with Program.running(sys.executable, "-m", "tests.bench.target") as program:
        yield int(program.says(rb"port (\d+)"))


def main() -> None:
    """
    Say which port, and serve it until we are ended.
    """
    # Hundreds of threads, each with little to do.
    threading.stack_size(1 << 18)
    sys.setswitchinterval(0.0005)
    with bulky() as file, socket.create_server(_ANY, backlog=_BACKLOG) as listening:
        print(f"port {listening.getsockname()[1]}", flush=True)
        Target(file).serve(listening)


if __name__ == "__main__":
    main()
