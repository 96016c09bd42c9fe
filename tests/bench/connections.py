"""
Connections to a port that leads to the target, and how long they take over what they
do.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import monotonic, perf_counter, sleep

ECHO = b"e"
"""
The first byte of a connection whose bytes are to come back.
"""

_WORDS = b"w" * 64
_PATIENCE = 20.0


def connect(port: int, words: bytes) -> socket.socket:
    """
    A connection that has said C{words}.
    """
    sock = socket.create_connection(("127.0.0.1", port), _PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(words)
    return sock


def receive(sock: socket.socket, count: int) -> bytes:
    """
    Receive exactly so many bytes.

    @raise ConnectionError: it ended before.
    """
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError(f"ended after {len(data)} bytes of {count}")
        data += more
    return data


def touch(port: int) -> socket.socket:
    """
    A connection that has had one byte echoed: it leads to the target.
    """
    sock = connect(port, ECHO + b"!")
    try:
        receive(sock, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def reach(port: int, patience: float) -> float:
    """
    Try until a port leads to the target.

    @return: how many seconds that took.
    @raise TimeoutError: it leads nowhere.
    """
    start = monotonic()
    while monotonic() < start + patience:
        try:
            touch(port).close()
        except OSError:
            sleep(0.01)
        else:
            return monotonic() - start
    raise TimeoutError("it leads nowhere")


def touches(port: int, most: int, seconds: float) -> list[float]:
    """
    How long new connections take to bring back their first byte, one after another.
    """
    return _times(lambda: touch(port).close(), most, seconds)


def echoes(port: int, most: int, seconds: float) -> list[float]:
    """
    How long 64 bytes take there and back on one connection.
    """
    with connect(port, ECHO) as sock:
        return _times(lambda: _echo(sock), most, seconds)


def _echo(sock: socket.socket) -> None:
    sock.sendall(_WORDS)
    receive(sock, len(_WORDS))


def _times(what: Callable[[], None], most: int, seconds: float) -> list[float]:
    """
    The seconds that it takes each time, so often or for so long; twice at least.
    """
    took: list[float] = []
    end = monotonic() + seconds
    while len(took) < 2 or (len(took) < most and monotonic() < end):
        start = perf_counter()
        what()
        took.append(perf_counter() - start)
    return took
