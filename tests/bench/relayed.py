"""
What the relay costs and bears: C{python -m tests.bench.relayed} (Linux).
"""

from __future__ import annotations

import os
import socket
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic, sleep

from punch.cli.rlimit import raiseFileLimit
from punch.rendezvous.commands import Dial
from punch.rendezvous.relaypreamble import encodePreamble
from tests.bench.bulk import ENDLESS, SLOW, WARM_UP, meanwhile
from tests.bench.connections import receive
from tests.bench.couples import ALLOCATE, HELLO, MeetingPoint, command, connect, hear
from tests.bench.rendezvous import Server, serving
from tests.bench.routes import portforwarding
from tests.bench.target import bulky, drop, pour

SPLICES = 1000
REPETITIONS = 5
SECONDS = 3.0

_RAISED = (
    "connections-per-address",
    "connections-per-minute",
    "dials-per-minute-per-address",
    "dials-per-minute-per-name",
    "introductions-per-address",
    "introductions-per-name",
    "splices-per-address",
    "ticket-seconds",
)
_UNBOUND = 1 << 40

Ends = tuple[socket.socket, socket.socket]
"""
The two ends of a way through a program.
"""


class Tickets:
    """
    A listener and a dialer who are introduced as often as we need tickets.
    """

    def __init__(self, place: MeetingPoint) -> None:
        self._place = place
        self._sides = [connect(place, "127.0.0.1", 30.0) for _ in range(2)]
        listener, dialer = self._sides
        listener.sendall(HELLO + ALLOCATE)
        self._name = hear(listener, b"name")
        dialer.sendall(HELLO)
        hear(dialer, b"observed")

    def ends(self) -> Ends:
        """
        Two connections that are spliced.
        """
        listener, dialer = self._sides
        dialer.sendall(command(Dial, b"2", name=self._name, message=b"p" * 33))
        pair = []
        for side in (dialer, listener):
            end = connect(self._place, "127.0.0.1", 30.0)
            end.sendall(encodePreamble(hear(side, b"ticket")))
            pair.append(end)
        for end in pair:
            if receive(end, 1) != b"\0":
                raise ConnectionError("the relay refused")
        return pair[0], pair[1]


def held() -> None:
    """
    Memory of many splices that are used a little.
    """
    print(f"{SPLICES} splices at a time")
    with serving(*_RAISED) as server, ExitStack() as open:
        tickets = Tickets(server.place)
        for end in tickets.ends():
            open.enter_context(end)
        sleep(1)
        before, start = server.program.resident(), monotonic()
        splices = [tickets.ends() for _ in range(SPLICES)]
        took = monotonic() - start
        for end in (end for splice in splices for end in splice):
            open.enter_context(end)
        _exchange(splices)
        grown = (server.program.resident() - before) / 1024
        print(f"  {took / SPLICES * 1e3:.2f} ms each to meet and be spliced")
        print(f"  {grown / 1024:.1f} MiB in all, {grown / SPLICES:.1f} KiB each")
        print(f"  idle load {server.program.load(5.0):.1%} of a core")
        _exchange(splices)
        for end in splices[0]:
            end.close()
        _exchange(splices[1:])


def _exchange(splices: list[Ends]) -> None:
    """
    See that each carries, both ways.
    """
    words = os.urandom(1000)
    back = [(second, first) for first, second in splices]
    for ends in (splices, back):
        for sender, _ in ends:
            sender.sendall(words)
        for _, receiver in ends:
            if receive(receiver, len(words)) != words:
                raise ConnectionError("other bytes came out than went in")


def _through(target: socket.socket, port: int) -> Ends:
    """
    Two connections that are joined by a bare splice.
    """
    first = connect(("127.0.0.1", port), "127.0.0.1", 30.0)
    second, _ = target.accept()
    return first, second


def _rate(ends: Ends) -> float:
    """
    Bytes a second that pass from the first to the second.
    """
    sender, receiver = ends
    with sender, receiver, meanwhile(_pour, sender):
        _take(receiver, WARM_UP)
        start = monotonic()
        taken = _take(receiver, SECONDS)
        return taken / (monotonic() - start)


def _pour(sock: socket.socket) -> None:
    """
    Send all that a connection takes.
    """
    sock.settimeout(None)
    with bulky() as file:
        while True:
            pour(sock, file, ENDLESS)


def _take(sock: socket.socket, seconds: float) -> int:
    sock.settimeout(30)
    taken, end = 0, monotonic() + seconds
    while monotonic() < end:
        taken += drop(sock)
    return taken


def throughput() -> None:
    """
    One stream through the relay, and through a bare splice, in turn.
    """
    print("throughput of one stream, in MB/s: the relay, Twisted's bare splice")
    relayed, bare = [], []
    with (
        serving(*_RAISED, "splice-bytes-per-second", to=_UNBOUND) as server,
        socket.create_server(("127.0.0.1", 0)) as target,
        portforwarding(target.getsockname()[1]) as (port, _),
    ):
        tickets = Tickets(server.place)
        for _ in range(REPETITIONS):
            relayed.append(_rate(tickets.ends()) / 1e6)
            bare.append(_rate(_through(target, port)) / 1e6)
            print(f"  {relayed[-1]:.0f}  {bare[-1]:.0f}")
    ours, theirs = statistics.median(relayed), statistics.median(bare)
    print(f"  medians {ours:.0f} and {theirs:.0f}: {ours / theirs:.2f} (at least 0.80)")


def limited() -> None:
    """
    What passes under the limit that is the default.
    """
    with serving(*_RAISED) as server:
        passed = _rate(Tickets(server.place).ends()) / 1e6
        print(f"throughput under the default limit of 125 MB/s: {passed:.0f} MB/s")


def slow() -> None:
    """
    Memory, while one side sends all it can and the other reads little.
    """
    print("a slow reader")
    with serving(*_RAISED, "splice-bytes-per-second", to=_UNBOUND) as server:
        tickets = Tickets(server.place)
        _rate(tickets.ends())
        sender, receiver = tickets.ends()
        before = server.program.resident()
        with sender, receiver, meanwhile(_pour, sender):
            peak = max(_sip(server, receiver))
        grown = (peak - before) / 1024
        print(f"  memory grew by {grown:.0f} KiB at most in {3 * SECONDS:.0f} s")


def _sip(server: Server, receiver: socket.socket) -> Iterator[int]:
    """
    Read slowly, and see how large the server gets.
    """
    end = monotonic() + 3 * SECONDS
    while monotonic() < end:
        receive(receiver, SLOW // 20)
        sleep(0.05)
        yield server.program.resident()


def main() -> None:
    """
    All of it.
    """
    raiseFileLimit(2 * SPLICES + 100)
    held()
    throughput()
    limited()
    slow()


if __name__ == "__main__":
    main()
