"""
Tests for L{punch.link.sequencing}: a model of two sides, joined by paths that come, die
and overtake each other, on any schedule.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from punch.errors import ProtocolViolation
from punch.link.attach import Attach
from punch.link.records import (
    Control,
    Decoder,
    Record,
    Type,
    encode,
    encodeHeader,
    encodeOffset,
)
from punch.link.sendbuffer import LinkLimits
from punch.link.sequencing import Sequencing, Stale
from punch.role import Role

LINK = b"the link's own id"[:16]
SECRET = b"the link's secret"

# Small, so that a few steps reach them.
LIMITS = LinkLimits(
    initial=64,
    maximum=100,
    record=16,
    together=48,
    small=6,
    interval=24,
    early=9,
    skip=5,
)

MOST = 20_000

RUNS = int(os.environ.get("PUNCH_SOAK", 1000))

TEXTS = {each: random.Random(each.value).randbytes(MOST) for each in Role}
"""
What each side writes, so that any byte tells its place.
"""


@dataclass(eq=False)
class Wire:
    """
    A path as the world has it: bytes under way, to each side.
    """

    binding: bytes
    toward: dict[Role, bytearray] = field(
        default_factory=lambda: {each: bytearray() for each in Role}
    )
    isCut: bool = False
    attach: bytes = b""

    def cut(self, kept: int) -> None:
        """
        It dies: of what is under way only C{kept} bytes still arrive each way.
        """
        self.isCut = True
        for under in self.toward.values():
            del under[kept:]


@dataclass
class Held:
    """
    A path as one side has it.
    """

    generation: int | None
    decoder: Decoder


class Side:
    """
    One side: what a link does with a L{Sequencing}.
    """

    def __init__(self, role: Role) -> None:
        self.role = role
        self.sequencing = Sequencing(role, LINK, SECRET, LIMITS)
        self.paths: dict[Wire, Held] = {}
        self.now = 100.0
        self.buffer = 0
        self.hasFinished = False
        self.delivered = 0
        self.heardEnd = False
        self.untaken = 0

    # The application.

    def write(self, sizes: list[int]) -> None:
        """
        Write pieces of these sizes.
        """
        pieces = []
        for size in sizes:
            pieces.append(TEXTS[self.role][self.buffer :][:size])
            self.buffer += len(pieces[-1])
        self.sequencing.sendBuffer.write(pieces)

    def finish(self) -> None:
        """
        Write no more.
        """
        self.hasFinished = True
        self.sequencing.sendBuffer.finish()

    def take(self, most: int) -> None:
        """
        Take what has arrived.
        """
        taken = min(most, self.untaken)
        self.untaken -= taken
        self.sequencing.taken(taken)
        self.settle()

    # Paths.

    def current(self) -> Wire | None:
        """
        The path to send on.
        """
        for wire, held in self.paths.items():
            if held.generation == self.sequencing.current is not None:
                return wire
        return None

    def open(self, wire: Wire) -> None:
        """
        Attach a new path, or wait for its ATTACH.
        """
        self.paths[wire] = held = Held(None, Decoder())
        if self.role is Role.DIALER:
            held.generation, wire.attach = self.sequencing.attach(wire.binding)
            self.send(wire, encode(Type.ATTACH, wire.attach))

    def end(self, wire: Wire) -> None:
        """
        End a path cleanly: what we sent still arrives.
        """
        if wire in self.paths:
            wire.isCut = True
            wire.toward[self.role].clear()
            self.lose(wire)

    def lose(self, wire: Wire) -> None:
        """
        A path is gone, and we know it.
        """
        held = self.paths.pop(wire)
        if held.generation is None:
            return
        for older in self.sequencing.pathLost(held.generation):
            self.endGeneration(older)

    def endGeneration(self, generation: int) -> None:
        """
        End the path that has this number.
        """
        for wire, held in list(self.paths.items()):
            if held.generation == generation:
                self.end(wire)

    def send(self, wire: Wire, data: bytes) -> None:
        """
        Bytes into a path, into nothing if it is dead.
        """
        if not wire.isCut:
            wire.toward[self.role.other] += data

    def pump(self, most: int) -> bool:
        """
        Send some of what may be sent; whether there was any.
        """
        wire = self.current()
        for number in range(most):
            piece = self.sequencing.nextPiece()
            if piece is None:
                return number > 0
            assert wire is not None
            if isinstance(piece, Control):
                self.send(wire, encode(piece.type, piece.payload))
            else:
                data = b"".join(piece)
                self.send(wire, encodeHeader(Type.DATA, len(data)) + data)
        return most > 0

    def acknowledge(self) -> None:
        """
        Send an ACK if we owe one.
        """
        wire = self.current()
        if wire is not None and self.sequencing.isAckOwed:
            self.send(wire, encode(Type.ACK, self.sequencing.acknowledgment()))

    def ping(self) -> None:
        """
        Send a PING, if there is a path.
        """
        wire = self.current()
        if wire is not None:
            self.send(wire, encode(Type.PING))

    def settle(self) -> None:
        """
        What follows from whatever happened.
        """
        if self.sequencing.isAckDue:
            self.acknowledge()
        for generation in self.sequencing.drained:
            self.endGeneration(generation)

    # What comes.

    def feed(self, wire: Wire, data: bytes) -> None:
        """
        Bytes out of a path.
        """
        if wire not in self.paths:
            return
        for record in self.paths[wire].decoder.feed(data):
            if wire in self.paths:
                self.receive(wire, self.paths[wire], record)
        self.settle()

    def receive(self, wire: Wire, held: Held, record: Record) -> None:
        """
        Obey one record.
        """
        sequencing = self.sequencing
        if isinstance(record, Control) and record.type is Type.ATTACH:
            self.attach(wire, held, record.payload)
            return
        generation = held.generation
        assert generation is not None
        if isinstance(record, bytes):
            self.hear(sequencing.dataReceived(generation, record))
        elif record.type is Type.ATTACHED:
            payload = record.payload
            if not sequencing.attachedReceived(generation, payload, wire.binding):
                self.end(wire)
        elif record.type is Type.CLOSE:
            self.hearEnd(sequencing.closeReceived(generation))
        elif record.type is Type.SKIP:
            sequencing.skipReceived(generation, record.payload)
        elif record.type is Type.PING:
            self.send(wire, encode(Type.PONG, sequencing.pong(generation)))
        else:
            sequencing.ackReceived(generation, record.payload, self.now)

    def hear(self, fresh: bytes) -> None:
        """
        See that what is new is what comes next.
        """
        assert not (fresh and self.heardEnd)
        assert fresh == TEXTS[self.role.other][self.delivered :][: len(fresh)]
        self.untaken += len(fresh)
        self.delivered += len(fresh)

    def hearEnd(self, isFresh: bool) -> None:
        """
        See that the end is new once.
        """
        assert not (isFresh and self.heardEnd)
        self.heardEnd = True
        self.untaken += isFresh

    def attach(self, wire: Wire, held: Held, payload: bytes) -> None:
        """
        The other side wants this path to be the one.
        """
        try:
            number, answer = self.sequencing.attachReceived(payload, wire.binding)
        except Stale:
            self.end(wire)
        else:
            held.generation = number
            self.send(wire, encode(Type.ATTACHED, answer))


sides = st.sampled_from(Role)
picks = st.integers(0, 7)


class Meeting(RuleBasedStateMachine):
    """
    Two sides and their paths.
    """

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.sides = {each: Side(each) for each in Role}
        self.wires: list[Wire] = []
        self.numbers = count()

    @property
    def live(self) -> list[Wire]:
        """
        The paths that some side still has.
        """
        return [
            wire
            for wire in self.wires
            if any(wire in side.paths for side in self.sides.values())
        ]

    def newWire(self) -> Wire:
        """
        A path that nothing has passed on.
        """
        return Wire(b"binding %d" % next(self.numbers))

    # The applications.

    @rule(
        role=sides,
        sizes=st.lists(st.integers(0, 40), max_size=4),
        most=st.integers(0, 10),
    )
    def write(self, role: Role, sizes: list[int], most: int) -> None:
        """
        One writes, and its path takes some of that.
        """
        side = self.sides[role]
        if not side.hasFinished and side.buffer < MOST - 200:
            side.write(sizes)
        side.pump(most)

    @rule(role=sides, most=st.integers(0, 30))
    def writeUntilFull(self, role: Role, most: int) -> None:
        """
        One writes as much as it should.
        """
        side = self.sides[role]
        while not side.hasFinished and not side.sequencing.sendBuffer.isFull:
            if side.buffer > MOST - 200:
                break
            side.write([13])
        side.pump(most)

    @rule(role=sides, isSure=st.integers(0, 3))
    def finish(self, role: Role, isSure: int) -> None:
        """
        One wants to write no more, sooner or later.
        """
        if not self.sides[role].hasFinished and not isSure:
            self.sides[role].finish()

    @rule(role=sides, most=st.integers(1, 100), isDue=st.booleans())
    def take(self, role: Role, most: int, isDue: bool) -> None:
        """
        One takes what has arrived; maybe its timer says that an ACK is due.
        """
        self.sides[role].take(most)
        if isDue:
            self.sides[role].acknowledge()

    # The links.

    @rule(role=sides, most=st.integers(1, 30))
    def pump(self, role: Role, most: int) -> None:
        """
        One sends what its path takes.
        """
        self.sides[role].pump(most)

    @rule(
        role=sides,
        seconds=st.sampled_from([0.0001, 0.1, 10]),
        passed=st.sampled_from([0, 0.001, 1]),
    )
    def ping(self, role: Role, seconds: float, passed: float) -> None:
        """
        One wants to know whether its path lives, and how long a round trip is.
        """
        self.sides[role].ping()
        self.sides[role].sequencing.measured(seconds)
        for each in self.sides.values():
            each.now += passed

    # The paths.

    @initialize()
    def begin(self) -> None:
        """
        There is a first path.
        """
        self.addPath()

    @rule()
    def attach(self) -> None:
        """
        There is a new path.
        """
        if len(self.live) < 5:
            self.addPath()

    @rule(role=sides, brought=st.integers(1, 100), most=st.integers(0, 5))
    def overtake(self, role: Role, brought: int, most: int) -> None:
        """
        One moves to a new path; some of what it had under way on others arrives
        there, is told of, and need not come again.
        """
        others = self.live
        if len(others) >= 5:
            return
        self.writeUntilFull(role, 10)
        self.addPath()
        wire = self.wires[-1]
        for each in (Role.LISTENER, Role.DIALER):
            self.move(wire, each, 1000)
        for other in others:
            self.move(other, role.other, brought)
        self.sides[role.other].take(100)
        self.sides[role.other].acknowledge()
        self.move(wire, role, 1000)
        self.sides[role].pump(most)

    def addPath(self) -> None:
        """
        Both sides have a path that nothing has passed on; the dialer attaches it.
        """
        wire = self.newWire()
        self.wires.append(wire)
        for side in self.sides.values():
            side.open(wire)

    @rule(
        moves=st.lists(
            st.tuples(picks, sides, st.integers(1, 100)), min_size=1, max_size=6
        )
    )
    def deliver(self, moves: list[tuple[int, Role, int]]) -> None:
        """
        Some of what is under way arrives.
        """
        for pick, role, most in moves:
            if self.live:
                self.move(self.live[pick % len(self.live)], role, most)

    @rule(
        picks=st.lists(picks, min_size=1, max_size=6),
        steps=st.integers(1, 4),
        most=st.sampled_from([0, 1, 3, 20]),
        asks=st.booleans(),
    )
    def flow(self, picks: list[int], steps: int, most: int, asks: bool) -> None:
        """
        For a while both sides send, and some paths deliver it; what arrives is
        taken.
        """
        for _ in range(steps):
            for role, side in self.sides.items():
                side.pump(most)
                if asks:
                    side.ping()
                for pick in picks:
                    if self.live:
                        self.move(self.live[pick % len(self.live)], role, 150)
                side.take(100)
                side.acknowledge()

    def move(self, wire: Wire, role: Role, most: int) -> None:
        """
        Some of what is under way to one side arrives.
        """
        under = wire.toward[role]
        data = bytes(under[:most])
        del under[:most]
        if data:
            self.sides[role].feed(wire, data)

    @rule(pick=picks, kept=st.integers(0, 100), knows=st.sets(sides))
    def cut(self, pick: int, kept: int, knows: set[Role]) -> None:
        """
        A path dies, and maybe nobody knows yet.
        """
        if not self.live:
            return
        wire = self.live[pick % len(self.live)]
        wire.cut(kept)
        for role in sorted(knows, key=lambda role: role.value):
            self.notice(wire, role)

    @rule(pick=picks, role=sides)
    def learn(self, pick: int, role: Role) -> None:
        """
        One side notices that a path is dead.
        """
        dead = [wire for wire in self.live if wire.isCut]
        if dead:
            self.notice(dead[pick % len(dead)], role)

    def notice(self, wire: Wire, role: Role) -> None:
        """
        One side notices that this path is dead.
        """
        side = self.sides[role]
        if wire in side.paths:
            side.lose(wire)
            side.settle()

    # The adversary, and the confused.

    @rule(
        pick=picks,
        how=st.sampled_from(
            ["replay", "secret", "link", "short", "flip", "answer", "repeat"]
        ),
        at=st.integers(0, 59),
    )
    def attack(self, pick: int, how: str, at: int) -> None:
        """
        Something else than what the dialer or the listener sends comes on a path.
        """
        before = self.summary()
        if how == "repeat":
            self.repeat(pick)
        elif how == "answer":
            dialer = self.sides[Role.DIALER].sequencing
            with pytest.raises(ProtocolViolation):
                dialer.attachedReceived(1 + pick, bytes([at]) * 60, b"binding")
        else:
            self.forge(pick, how, at)
        assert self.summary() == before

    @rule(role=sides, beyond=st.integers(1, 50), isAhead=st.booleans())
    def skipWrongly(self, role: Role, beyond: int, isAhead: bool) -> None:
        """
        One skips more than it was told of, or goes back.
        """
        sequencing = self.sides[role].sequencing
        positions = dict(sequencing._positions)
        for generation, position in positions.items():
            wrong = sequencing._told + beyond if isAhead else position - beyond
            if wrong >= 0:
                with pytest.raises(ProtocolViolation):
                    sequencing.skipReceived(generation, encodeOffset(wrong))
        assert sequencing._positions == positions

    def summary(self) -> list[object]:
        """
        What an attack must not change.
        """
        return [
            (each.current, buffer.sent, buffer.acknowledged, buffer.cursor)
            for each in (side.sequencing for side in self.sides.values())
            for buffer in [each.sendBuffer]
        ]

    def forge(self, pick: int, how: str, at: int) -> None:
        """
        Somebody else attaches a path.
        """
        binding = self.newWire().binding
        attach = Attach(LINK, 1000, 0)
        payload = {
            "replay": self.wires[pick % len(self.wires)].attach,
            "secret": attach.toBytes(b"another", binding),
            "link": Attach(bytes(16), 1000, 0).toBytes(SECRET, binding),
            "short": attach.toBytes(SECRET, binding)[:at],
            "flip": flipped(attach.toBytes(SECRET, binding), at),
        }[how]
        with pytest.raises(ProtocolViolation):
            self.sides[Role.LISTENER].sequencing.attachReceived(payload, binding)

    def repeat(self, pick: int) -> None:
        """
        An ATTACH that has been obeyed or overtaken comes again.
        """
        listener = self.sides[Role.LISTENER].sequencing
        for wire in self.wires[: listener._newest][-1 - pick :]:
            with pytest.raises(Stale):
                listener.attachReceived(wire.attach, wire.binding)

    # What is always so.

    @invariant()
    def prefix(self) -> None:
        """
        What was delivered is what was written, as far as it goes.
        """
        for role, side in self.sides.items():
            other = self.sides[role.other]
            assert side.delivered <= other.buffer
            if side.heardEnd:
                assert other.hasFinished
                assert side.delivered == other.buffer

    @invariant()
    def bounded(self) -> None:
        """
        Neither side holds more than it may, and no more than it has to.
        """
        for side in self.sides.values():
            sequencing = side.sequencing
            buffer = sequencing.sendBuffer
            assert buffer.sent - buffer.acknowledged <= buffer.bound
            assert buffer.bound <= LIMITS.maximum
            assert side.untaken <= LIMITS.maximum
            kept = sum(size for _, size, _ in [*buffer._kept, *buffer._unsent])
            needed = buffer.total - min(buffer.acknowledged, buffer.cursor)
            assert kept < needed + LIMITS.together

    @invariant()
    def complete(self) -> None:
        """
        A side that is complete is right about both directions.
        """
        for role, side in self.sides.items():
            if side.sequencing.isComplete:
                assert side.heardEnd
                assert side.untaken == 0
                assert self.sides[role.other].heardEnd
                assert self.sides[role.other].untaken == 0

    def teardown(self) -> None:
        """
        With one last path that does not die, everything arrives.
        """
        self.addPath()
        last = self.wires[-1]
        while self.step():
            pass
        for role, side in self.sides.items():
            other = self.sides[role.other]
            assert side.current() is last
            assert side.delivered == other.buffer
            assert side.heardEnd is other.hasFinished
            assert list(side.paths) == [last]
            assert not side.sequencing.sendBuffer._kept
            assert not side.sequencing.isAckOwed
            bothFinished = side.hasFinished and other.hasFinished
            assert side.sequencing.isComplete is bothFinished

    def step(self) -> bool:
        """
        Let all that can happen do so; whether anything did.
        """
        happened = False
        for role, side in self.sides.items():
            happened |= side.pump(1000)
            for wire in list(side.paths):
                data, wire.toward[role] = bytes(wire.toward[role]), bytearray()
                if data:
                    side.feed(wire, data)
                elif wire.isCut:
                    self.notice(wire, role)
                happened |= bool(data) or wire.isCut
            happened |= side.untaken > 0 or side.sequencing.isAckOwed
            side.take(MOST)
            side.acknowledge()
        return happened


def flipped(payload: bytes, at: int) -> bytes:
    """
    A payload with one bit that is wrong.
    """
    changed = bytearray(payload)
    changed[at % len(payload)] ^= 1
    return bytes(changed)


TestMeeting = Meeting.TestCase
TestMeeting.settings = settings(max_examples=80, stateful_step_count=50)


def scenario(chance: random.Random) -> None:
    """
    A longer one than hypothesis draws, in which more is under way at once.
    """
    meeting = Meeting()
    meeting.begin()

    def pick() -> int:
        return chance.randint(1, 7)

    actions: dict[Callable[[Role], None], int] = {
        lambda role: meeting.write(role, [pick() * 5], pick()): 40,
        lambda role: meeting.take(role, 100, pick() < 5): 20,
        lambda role: meeting.pump(role, pick()): 20,
        lambda role: meeting.ping(role, 0.1, 0.001): 10,
        lambda role: meeting.finish(role, pick() // 2): 1,
        lambda role: meeting.skipWrongly(role, pick(), pick() < 4): 5,
        lambda role: meeting.overtake(role, pick() ** 2, pick()): 3,
        lambda role: meeting.attach(): 8,
        lambda role: meeting.deliver([(pick(), role, pick() ** 3)]): 80,
        lambda role: meeting.cut(pick(), pick() ** 2, {role}): pick(),
        lambda role: meeting.learn(pick(), role): 10,
    }
    steps = chance.choice([50, 150])
    for act in chance.choices(list(actions), list(actions.values()), k=steps):
        act(chance.choice(list(Role)))
        meeting.prefix()
        meeting.bounded()
        meeting.complete()
    meeting.teardown()


@pytest.mark.soak
@pytest.mark.parametrize("first", range(0, RUNS, 50))
def test_scenarios(first: int) -> None:
    """
    The same, of as many seeds as C{PUNCH_SOAK} says.
    """
    for seed in range(first, first + 50):
        scenario(random.Random(seed))
