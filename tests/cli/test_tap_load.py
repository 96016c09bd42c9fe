"""
Forwards that have much to do: real processes on loopback.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from tests.support.forwarding import Pair, conversation, forwarded
from tests.support.processes import Program, openFiles, until

SOAK = "PUNCH_SOAK" in os.environ

BULK = (1 << 30) if SOAK else (1 << 28)
OFTEN = 10_000 if SOAK else 1_500
MANY = 1000
_PIECE = 1 << 20


def send(connection: socket.socket, hashes: list[bytes]) -> None:
    """
    Send random bytes, and finish.
    """
    sent = sha256()
    for _ in range(BULK // _PIECE):
        piece = os.urandom(_PIECE)
        sent.update(piece)
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)
    hashes.append(sent.digest())


def receive(connection: socket.socket, hashes: list[bytes]) -> None:
    """
    Receive all.
    """
    received, count = sha256(), 0
    while piece := connection.recv(_PIECE):
        received.update(piece)
        count += len(piece)
    assert count == BULK
    hashes.append(received.digest())


def bothWays(connection: socket.socket) -> tuple[bytes, bytes]:
    """
    Send and receive at once.

    @return: the hashes of what was sent and what was received.
    """
    sent: list[bytes] = []
    received: list[bytes] = []
    sending = Thread(target=send, args=(connection, sent))
    sending.start()
    receive(connection, received)
    sending.join()
    return sent[0], received[0]


@pytest.mark.timeout(600 if SOAK else 120)
def test_bulk(pair: Pair) -> None:
    """
    Much, in both directions at once, arrives as it was sent.  (C{make soak}: a
    gigabyte.)
    """
    server: list[tuple[bytes, bytes]] = []
    with pair.joined(lambda each: server.append(bothWays(each))) as client:
        sent, received = bothWays(client)
    until(lambda: len(server) == 1)
    assert server == [(received, sent)]


def resources(program: Program) -> tuple[int, int]:
    """
    How many files a program has open, and how much memory in use, in bytes.
    """
    proc = Path("/proc", str(program.process.pid))
    pages = int((proc / "statm").read_text().split()[1])
    return len(os.listdir(proc / "fd")), pages * resource.getpagesize()


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs Linux")
@pytest.mark.timeout(600 if SOAK else 120)
def test_often(pair: Pair) -> None:
    """
    Many short connections, one after another, leave nothing behind.  (C{make soak}:
    ten thousand.)
    """
    address = forwarded(pair.dialer)
    both = (pair.listener, pair.dialer)

    def connect(times: int) -> None:
        for _ in range(times):
            assert conversation(address, b"x") == b"first: x"

    connect(300)
    before = [resources(each) for each in both]
    connect(OFTEN)
    for program, (files, memory) in zip(both, before, strict=True):
        until(lambda p=program, f=files: resources(p)[0] <= f)  # type: ignore[misc]
        assert resources(program)[1] - memory < 3_000_000


class Aggregate:
    """
    Many connections at once: each client says something random, with stalls, and
    hears its own name some times; one in ten breaks off.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._heard: dict[bytes, bytes] = {}
        self.whole = 0

    async def run(self, listening: socket.socket, address: str) -> None:
        """
        Let them talk, and see that each was understood.
        """
        server = await asyncio.start_server(self._serve, sock=listening, backlog=MANY)
        async with server:
            await asyncio.gather(*(self._call(n, address) for n in range(MANY)))

    async def _call(self, number: int, address: str) -> None:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        name = self._chance.randbytes(NAME)
        says = name + self._chance.randbytes(self._chance.randrange(50_000))
        if number % 10 == 0:
            writer.write(says[: NAME + 1])
            await self._stall()
            writer.transport.abort()
            return
        heard = await self._talk(reader, writer, says)
        assert heard == name * _times(name)
        await self._answered(name)
        assert self._heard[name] == says[NAME:]
        self.whole += 1

    async def _answered(self, name: bytes) -> None:
        for _ in range(1000):
            if name in self._heard:
                return
            await asyncio.sleep(0.01)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Who has been broken off can't finish (ENOTCONN) either.
        with suppress(OSError, asyncio.IncompleteReadError):
            name = await reader.readexactly(NAME)
            heard = await self._talk(reader, writer, name * _times(name))
            self._heard[name] = heard
        writer.close()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, says: bytes
    ) -> bytes:
        """
        Say it, and finish; meanwhile hear the other side out.
        """
        _, heard = await asyncio.gather(self._say(writer, says), self._hear(reader))
        writer.close()
        return heard

    async def _say(self, writer: asyncio.StreamWriter, says: bytes) -> None:
        for start in range(0, len(says), 9_000):
            writer.write(says[start : start + 9_000])
            await writer.drain()
            await self._stall()
        writer.write_eof()

    async def _hear(self, reader: asyncio.StreamReader) -> bytes:
        heard = []
        while piece := await reader.read(1 << 16):
            heard.append(piece)
            await self._stall()
        return b"".join(heard)

    async def _stall(self) -> None:
        await asyncio.sleep(self._chance.choice([0, 0, 0.2]))


NAME = 16
"""
Bytes that a client is known by.
"""


def _times(name: bytes) -> int:
    return 1 + name[0] * 10


def test_many(pair: Pair) -> None:
    """
    A thousand connections at once, with random sizes, stalls, half-closes and
    aborts: what arrives is what was sent.
    """
    with (
        openFiles(4 * MANY),
        socket.create_server(("127.0.0.1", pair.crowd), backlog=MANY) as listening,
    ):
        crowd = Aggregate(random.Random(1))
        asyncio.run(crowd.run(listening, forwarded(pair.dialer, "crowd")))
    assert crowd.whole == MANY * 0.9
