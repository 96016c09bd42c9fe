"""
A peer made of py-libp2p's yamux, without its host: a program for the
interpreter that has libp2p, told of a connected socket and of its role.

Of each stream that we open to it the first byte says what it does: C{E} echo the
rest, C{R} reset, C{Q} tell how it went and go away.  It opens some of its own, on
each of which it expects an echo.
"""

from __future__ import annotations

import json
import random
import socket
import sys
from contextlib import suppress
from typing import Any

import trio
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import (
    MuxedConnUnavailable,
    MuxedStreamEOF,
    MuxedStreamError,
)
from libp2p.stream_muxer.yamux.yamux import Yamux

STREAMS = 12
LONGEST = 700_000


class Connection:
    """
    What Yamux needs of a connection.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def read(self, n: int) -> bytes:
        """
        Up to C{n} bytes.
        """
        return bytes(await self._stream.receive_some(n))

    async def write(self, data: bytes) -> None:
        """
        Send all of it.
        """
        await self._stream.send_all(data)

    async def close(self) -> None:
        """
        Close the socket.
        """
        await self._stream.aclose()

    def get_remote_address(self) -> None:
        """
        Nobody asks.
        """


class Peer:
    """
    One session of libp2p's.
    """

    def __init__(self, muxer: Yamux) -> None:
        self.muxer = muxer
        self.echoed = 0
        self.done = trio.Event()

    async def run(self) -> None:
        """
        Open streams and serve the other side's, until it says that it is enough.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.muxer.start)
            await self.muxer.event_started.wait()
            for n in range(STREAMS):
                nursery.start_soon(self.ask, n)
            with suppress(MuxedConnUnavailable):
                while True:
                    stream = await self.muxer.accept_stream()
                    nursery.start_soon(self.serve, stream)

    async def ask(self, n: int) -> None:
        """
        Open a stream, and count it if all that is written comes back.
        """
        chance = random.Random(n)
        asked = chance.randbytes(chance.randrange(LONGEST))
        stream = await self.muxer.open_stream()
        answered = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.write, stream, asked)
            async for data in pieces(stream):
                answered += data
        self.echoed += answered == asked
        if self.echoed == STREAMS:
            self.done.set()

    async def write(self, stream: Any, data: bytes) -> None:
        """
        Write all, and no more.
        """
        await stream.write(data)
        await stream.close()

    async def serve(self, stream: Any) -> None:
        """
        Do what the first byte says.
        """
        what = await stream.read(1)
        if what == b"E":
            with suppress(MuxedStreamError):  # It may be reset.
                async for data in pieces(stream):
                    await stream.write(data)
                await stream.close()
        elif what == b"R":
            await stream.reset()
        else:
            await self.done.wait()
            while not self.muxer.rtt():
                await trio.sleep(0.05)
            await stream.write(json.dumps({"echoed": self.echoed}).encode())
            await stream.close()
            await self.muxer.close()


async def pieces(stream: Any) -> Any:
    """
    What arrives on a stream, to its end.
    """
    while True:
        try:
            data = await stream.read(65536)
        except MuxedStreamEOF:
            return
        yield data


async def main(descriptor: int, isInitiator: bool) -> None:
    """
    Speak on a socket that is connected.
    """
    connected = trio.socket.from_stdlib_socket(socket.socket(fileno=descriptor))
    connection = Connection(trio.SocketStream(connected))
    await Peer(Yamux(connection, ID(b"peer"), isInitiator)).run()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2] == "dialer")
