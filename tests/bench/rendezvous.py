"""
What a rendezvous costs and bears: C{python -m tests.bench.rendezvous} (Linux).
"""

from __future__ import annotations

import random
import socket
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Process, Queue
from time import monotonic, sleep

from punch.cli.rlimit import raiseFileLimit
from tests.bench.couples import (
    ALLOCATE,
    HELLO,
    MeetingPoint,
    connect,
    hear,
    pair,
    sources,
)
from tests.bench.program import PLUGIN, Program

PUBLICATIONS = 10_000
COUPLES = 6_000
TOGETHER = 64
FLOOD_SECONDS = 5.0
LISTEN = "tcp:0:interface=127.0.0.1:backlog=1024"

_RAISED = (
    "connections-per-address",
    "connections-per-minute",
    "publications-per-minute",
    "dials-per-minute-per-address",
    "introductions-per-address",
)


@dataclass(frozen=True)
class Server:
    """
    A rendezvous, and where it is.
    """

    program: Program
    place: MeetingPoint


@contextmanager
def serving(*raised: str, to: int = 1_000_000) -> Iterator[Server]:
    """
    Run a rendezvous.

    @param raised: limits to raise out of the way, to C{to}.
    """
    command = [*PLUGIN, "punch-rendezvous", "--listen", LISTEN]
    command += [f"--max-{limit}={to}" for limit in raised]
    with Program.running(*command) as program:
        port = int(program.says(rb"listens on 127.0.0.1:(\d+)"))
        yield Server(program, ("127.0.0.1", port))
    _reportTracebacks(program.log())


def _reportTracebacks(log: bytes) -> None:
    """
    A server under load logs little, and never a traceback.
    """
    if b"Traceback" in log:
        print(f"  TRACEBACK in the log:\n{log.decode()}")
    print(f"  the server logged {len(log.splitlines())} lines")


def publications() -> None:
    """
    Memory of one idle publication.
    """
    print(f"{PUBLICATIONS} idle publications")
    with serving(*_RAISED) as server:
        before, start = server.program.resident(), monotonic()
        waiting = [_publish(server.place) for _ in range(PUBLICATIONS)]
        took = monotonic() - start
        sleep(3)
        if server.program.files() < PUBLICATIONS:
            raise ConnectionError("the rendezvous has dropped some")
        each = (server.program.resident() - before) / PUBLICATIONS / 1024
        idle = server.program.load(5.0)
        print(f"  published in {took:.1f} s")
        print(f"  {each:.1f} KiB each (at most 20); idle load {idle:.1%} of a core")
        for sock in waiting:
            sock.close()


def _publish(place: MeetingPoint) -> socket.socket:
    """
    One listener that waits.
    """
    sock = connect(place, "127.0.0.1")
    sock.send(HELLO + ALLOCATE)
    hear(sock, b"name")
    return sock


def couples() -> None:
    """
    How many couples a second meet.
    """
    print(f"{COUPLES} couples, {TOGETHER} at a time")
    with serving(*_RAISED) as server:
        pair(server.place, sources(1), 200, TOGETHER)
        used, start = server.program.processor(), monotonic()
        took = pair(server.place, sources(1), COUPLES, TOGETHER)
        elapsed = monotonic() - start
        each = (server.program.processor() - used) / COUPLES
        print(f"  {COUPLES / elapsed:.0f} couples/s (at least 500)")
        print(f"  {each * 1e6:.0f} us of the server's processor each: {1 / each:.0f}/s")
        print(f"  median {statistics.median(took) * 1e3:.1f} ms from start to leave")


def flood() -> None:
    """
    How long couples take to meet in a flood of rubbish.
    """
    print("couples one after another, first alone, then in a flood of rubbish")
    with serving() as server:
        honest = sources(1)
        _printTimes("alone", pair(server.place, honest, 200, 1))
        counts: Queue[int] = Queue()
        flooding = Process(target=_flood, args=(server.place, counts))
        flooding.start()
        sleep(0.5)
        took, end = [], monotonic() + FLOOD_SECONDS - 1
        while monotonic() < end:
            took += pair(server.place, honest, 1, 1)
        sent = counts.get()
        flooding.join()
        _printTimes("flooded", took)
        print(f"  {sent / FLOOD_SECONDS:.0f} connections of rubbish a second")
        _printTimes("after", pair(server.place, honest, 200, 1))


def _printTimes(when: str, took: list[float]) -> None:
    """
    One line of figures.
    """
    middle, worst = statistics.median(took) * 1e3, max(took) * 1e3
    print(f"  {when}: {len(took)} met, median {middle:.1f} ms, at most {worst:.1f} ms")


def _flood(place: MeetingPoint, counts: Queue[int]) -> None:
    """
    Connect, send rubbish of several kinds, leave without looking; again.
    """
    rubbish = random.Random(1)
    kinds = [
        rubbish.randbytes(4096),
        b"\0\1k\0\1v" * 10_000,
        HELLO + b"\0\1k\0\1v" * 10_000,
        b"GET / HTTP/1.0\r\n\r\n",
        HELLO * 50,
        HELLO + ALLOCATE * 200,
        HELLO + b"\0\0" * 1000,
        HELLO + b"\0\10_command\0\10StartTLS\0\4_ask\0\0013\0\0" * 500,
    ]
    sent, end, addresses = 0, monotonic() + FLOOD_SECONDS, sources(2)
    while monotonic() < end:
        try:
            sock = connect(place, next(addresses), 0.02)
            sock.send(kinds[sent % len(kinds)])
            sock.close()
        except OSError:
            continue
        sent += 1
    counts.put(sent)


def main() -> None:
    """
    All three.
    """
    raiseFileLimit(PUBLICATIONS + 100)
    publications()
    couples()
    flood()


if __name__ == "__main__":
    main()
