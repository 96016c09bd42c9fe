"""
Bulk: as many bytes as a port that leads to the target takes or gives.  The kernel
moves them (C{sendfile}, C{MSG_TRUNC}): we are not to be what is measured.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from time import monotonic, sleep
from typing import TypeVar

from tests.bench.connections import connect, receive
from tests.bench.target import COUNT, SINK, SOURCE, bulky, drop, pour

T = TypeVar("T")

WARM_UP = 0.5
"""
Seconds of bulk before any count.
"""

SLOW = 1_000_000
"""
Bytes a second that a slow reader takes.
"""

ENDLESS = 1 << 62
"""
More bytes than are ever sent.
"""

_ABORT = struct.pack("ii", 1, 0)


def download(port: int, seconds: float) -> float:
    """
    Bytes a second that reach us.
    """
    with connect(port, SOURCE + ENDLESS.to_bytes(8, "big")) as sock:
        _takeFor(sock, WARM_UP)
        start = monotonic()
        taken = _takeFor(sock, seconds)
        took = monotonic() - start
        _abandon(sock)
    return taken / took


def _takeFor(sock: socket.socket, seconds: float) -> int:
    taken, end = 0, monotonic() + seconds
    while monotonic() < end:
        taken += _drop(sock)
    return taken


def _drop(sock: socket.socket) -> int:
    count = drop(sock)
    if not count:
        raise ConnectionError("it ended early")
    return count


def upload(port: int, target: int, seconds: float) -> float:
    """
    Bytes a second that reach the target, as its own port tells.
    """
    with connect(target, COUNT) as counting, pouring(port):
        sleep(WARM_UP)
        start, before = monotonic(), _sunk(counting)
        sleep(seconds)
        after, end = _sunk(counting), monotonic()
    return (after - before) / (end - start)


def _sunk(counting: socket.socket) -> int:
    counting.sendall(b"?")
    return int.from_bytes(receive(counting, 8), "big")


@contextmanager
def pouring(port: int) -> Iterator[None]:
    """
    Meanwhile send all that the way takes.
    """
    with meanwhile(_pour, port):
        yield


@contextmanager
def fetching(port: int) -> Iterator[None]:
    """
    Meanwhile receive all that the way gives.
    """
    with meanwhile(_fetch, port):
        yield


@contextmanager
def meanwhile(work: Callable[[T], None], argument: T) -> Iterator[None]:
    """
    Do C{work} in a process of its own, until the C{with} block ends.
    """
    process = get_context("fork").Process(target=work, args=(argument,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _pour(port: int) -> None:
    with bulky() as file, connect(port, SINK) as sock:
        sock.settimeout(None)
        while True:
            pour(sock, file, ENDLESS)


def _fetch(port: int) -> None:
    with connect(port, SOURCE + ENDLESS.to_bytes(8, "big")) as sock:
        while True:
            _drop(sock)


def slowly(port: int, size: int, seconds: float) -> None:
    """
    Download so many bytes: slowly at first, then not at all, then as they come.

    @raise ConnectionError: not all of them come.
    """
    with connect(port, SOURCE + size.to_bytes(8, "big")) as sock:
        left, end = size, monotonic() + seconds
        while monotonic() < end:
            left -= len(receive(sock, SLOW // 20))
            sleep(0.05)
        sleep(seconds / 2)
        while left:
            left -= _drop(sock)


def _abandon(sock: socket.socket) -> None:
    """
    End it by a reset, so that what is under way ends too.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
