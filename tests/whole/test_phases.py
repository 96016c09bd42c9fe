"""
Two sides out of step: behind NATs that answer what comes too early, so that each side's
door closes with every refused connect, and begun at any distance in time.

The rendezvous has both begin at one instant (L{punch.rendezvous.server.introductions});
this is about what becomes of those for whom that fails.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from punch.events import Attempted
from punch.ice.candidate import Candidate, Kind
from punch.ice.checklist import SHIFT_AFTER, Checklist
from punch.ice.race import Race
from punch.ice.selected import SelectedPath
from punch.net.address import Address, tcpAddress
from punch.net.connection import Connection
from punch.net.outcome import Outcome
from punch.net.sharedport import SharedPort
from punch.rendezvous.server import connection
from punch.testing import NAT_KINDS, MemoryHost, MemoryNetwork
from tests.support.whole.world import LEG, UNEVEN, World

PORT = 4000
PERIOD = 0.5
ADDRESSES = ("203.0.113.1", "203.0.113.2")

SECONDS = 4.0
"""
In which two who begin at any distance in time meet, from when both have begun.
"""


class Metronome(Checklist):
    """
    The control: the rule that everybody thinks of first.
    """

    def conclude(self, address: Address, outcome: Outcome, now: float) -> None:
        """
        Try again on the next beat.
        """
        Checklist.conclude(self, address, outcome, now)
        check = self._checks[address]
        if outcome is Outcome.REFUSED:
            check.dueAt = check.startedAt + PERIOD


class Side:
    """
    A race to the other side, from a shared port behind a NAT.
    """

    def __init__(self, host: MemoryHost, checklist: Checklist) -> None:
        self.metAt: float | None = None
        self._host = host
        self._shared = SharedPort(host, self._accepted, probe=lambda *_: None)
        self._shared.open(PORT)
        self._race: Race[Connection] = Race(
            host.network.clock,
            checklist,
            self._shared.connect,
            succeed,
            lambda event: None,
        )
        self._race.selected.addCallbacks(self._won, lambda failure: None)

    def begin(self, peer: str) -> None:
        """
        Begin.
        """
        self._race.add(Candidate(Kind.SERVER_REFLEXIVE, tcpAddress(peer, PORT)))

    def end(self) -> None:
        """
        End all.
        """
        self._race.stop()
        self._shared.close()

    def _accepted(self, connection: Connection) -> None:
        self._race.accept(connection)

    def _won(self, selected: SelectedPath[Connection]) -> None:
        self.metAt = self._host.network.clock.seconds()


def meet(
    kind: type[Checklist],
    phase: float,
    near: float,
    far: float,
    seed: int = 1,
    limit: float = 60.0,
    nats: str = "reset",
) -> float | None:
    """
    In how many seconds from the later one's beginning two meet, if they do.

    @param phase: seconds from one's beginning to the other's.
    @param near: seconds from each to its NAT, one way.
    @param far: from NAT to NAT.
    @param nats: their kind, one of L{NAT_KINDS}.
    """
    network = MemoryNetwork(Clock(), seed)
    behavior = NAT_KINDS[nats]
    assert behavior is not None
    sides = []
    for number, address in enumerate(ADDRESSES):
        nat = network.nat(address, behavior, latency=far / 2)
        host = network.host(f"192.168.{number}.2", behind=nat, latency=near)
        sides.append(Side(host, kind(Random(f"{seed}/{number}"))))
    network.clock.callLater(0.0, sides[0].begin, ADDRESSES[1])
    network.clock.callLater(phase, sides[1].begin, ADDRESSES[0])
    network.runUntil(lambda: all(side.metAt for side in sides), phase + limit)
    times = [side.metAt for side in sides if side.metAt is not None]
    for side in sides:
        side.end()
    return max(times) - phase if len(times) == 2 else None


PHASES = [step * PERIOD / 25 for step in range(26)]


@pytest.mark.parametrize("jitter", [0.0, 0.01])
@pytest.mark.parametrize(("near", "far"), UNEVEN)
def test_paced(
    near: float, far: float, jitter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    However far from the core each of the two is, both begin at one instant, or within
    what chance adds on the way: less than a segment takes from one to the other.
    """
    world = World()
    world.cast(world.host("reset", near), world.host("reset", far))
    legs = {}
    for program, leg in zip(world.programs, (near, far), strict=True):
        program.host.jitter = jitter
        nat = world.nats[program.host]
        assert nat is not None
        legs[nat.address] = leg

    def measured(transport: Any) -> float:
        # As the rendezvous' kernel does.
        return 2 * (LEG + legs[transport.getPeer().host])

    monkeypatch.setattr(connection, "kernelRoundTrip", measured)
    world.meet()
    first, second = (
        next(
            when
            for when, event in program.events
            if isinstance(event, Attempted) and event.kind == "server-reflexive"
        )
        for program in world.programs
    )
    assert abs(first - second) < 0.001 + 2 * jitter < near + far
    world.end()


