"""
Two sessions that talk to each other, whatever is done with them in whatever
order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from punch.role import Role
from punch.yamux.errors import CannotOpen
from punch.yamux.events import (
    Completed,
    Drained,
    Event,
    Finished,
    Opened,
    Received,
    Reset,
    WentAway,
)
from punch.yamux.limits import SessionLimits
from punch.yamux.session import Session
from punch.yamux.window import INITIAL_WINDOW

PATTERN = Random(3).randbytes(1 << 20)


def passage(stream: int, start: int, length: int) -> bytes:
    """
    What is written on a stream at some place in it.
    """
    start = (start + 7919 * stream) % len(PATTERN)
    head = PATTERN[start : start + length]
    return head + PATTERN[: length - len(head)]


@dataclass
class View:
    """
    What one side has done and heard on a stream.
    """

    written: int = 0
    received: int = 0
    held: int = 0
    finished: bool = False
    reset: bool = False
    heard: list[type[Event]] = field(default_factory=list)

    @property
    def isOver(self) -> bool:
        """
        Whether this side may say no more.
        """
        return self.reset or Reset in self.heard or Completed in self.heard


class Side:
    """
    One side: its session, what is on its way to the other, and what it knows.
    """

    def __init__(self, role: Role, limits: SessionLimits) -> None:
        self.session = Session(role, limits)
        self.limits = limits
        self.wire = bytearray()
        self.views: dict[int, View] = {}
        self.leaves = False
        self.other: Side

    # What may be done.

    def open(self) -> None:
        """
        Open a stream, if we may.
        """
        try:
            id = self.session.open()
        except CannotOpen:
            return
        assert id not in self.views
        self.views[id] = View()

    def write(self, id: int, length: int) -> None:
        """
        Write the stream's next bytes, if we have not finished.
        """
        view = self.views[id]
        if view.finished or view.isOver:
            return
        self.session.write(id, passage(id, view.written, length))
        view.written += length

    def finish(self, id: int) -> None:
        """
        Write no more.
        """
        view = self.views[id]
        view.finished = view.finished or not view.isOver
        self.session.finish(id)

    def reset(self, id: int) -> None:
        """
        Reset a stream.
        """
        view = self.views[id]
        view.reset = view.reset or not view.isOver
        self.session.reset(id)

    def consume(self, id: int, most: int, now: float) -> int:
        """
        Consume of what was received.
        """
        view = self.views[id]
        count = min(most, view.held)
        view.held -= count
        self.session.consumed(id, count, now)
        return count

    def goAway(self) -> None:
        """
        Take no more streams.
        """
        self.leaves = True
        self.session.goAway()

    def send(self, now: float) -> bool:
        """
        Put one piece on the wire, if there is one.
        """
        piece = self.session.nextFrames(now)
        self.wire += b"".join(piece or [])
        for event in self.session.takeEvents():
            self.hear(event)
        return piece is not None

    def deliver(self, most: int, now: float) -> None:
        """
        Let bytes arrive at the other side.
        """
        chunk = bytes(self.wire[:most])
        del self.wire[:most]
        for event in self.other.session.receive(chunk, now):
            self.other.hear(event)

    # What must be heard.

    def hear(self, event: Event) -> None:
        """
        Check an event against what the other side did.
        """
        if isinstance(event, WentAway):
            assert self.other.leaves
            return
        if isinstance(event, Opened):
            assert event.stream not in self.views
            self.views[event.stream] = View()
        self._hearOfStream(event)

    def _hearOfStream(
        self, event: Opened | Received | Finished | Reset | Completed | Drained
    ) -> None:
        own, others = self.views[event.stream], self.other.views.get(event.stream)
        assert not own.isOver
        own.heard.append(type(event))
        if isinstance(event, Opened | Drained):
            return
        if others is None:
            # Refused: the other side was not even told.
            assert isinstance(event, Reset)
            assert self.other.leaves or len(self.views) > self.limits.remoteStreams
            return
        if isinstance(event, Received):
            self._hearData(event, own, others)
        elif isinstance(event, Finished):
            assert others.finished
            assert own.received == others.written
            assert own.heard.count(Finished) == 1
        elif isinstance(event, Reset):
            assert others.reset
        else:
            assert own.finished
            assert Finished in own.heard

    def _hearData(self, event: Received, own: View, others: View) -> None:
        assert event.data == passage(event.stream, own.received, len(event.data))
        assert Finished not in own.heard
        own.received += len(event.data)
        own.held += len(event.data)
        assert own.received <= others.written
        assert own.held <= self.limits.window

    def isEmpty(self) -> bool:
        """
        Whether nothing is left of any stream in the session.
        """
        session = self.session
        streams = session._streams
        return not (
            session.live
            or session._roundRobin
            or session._control._frames
            or session._control._streams
            or session._payloadStream
            or streams._theirs
            or streams._unacknowledged
            or streams._growth.left != self.limits.windowGrowth
        )


class Conversation:
    """
    Two sides and a clock.
    """

    def __init__(self, limits: SessionLimits) -> None:
        self.now = 0.0
        dialer, listener = (Side(role, limits) for role in Role)
        dialer.other, listener.other = listener, dialer
        self.sides = (dialer, listener)

    def settle(self) -> None:
        """
        Deliver all, consume all, until nothing moves.
        """
        moves = True
        while moves:
            moves = False
            for side in self.sides:
                while side.send(self.now):
                    moves = True
                self.now += 0.01
                side.deliver(len(side.wire), self.now)
                for id in side.views:
                    moves = bool(side.consume(id, 1 << 30, self.now)) or moves

    def end(self) -> None:
        """
        Both sides finish all that still lives, and all of it arrives.
        """
        for side in self.sides:
            for id in list(side.views):
                side.finish(id)
        self.settle()
        # Streams that were still on their way.
        for side in self.sides:
            for id in list(side.views):
                side.finish(id)
        self.settle()

    def check(self) -> None:
        """
        All that was not reset has arrived, and nothing is left of anything.
        """
        for side in self.sides:
            for id, view in side.views.items():
                others = side.other.views.get(id)
                if others is None or view.reset or others.reset:
                    continue
                assert view.received == others.written
                assert view.heard[-1] is Completed
            assert not side.wire
            assert side.isEmpty()


Step = tuple[str, int, int]


def act(side: Side, step: Step, now: float) -> None:
    """
    Do one step with a side.
    """
    action, which, amount = step
    if action == "open":
        side.open()
    elif action == "away":
        side.goAway()
    elif action == "send":
        side.send(now)
    elif action == "deliver":
        side.deliver(amount, now)
    elif side.views:
        id = sorted(side.views)[which % len(side.views)]
        onStream(side, action, id, amount, now)


def onStream(side: Side, action: str, id: int, amount: int, now: float) -> None:
    """
    Do one step with a stream.
    """
    if action == "write":
        side.write(id, amount)
    elif action == "consume":
        side.consume(id, amount, now)
    elif action == "finish":
        side.finish(id)
    else:
        side.reset(id)


OFTEN = ["open", "write", "consume", "send", "deliver"]
SELDOM = ["finish", "reset", "away"]

amounts = st.one_of(
    st.integers(0, 100),
    st.integers(0, 100_000),
    st.sampled_from([12, INITIAL_WINDOW, INITIAL_WINDOW // 2, 2 * INITIAL_WINDOW + 1]),
)
steps = st.tuples(st.sampled_from(OFTEN * 4 + SELDOM), st.integers(0, 7), amounts)
limits = st.builds(
    SessionLimits,
    remoteStreams=st.sampled_from([1, 3, 100]),
    localStreams=st.sampled_from([2, 100]),
    unacknowledged=st.sampled_from([1, 100]),
    window=st.sampled_from([INITIAL_WINDOW, 4 * INITIAL_WINDOW]),
    windowGrowth=st.sampled_from([0, 5 * INITIAL_WINDOW // 2]),
)


moments = st.tuples(st.integers(0, 1), steps, st.sampled_from([0.0, 0.001, 0.1]))


@settings(max_examples=300)
@given(limits, st.lists(moments) | st.lists(moments, min_size=40))
def test_conversation(
    limits: SessionLimits, script: list[tuple[int, Step, float]]
) -> None:
    """
    On every stream what is received is what was written, from the start and
    never more; all of it, if the stream was not reset.  Neither side ever finds
    the other at fault, and at the end neither holds anything.
    """
    conversation = Conversation(limits)
    for who, step, passed in script:
        conversation.now += passed
        act(conversation.sides[who], step, conversation.now)
    conversation.end()
    conversation.check()


def test_longConversation() -> None:
    """
    So too in a long one, with more streams than examples have.
    """
    chance = Random(5)
    conversation = Conversation(SessionLimits(remoteStreams=40, localStreams=50))
    for _ in range(30_000):
        conversation.now += chance.choice([0.0, 0.001])
        action = chance.choice(OFTEN * 8 + ["finish", "reset"])
        step = (action, chance.randrange(1000), int(chance.expovariate(1e-4)))
        act(conversation.sides[chance.randrange(2)], step, conversation.now)
    conversation.end()
    conversation.check()
    for side in conversation.sides:
        ends = [view.heard[-1] for view in side.views.values() if view.heard]
        assert {Completed, Reset} <= set(ends)
        assert sum(view.received for view in side.views.values()) > 1_000_000
