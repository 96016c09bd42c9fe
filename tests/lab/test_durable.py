"""
Links that always come about, and outlive every path: C{twist punch} between NATs.

The long forms: C{PUNCH_MEGABYTES=500} in the environment for the upgrade, and
C{python -m tests.lab.durable} for the kills.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from .durable import Ordeal
from .eventfile import Event, EventFile
from .faults import Uplink, namespaceOf
from .load import MEBIBYTE, Transfer
from .nats import DROP, RANDOM
from .run import Meeting, Outcome
from .standing import ECHO, Part, StandingPair
from .topology import Laboratory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

MEGABYTES = int(os.environ.get("PUNCH_MEGABYTES", "12"))
"""
How much is transferred each way, at the least, while the link is upgraded.
"""

NEVER = ("--relay", "never")

DIALS = 3
KILLS = 10
NOTICED = 10.0
"""
Seconds within which a dead path is noticed when a write is outstanding.
"""

SLACK = 3.0
"""
Seconds that busy processes may take beyond what is stated.
"""


def dials(
    kind: str, directory: Path, count: int, timeout: float, more: tuple[str, ...] = ()
) -> tuple[list[Outcome], list[Event]]:
    """
    Some dials between two NATs of a kind: the outcomes, and the event of each.
    """
    directory.mkdir()
    with (
        Laboratory(kind, kind) as lab,
        Meeting(lab, directory, timeout, options=more) as meeting,
    ):
        outcomes = [meeting.dial(more=more) for _ in range(count)]
    told: list[Event] = []
    for number in range(1, count + 1):
        events = EventFile(directory / f"dialer-{number}.events")
        told += events.named("connected", "failed")
    return outcomes, told


def test_relayed(tmp_path: Path) -> None:
    """
    Two NATs with a new port for each destination are connected through the relay, in
    no more than one and a half times what a direct dial takes, and it is told why.
    """
    relayed, told = dials(RANDOM, tmp_path / "relayed", DIALS, 15.0)
    for outcome in relayed:
        assert outcome.connected, (outcome.reason, outcome.explanation)
    assert [event["path"] for event in told] == ["relayed"] * DIALS
    assert all(event["why"] for event in told)
    direct, told = dials(DROP, tmp_path / "direct", DIALS, 15.0, NEVER)
    assert [event["path"] for event in told] == ["direct"] * DIALS
    assert [event["why"] for event in told] == [""] * DIALS
    # The least: what the machine does besides only makes it longer.
    times = [min(o.elapsed or 0.0 for o in each) for each in (relayed, direct)]
    print("relayed, direct:", times)
    assert times[0] <= 1.5 * times[1]


def test_never(tmp_path: Path) -> None:
    """
    Without the relay they are not connected, which is told in time, with the reason.
    """
    [outcome], [failed] = dials(RANDOM, tmp_path / "never", 1, 4.0, NEVER)
    assert not outcome.connected
    assert outcome.reason == "both-random-mapping", outcome.explanation
    told = EventFile(tmp_path / "never" / "dialer-1.events").read()
    [introduced] = [each for each in told if each["event"] == "introduced"]
    assert failed["time"] - introduced["time"] < 4.0 + SLACK


def relayedBytes(lab: Laboratory) -> int:
    """
    What the rendezvous has received.
    """
    count = "/sys/class/net/wan/statistics/rx_bytes"
    return int(lab.rendezvous.run(["cat", count]).stdout)


def upgrade(lab: Laboratory, pair: StandingPair, transfer: Transfer) -> Event:
    """
    Open the direct way in the midst of a transfer, and go on with that until the link
    has taken it, and a while after.
    """
    part, total = MEGABYTES * MEBIBYTE // 4, MEGABYTES * MEBIBYTE
    transfer.allow(total)
    transfer.awaitAny(part, 300.0)
    lab.wire.unblock()
    deadline = monotonic() + 60.0
    while pair.dialer.path()[0] != "direct" and monotonic() < deadline:
        transfer.allow(max(total, transfer.furthest + total))
        sleep(0.02)
    transfer.allow(max(total, transfer.furthest + part), last=True)
    upgraded = pair.dialer.wait("path", patience=1.0)
    transfer.finish(600.0)
    return upgraded


def test_upgrade(tmp_path: Path) -> None:
    """
    A link that began through the relay moves to the direct way once there is one, with
    all that is under way, and nobody waits for it.
    """
    with Laboratory(DROP, DROP) as lab:
        lab.wire.block("a", "b")
        with StandingPair(lab, tmp_path) as pair:
            first = pair.dialer.wait("connected")
            assert first["path"] == "relayed"
            assert first["why"]
            with pair.transfer() as transfer, pair.echo() as echo:
                upgraded = upgrade(lab, pair, transfer)
                assert (upgraded["from"], upgraded["to"]) == ("relayed", "direct")
                assert upgraded["why"]
                gaps = [progress.longest() for progress in transfer.progresses]
                print("gaps:", gaps)
                assert max(gaps) < 1.0
                # Nothing goes through the rendezvous any more.
                before, lines = relayedBytes(lab), len(echo.trips)
                sleep(1.0)
                assert len(echo.trips) > lines
                assert relayedBytes(lab) - before < 2000
                echo.finish()
                assert max(echo.trips) < 2.0
            assert pair.listener.wait("path")["to"] == "direct"


def test_kills(tmp_path: Path) -> None:
    """
    A link outlives all that can kill its path, under load, each way at once; and
    somebody at a terminal notices no more than a pause.
    """
    lines: list[str] = []
    with Laboratory(DROP, DROP) as lab, StandingPair(lab, tmp_path) as pair:
        ordeal = Ordeal(pair, 2 * KILLS, settle=0.5, tell=lines.append)
        report = ordeal.run(KILLS)
        print("\n".join([*lines, *report.lines()]))
    assert len(report.kills) == KILLS
    assert report.median < 2.0
    assert report.longest < NOTICED + SLACK


@contextmanager
def inUse(pair: StandingPair) -> Iterator[tuple[list[str], list[str]]]:
    """
    A connection through the forward, both of whose ends write and read all the time.

    @return: how the dialer's end ended, and how the listener's did, when it has.
    """
    ends = pair.connect(ECHO)
    notes: tuple[list[str], list[str]] = ([], [])
    threads = [
        Thread(target=act, args=(end, note), daemon=True)
        for end, note in zip(ends, notes, strict=True)
        for act in (chatter, untilEnd)
    ]
    for thread in threads:
        thread.start()
    try:
        yield notes
    finally:
        for end in ends:
            end.close()


def chatter(end: socket.socket, _: object) -> None:
    """
    Say something all the time.
    """
    try:
        while True:
            end.sendall(b"." * 1000)
            sleep(0.05)
    except OSError:
        return


def untilEnd(end: socket.socket, note: list[str]) -> None:
    """
    Read until the end, and note of what sort it is.
    """
    end.settimeout(60.0)
    try:
        while end.recv(1 << 16):
            pass
        note.append("a clean end")
    except OSError as error:
        note.append(type(error).__name__)


def heard(note: list[str], patience: float) -> str:
    """
    How an end ended, within a time.
    """
    deadline = monotonic() + patience
    while not note and monotonic() < deadline:
        sleep(0.02)
    return note[0] if note else "no end"


ABORTED = "ConnectionResetError"


def test_forGood(tmp_path: Path) -> None:
    """
    When a peer is unplugged for good, both are told as soon as was promised, and so
    are their applications.
    """
    within = NOTICED + 5.0 + SLACK
    options = ["--resume-for", "5"]
    with (
        Laboratory(DROP, DROP) as lab,
        StandingPair(lab, tmp_path, options) as pair,
        inUse(pair) as (dialing, listening),
    ):
        sleep(0.5)
        Uplink(namespaceOf(lab.b)).down()
        unplugged = monotonic()
        for part in (pair.listener, pair.dialer):
            assert part.wait("suspended", patience=NOTICED + SLACK)["reason"]
            left = unplugged + within - monotonic()
            assert part.wait("closed", patience=left)["reason"] != "done"
        assert heard(listening, 1.0) == ABORTED
        assert heard(dialing, 1.0) == ABORTED


@pytest.mark.parametrize("victim", ["listener", "dialer"])
def test_killed(victim: str, tmp_path: Path) -> None:
    """
    When a peer is killed, the other one's application hears an error, and no clean
    end; who was to make one link exits with an error.
    """
    options = ["--resume-for", "2"]
    with (
        Laboratory(DROP, DROP) as lab,
        StandingPair(lab, tmp_path, options, dialer=["--once"]) as pair,
        inUse(pair) as (dialing, listening),
    ):
        sleep(0.5)
        parts: dict[str, tuple[Part, Part, list[str]]] = {
            "listener": (pair.listener, pair.dialer, dialing),
            "dialer": (pair.dialer, pair.listener, listening),
        }
        killed, other, note = parts[victim]
        killed.kill()
        assert other.wait("closed", patience=2.0 + SLACK)["reason"] != "done"
        assert heard(note, 1.0) == ABORTED
        if other is pair.dialer:
            assert other.awaitEnd(5.0) == 1


def test_dialerRestarted(tmp_path: Path) -> None:
    """
    When a dialer that was killed is back, the listener's end of its old link breaks at
    once, and the forward works again.
    """
    with (
        Laboratory(DROP, DROP) as lab,
        StandingPair(lab, tmp_path) as pair,
        inUse(pair) as (_, listening),
    ):
        sleep(0.5)
        seen = pair.listener.seen()
        pair.dialer.kill()
        pair.dialer.start()
        closed = pair.listener.wait("closed", patience=SLACK + 2.0, after=seen)
        assert closed["reason"] == "peer-restarted"
        assert heard(listening, 1.0) == ABORTED
        with pair.echo() as echo:
            echo.awaitLine(5.0)
            echo.finish()


def test_restarted(tmp_path: Path) -> None:
    """
    A standing listener that was killed and is back does not know the link: what was
    on it breaks at once, and the forward has a new one.
    """
    with (
        Laboratory(DROP, DROP) as lab,
        StandingPair(lab, tmp_path) as pair,
        inUse(pair) as (dialing, _),
    ):
        sleep(0.5)
        seen = pair.dialer.seen()
        known = pair.listener.seen()
        pair.listener.kill()
        pair.listener.start()
        pair.listener.wait("waiting", after=known)
        closed = pair.dialer.wait("closed", patience=SLACK + 2.0, after=seen)
        assert closed["reason"] == "unknown-link"
        assert heard(dialing, 1.0) == ABORTED
        pair.dialer.wait("connected", patience=SLACK + 2.0, after=seen)
        with pair.echo() as echo:
            echo.awaitLine(5.0)
            echo.finish()