@pytest.mark.parametrize("far", [0.002, 0.02, 0.1])
def test_metronome(far: float) -> None:
    """
    With one fixed period, two who are out of step by more than the one-way delay never
    meet, for as long as anybody waits; so there is something to be shown.
    """
    for phase in PHASES:
        step = min(phase, PERIOD - phase)
        met = meet(Metronome, phase, 0.0005, far, limit=30.0)
        if step < 0.9 * far:
            assert met is not None
            assert met < 3 * far + PERIOD
        elif step > 1.1 * far + 0.001:
            assert met is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("near", "far", "most"),
    [
        (0.0005, 0.002, 0.1),
        (0.0005, 0.02, SHIFT_AFTER),
        (0.0005, 0.1, SHIFT_AFTER),
        (0.005, 0.02, SECONDS),
        (0.02, 0.02, SECONDS),
    ],
)
def test_everyPhase(near: float, far: float, most: float, seed: int) -> None:
    """
    Ours meet from every phase, soon; also where the refusal itself takes so long that
    there is no pause, and each attempt as long as the last.
    """
    for phase in PHASES:
        met = meet(Checklist, phase, near, far, seed)
        assert met is not None, phase
        assert met < most, phase


@pytest.mark.parametrize("far", [0.02, 0.1])
def test_late(far: float) -> None:
    """
    So they do where the one has begun so long ago that it has eased off.
    """
    for phase in range(3, 11):
        met = meet(Checklist, phase + phase / 50, 0.0005, far)
        assert met is not None, phase
        assert met < SHIFT_AFTER, phase


@settings(max_examples=60, derandomize=True)
@given(
    phase=st.floats(0.0, 2.5),
    near=st.floats(0.0002, 0.02),
    ratio=st.floats(1.0, 8.0),
    seed=st.integers(0, 1 << 16),
)
def test_anyPhase(phase: float, near: float, ratio: float, seed: int) -> None:
    """
    So they do however far both are from their NATs and these from each other, if doors
    are open for as long as they are closed, at least.
    """
    met = meet(Checklist, phase, near, max(0.002, near * ratio), seed)
    assert met is not None
    assert met < SECONDS


@pytest.mark.parametrize("seed", range(3))
def test_shortDoors(seed: int) -> None:
    """
    Where doors are open for a tenth of the time that they are closed, chance takes
    longer; but it is chance, and nobody misses the other for ever.
    """
    met = [meet(Checklist, phase, 0.02, 0.002, seed, 240.0) for phase in PHASES]
    assert None not in met
    half = sorted(each for each in met if each is not None)[len(met) // 2]
    assert half < SECONDS


@pytest.mark.parametrize("far", [0.002, 0.004])
def test_near(far: float) -> None:
    """
    Behind NATs that answer by ICMP a door stays open while nobody stands there: the
    other side's connect then meets the port that listens, whose answer the NAT drops.
    So peers that are near each other, and whose refusals come soon, must stand there
    again at once: as they do, but for a few instants.
    """
    phases = [step * 0.0007 for step in range(1, 61)]
    met = [
        meet(Checklist, phase, 0.0005, far, limit=1.0, nats="reject")
        for phase in phases
    ]
    assert sum(each is not None for each in met) > 0.9 * len(phases)
