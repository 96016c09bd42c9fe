"""
How links end (L{punch.link}): a table of what happens in which state, and of what both
sides hear of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from punch.errors import Aborted, LinkError, PathLost, ProtocolViolation
from punch.link.errors import UnknownLink
from punch.link.path import FAREWELL
from punch.link.records import Type, encode, encodeHeader, encodeOffset
from tests.support.doubles import watching
from tests.support.durable import Couple
from tests.support.programs import HalfCloser, Pusher, Recorder

End = type[LinkError] | None

CLEAN = (None, None)
ABORTED = (Aborted, PathLost)
BROKEN = (PathLost, PathLost)
BY_DIALER = (PathLost, ProtocolViolation)
BY_LISTENER = (ProtocolViolation, PathLost)

# States.


class Failing(Recorder):
    """
    Fails at whatever it receives.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Fail.
        """
        raise RuntimeError("not today")


class Scene:
    """
    A link in some state, and the protocols that run on its ends; C{None} where none
    does.
    """

    def __init__(
        self,
        *kinds: Callable[[], Recorder] | None,
        resumeFor: float = 600.0,
        prepare: Callable[[Scene], object] = lambda scene: None,
    ) -> None:
        self.couple = Couple(resumeFor=resumeFor)
        self.protocols = [kind and kind() for kind in kinds or (Recorder, Recorder)]
        for link, protocol in zip(self.couple.links, self.protocols, strict=True):
            if protocol is not None:
                link.start(protocol)
        self.couple.run()
        prepare(self)
        self.couple.run()

    def resume(self) -> None:
        """
        The path breaks, and the link goes on over another.
        """
        self.couple.pair.hosts[0].reset()
        self.couple.run(5)
        assert [self.couple.named(end) for end in (0, 1)] == [
            ["suspended", "resumed"]
        ] * 2

    def suspend(self) -> None:
        """
        The path breaks, and there is no other.
        """
        self.couple.findsPaths = False
        self.couple.pair.hosts[0].reset()

    def push(self) -> None:
        """
        Both sides write as much as they may.
        """
        for link in self.couple.links:
            Pusher(self.couple.clock, link)

    def halfClose(self) -> None:
        """
        The dialer has written all that it will.
        """
        self.couple.dialers.write(b"data")
        self.couple.dialers.loseWriteConnection()
        self.couple.run()
        listener = self.protocols[1]
        assert listener is not None
        assert listener.received == b"data"

    def send(self, end: int, wire: bytes) -> None:
        """
        Bytes come from one end, whatever its link thinks of that.
        """
        path = self.couple.current(end)
        assert path is not None
        path.transport.write(wire)


NO_RESUMPTION = "no resumption"

STATES: dict[str, Callable[[], Scene]] = {
    "idle": Scene,
    "unstarted": partial(Scene, None, None),
    "listener unstarted": partial(Scene, Recorder, None),
    "busy": partial(Scene, prepare=Scene.push),
    "half-closed": partial(Scene, HalfCloser, HalfCloser, prepare=Scene.halfClose),
    "half-closed, no resumption": partial(
        Scene, HalfCloser, HalfCloser, resumeFor=0.0, prepare=Scene.halfClose
    ),
    "reader paused": partial(
        Scene, prepare=lambda scene: scene.couple.listeners.pauseProducing()
    ),
    "listener failing": partial(Scene, Recorder, Failing),
    "listener failing, no resumption": partial(Scene, Recorder, Failing, resumeFor=0.0),
    NO_RESUMPTION: partial(Scene, resumeFor=0.0),
    "resumed": partial(Scene, prepare=Scene.resume),
    "suspended": partial(Scene, prepare=Scene.suspend),
}

# Events.


def leave(scene: Scene) -> None:
    """
    Both sides lose the connection.
    """
    for link in scene.couple.links:
        link.loseConnection()


def refuse(scene: Scene) -> None:
    """
    Each side hears that the other does not know the link; to hear it twice is harmless.
    """
    for link in scene.couple.links * 2:
        link.refused(UnknownLink())


EVENTS: dict[str, Callable[[Scene], object]] = {
    "dialer leaves": lambda scene: scene.couple.dialers.loseConnection(),
    "listener leaves": lambda scene: scene.couple.listeners.loseConnection(),
    "both leave": leave,
    "dialer aborts": lambda scene: scene.couple.dialers.abortConnection(),
    "dialer writes": lambda scene: scene.couple.dialers.write(b"x"),
    "path breaks": lambda scene: scene.couple.pair.hosts[0].reset(),
    "TCP ends": lambda scene: scene.couple.truncate(0),
    "refused": refuse,
}

WIRES: dict[str, tuple[bytes, str]] = {
    "second CLOSE": (encode(Type.CLOSE) * 2, "CLOSE in another place"),
    "DATA after CLOSE": (
        encode(Type.CLOSE) + encodeHeader(Type.DATA, 1) + b"x",
        "DATA after CLOSE",
    ),
    "unknown type": (b"\x09" + bytes(4), "unknown type 9"),
    "no record": (b"\xff" * 5, "unknown type 255"),
    "second ATTACH": (encode(Type.ATTACH), "second ATTACH"),
    "ATTACHED": (encode(Type.ATTACHED), "ATTACHED out of turn"),
    "ACK of what was not sent": (encode(Type.ACK, encodeOffset(1)), "an ACK of 1 "),
    "short PONG": (encode(Type.PONG, bytes(3)), "an offset of 3 bytes"),
    "SKIP of what was not told": (
        encode(Type.SKIP, encodeOffset(1)),
        "SKIP from 0 to 1",
    ),
}

ANSWERS: dict[str, tuple[bytes, str]] = {
    "ATTACH": (encode(Type.ATTACH), "ATTACH out of turn"),
    "ATTACHED again": (encode(Type.ATTACHED), ""),
}

RUNNING = ("idle", "unstarted", "reader paused", "resumed", NO_RESUMPTION)

TABLE: list[tuple[str, tuple[str, ...], tuple[End, End]]] = [
    ("dialer leaves", ("idle", "resumed", NO_RESUMPTION), CLEAN),
    ("listener leaves", ("idle", "listener unstarted", NO_RESUMPTION), CLEAN),
    ("both leave", ("idle", "unstarted", "half-closed", "resumed"), CLEAN),
    ("both leave", (NO_RESUMPTION, "half-closed, no resumption"), CLEAN),
    ("dialer aborts", (*RUNNING, "busy", "half-closed"), ABORTED),
    ("dialer writes", ("listener failing",), ABORTED[::-1]),
    ("dialer writes", ("listener failing, no resumption",), ABORTED[::-1]),
    ("path breaks", (NO_RESUMPTION, "half-closed, no resumption"), BROKEN),
    ("TCP ends", (NO_RESUMPTION, "half-closed, no resumption"), BROKEN),
    ("refused", ("idle", "suspended", NO_RESUMPTION), (UnknownLink, UnknownLink)),
]


def _cases() -> Iterator[Any]:
    """
    Each state and event, with the expected ends and a part of what the error says.
    """
    for event, states, ends in TABLE:
        for state in states:
            happen = EVENTS[event]
            yield pytest.param(state, happen, ends, "", id=f"{state}-{event}")
    for end, wires, ends in ((0, WIRES, BY_DIALER), (1, ANSWERS, BY_LISTENER)):
        for name, (wire, said) in wires.items():
            for state in RUNNING:
                send = partial(Scene.send, end=end, wire=wire)
                yield pytest.param(state, send, ends, said, id=f"{state}-{name}")


def assertHeard(protocol: Recorder, end: LinkError | None) -> None:
    """
    See that a protocol has heard how its link ended, in Twisted's words.
    """
    assert protocol.reason is not None
    heard = protocol.reason.value
    if end is None:
        assert type(heard) is ConnectionDone
    else:
        lost = ConnectionAborted if isinstance(end, Aborted) else ConnectionLost
        assert type(heard) is lost
        assert heard.__cause__ is end
        assert str(end) in str(heard)


@pytest.mark.parametrize(("state", "happen", "ends", "said"), list(_cases()))
def test_ends(
    state: str, happen: Callable[[Scene], object], ends: tuple[End, End], said: str
) -> None:
    """
    Each side reports its end, and each protocol hears it, whether it was there at the
    time or is started afterwards.  Nobody looks for another path, and nothing is left.
    """
    with watching() as log:
        scene = STATES[state]()
        couple = scene.couple
        told = [list(each) for each in couple.events]
        happen(scene)
        couple.run(0.3)
        # What a busy link has under way is sent first.
        assert state == "busy" or ... not in couple.ends()
        couple.run(FAREWELL)
    found = couple.ends()
    assert [type(each) for each in found] == [kind or type(None) for kind in ends]
    assert [list(each) for each in couple.events] == told
    assert any(said in str(each) for each in found)
    for link, protocol, end in zip(couple.links, scene.protocols, found, strict=True):
        if protocol is None:
            link.start(protocol := Recorder())
        assertHeard(protocol, end)
        # Nothing that comes with a violation is received.
        assert not (said and protocol.received)
    failures = [each["log_failure"] for each in log.events if "log_failure" in each]
    assert len(failures) == state.startswith("listener failing")
    couple.findsPaths = False
    couple.run(10)
    assert couple.isQuiet()
