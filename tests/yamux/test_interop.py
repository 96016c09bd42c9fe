"""
A session with somebody else's yamux: py-libp2p's, in a process of its own.

C{make interop} installs it and runs these; otherwise they run where
C{PUNCH_YAMUX_PEER} names an interpreter that has libp2p, or ours has it.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from punch.role import Role
from punch.yamux.errors import GoneAway
from punch.yamux.events import Event, Finished, Opened, Received, Reset, WentAway
from punch.yamux.session import NORMAL, Session

PEER = Path(__file__).with_name("libp2p_peer.py")
STREAMS = 12
LONGEST = 700_000
PATIENCE = 60.0

INTERPRETER = os.environ.get("PUNCH_YAMUX_PEER") or (
    sys.executable if find_spec("libp2p") else None
)

pytestmark = pytest.mark.skipif(
    INTERPRETER is None,
    reason="NOT TESTED against another yamux: no libp2p here; `make interop` has it",
)


class Connected:
    """
    A session on a socket, at the other end of which is libp2p.  It echoes what
    arrives on the peer's streams.
    """

    def __init__(self, role: Role, sock: socket.socket) -> None:
        self.session = Session(role)
        self.sock = sock
        self.received: defaultdict[int, bytearray] = defaultdict(bytearray)
        self.events: list[Event] = []
        self.theirs: set[int] = set()
        self._unsent = b""

    def until(self, condition: Callable[[], bool]) -> None:
        """
        Send and receive until then.
        """
        deadline = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < deadline, self.events[-5:]
            self._step()

    def _step(self) -> None:
        now = monotonic()
        if not self._unsent:
            self._unsent = b"".join(self.session.nextFrames(now) or [])
        writing = [self.sock] if self._unsent else []
        readable, writable, _ = select.select([self.sock], writing, [], 1.0)
        if readable:
            data = self.sock.recv(65536)
            assert data, "the peer closed the connection"
            for event in self.session.receive(data, monotonic()):
                self._hear(event)
        if writable:
            self._unsent = self._unsent[self.sock.send(self._unsent) :]

    def _hear(self, event: Event) -> None:
        session = self.session
        if isinstance(event, Opened):
            self.theirs.add(event.stream)
        elif isinstance(event, Received):
            self.received[event.stream] += event.data
            session.consumed(event.stream, len(event.data), monotonic())
            if event.stream in self.theirs:
                session.write(event.stream, event.data)
            return
        elif isinstance(event, Finished) and event.stream in self.theirs:
            session.finish(event.stream)
        self.events.append(event)


@pytest.fixture(params=list(Role), ids=lambda role: role.value)
def connected(request: pytest.FixtureRequest) -> Iterator[Connected]:
    """
    A session of either role with a peer, which has to end well.
    """
    role: Role = request.param
    ours, theirs = socket.socketpair()
    descriptor = theirs.fileno()
    command = [str(INTERPRETER), str(PEER), str(descriptor), role.other.value]
    with ours, subprocess.Popen(command, pass_fds=[descriptor]) as process:
        theirs.close()
        ours.setblocking(False)
        try:
            yield Connected(role, ours)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def leave(connected: Connected) -> None:
    """
    Have the peer tell how its own streams fared, and go away.
    """
    session = connected.session
    id = session.open()
    session.write(id, b"Q")
    connected.until(lambda: WentAway(NORMAL) in connected.events)
    assert json.loads(connected.received[id]) == {"echoed": STREAMS}
    assert len(connected.theirs) == STREAMS
    with pytest.raises(GoneAway):
        session.open()


def test_echoes(connected: Connected) -> None:
    """
    Many streams at once, opened by both sides, some longer than their window:
    every byte comes back, both ends of each come through, and the round trip is
    measured.
    """
    chance, session = Random(1), connected.session
    asked = {}
    for _ in range(STREAMS):
        id = session.open()
        asked[id] = chance.randbytes(chance.randrange(LONGEST))
        session.write(id, b"E" + asked[id])
        session.finish(id)
    connected.until(lambda: session.live == 0)
    assert {id: bytes(connected.received[id]) for id in asked} == asked
    assert session.roundTrip is not None
    leave(connected)


def test_resets(connected: Connected) -> None:
    """
    A reset by the peer is heard; one of ours, in the midst of an echo, disturbs
    no other stream.
    """
    session = connected.session
    refused, cut, whole = (session.open() for _ in range(3))
    session.write(refused, b"R")
    session.write(cut, b"E" + bytes(LONGEST))
    session.write(whole, b"E" + bytes(LONGEST))
    connected.until(lambda: len(connected.received[cut]) > 0)
    session.reset(cut)
    session.finish(whole)
    ends = [Reset(refused), Finished(whole)]
    connected.until(lambda: all(end in connected.events for end in ends))
    assert connected.received[whole] == bytes(LONGEST)
    leave(connected)
