"""
Couples that meet through a rendezvous, at as little cost to the client's processor
as possible: raw sockets, boxes serialized beforehand.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from itertools import cycle
from time import monotonic

from twisted.protocols.amp import Box, Command

from punch.rendezvous import commands

MeetingPoint = tuple[str, int]

_PAKE = b"p" * 33
_DETAILS = b"d" * 600
_OWNER = b"o" * 16


def command(what: type[Command], tag: bytes = b"", **values: bytes) -> bytes:
    """
    A command on the wire; C{tag} if it wants an answer.
    """
    box = Box({key.encode("ascii"): value for key, value in values.items()})
    box[b"_command"] = what.commandName
    if tag:
        box[b"_ask"] = tag
    wire: bytes = box.serialize()
    return wire


HELLO = command(commands.Hello, b"1", version=b"1", features=b"")
ALLOCATE = command(commands.Allocate, b"2", owner=_OWNER)


def value(key: bytes, data: bytes) -> bytes | None:
    """
    The first value of C{key} in some boxes, if it has come.
    """
    at = data.find(b"\0" + bytes([len(key)]) + key)
    if at < 0:
        return None
    start = at + 2 + len(key) + 2
    end = start + int.from_bytes(data[start - 2 : start], "big")
    return data[start:end] if len(data) >= end else None


def dial(name: bytes) -> bytes:
    """
    Hello and dial, in one flight.
    """
    return HELLO + command(commands.Dial, b"2", name=name, message=_PAKE)


def relay(introduction: bytes) -> bytes:
    """
    A message as large as sealed details are.
    """
    return command(commands.Relay, introduction=introduction, message=_DETAILS)


def leave(introduction: bytes) -> bytes:
    """
    The end of an introduction.
    """
    return command(commands.Leave, introduction=introduction, reason=b"done")


def connect(
    rendezvous: MeetingPoint, source: str, patience: float | None = None
) -> socket.socket:
    """
    A connection from a loopback address.
    """
    sock = socket.socket()
    sock.settimeout(patience)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((source, 0))
    sock.connect(rendezvous)
    return sock


def hear(sock: socket.socket, key: bytes) -> bytes:
    """
    Receive until a value has come, and all that came with it.

    @raise ConnectionError: the rendezvous refused.
    """
    heard = b""
    while True:
        found = value(key, heard)
        if found is not None and heard.endswith(b"\0\0"):
            return found
        more = sock.recv(65536)
        if not more or b"_error_code" in more:
            raise ConnectionError(f"the rendezvous refused: {more!r}")
        heard += more


def sources(net: int) -> Iterator[str]:
    """
    Loopback addresses of one net in turn, so that ports in TIME_WAIT are no limit.
    """
    return cycle(f"127.{net}.{host}.1" for host in range(1, 100))


class Couple:
    """
    A listener that allocates, a dialer that dials it, details both ways, goodbye.
    """

    def __init__(
        self, selector: selectors.BaseSelector, rendezvous: MeetingPoint, source: str
    ) -> None:
        self._selector = selector
        self._rendezvous = rendezvous
        self._source = source
        self._heard = {"listener": b"", "dialer": b""}
        self._relayed: set[str] = set()
        self._sockets: dict[str, socket.socket] = {}
        self._introduction = b""
        self.began = monotonic()
        self.done = False
        self._open("listener", HELLO + ALLOCATE)

    def _open(self, side: str, flight: bytes) -> None:
        sock = self._sockets[side] = connect(self._rendezvous, self._source)
        self._selector.register(sock, selectors.EVENT_READ, (self, side))
        sock.send(flight)

    def readable(self, side: str) -> None:
        """
        One side has something to read.

        @raise ConnectionError: the rendezvous refused it.
        """
        data = self._sockets[side].recv(65536)
        if not data or b"_error_code" in data:
            raise ConnectionError(f"the {side} was refused: {data!r}")
        heard = self._heard[side] = self._heard[side] + data
        if side == "listener" and "dialer" not in self._sockets:
            name = value(b"name", heard)
            if name is not None:
                self._open("dialer", dial(name))
                self._heard[side] = b""
        else:
            self._meet(side, heard)

    def _meet(self, side: str, heard: bytes) -> None:
        """
        Send details once, and leave when the other's have come.
        """
        introduction = value(b"introduction", heard)
        if introduction is None:
            return
        if side not in self._relayed:
            self._relayed.add(side)
            self._sockets[side].send(relay(introduction))
        if _DETAILS in heard:
            if side == "dialer":
                self._sockets[side].send(leave(introduction))
            self._close(side)

    def _close(self, side: str) -> None:
        sock = self._sockets[side]
        self._selector.unregister(sock)
        sock.close()
        self._heard[side] = b"closed"
        self.done = set(self._heard.values()) == {b"closed"}


def pair(
    rendezvous: MeetingPoint, addresses: Iterator[str], couples: int, together: int
) -> list[float]:
    """
    Let so many couples meet, so many at a time.

    @param addresses: where they come from, in turn.
    @return: how long each took, in seconds.
    """
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        begun = 0
        while len(took) < couples:
            while begun < couples and begun - len(took) < together:
                Couple(selector, rendezvous, next(addresses))
                begun += 1
            for key, _ in selector.select(30):
                couple, side = key.data
                couple.readable(side)
                if couple.done:
                    took.append(monotonic() - couple.began)
    return took
