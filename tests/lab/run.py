"""
A run: the three programs started in a place, and what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .built import Built
from .eventfile import Event, EventFile
from .host import TWIST, Host, Program
from .topology import MeetingPoint

Echo = Callable[[str, str], object]

_START = 20.0
_SLACK = 10.0
_GOODBYE = 5.0


class NotStarted(Exception):
    """
    A program did not come up; its last lines are inside.
    """


@dataclass(frozen=True)
class Outcome:
    """
    What came of one dial, as the dialer tells it.

    C{elapsed} is in seconds from the start of the dial; C{explanation} is what a
    person needs to see of a failure.
    """

    connected: bool
    kind: str = ""
    how: str = ""
    path: str = ""
    elapsed: float | None = None
    reason: str = ""
    explanation: str = ""

    @classmethod
    def fromEvent(cls, event: Event) -> Outcome:
        """
        The outcome that a C{connected} or C{failed} event tells.
        """
        if event["event"] == "connected":
            return cls(
                connected=True,
                kind=event["kind"],
                how=event["how"],
                path=event["path"],
                elapsed=event["elapsed"],
            )
        return cls(
            connected=False, reason=event["reason"], explanation=event["message"]
        )


class Meeting(Built):
    """
    A rendezvous and a listener that waits, while its C{with} block runs; dialers
    meet it one after another.
    """

    def __init__(
        self,
        place: MeetingPoint,
        directory: Path,
        timeout: float = 30.0,
        echo: Echo | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """
        @param directory: for the programs' logs and events.
        @param timeout: the programs' C{--timeout}.
        @param echo: called with each line of the programs: the name of the
            program, the line.
        @param options: more of the listener's.
        """
        self.place = place
        self._options = options
        self.timeout = timeout
        self._directory = directory
        self._echo = echo
        self._dials = 0
        self._port = place.rendezvousPort

    def _build(self, stack: ExitStack) -> None:
        self._startRendezvous(stack)
        self._startListener(stack)

    @property
    def code(self) -> str:
        """
        The newest code that the listener was given.
        """
        return str(self.heard.named("code")[-1]["code"])

    def dial(
        self,
        linger: Callable[[], object] = lambda: None,
        more: Sequence[str] = (),
    ) -> Outcome:
        """
        One dialer from its start to its end; afterwards the NATs have forgotten it.

        @param linger: called when both are connected, while the link stands.
        @param more: more of the dialer's options.
        """
        self._dials += 1
        name = f"dialer-{self._dials}"
        seen = len(self.heard.read())
        told = self._eventFile(name)
        options = ["--code", self.code, "--once", *more]
        args = self._punch("b", told, options)
        dialer = self._start(self.place.b, "dialer", name, args)
        try:
            outcome = self._outcome(dialer, told, seen)
            if outcome.connected:
                linger()
        finally:
            dialer.end()
        self.heard.wait({"closed", "failed"}, _GOODBYE, self._deaf, seen)
        self.place.forget()
        return outcome

    def _outcome(self, dialer: Program, told: EventFile, seen: int) -> Outcome:
        ended, over = lambda: self._ended(dialer), {"connected", "failed"}
        # Its time begins when it has started, which takes long on a busy machine.
        told.wait({"listening", *over}, _START, ended)
        event = told.wait(over, self.timeout + _SLACK, ended)
        if event is None:
            return self._lost(dialer, "ended-without-a-word", "dialer")
        outcome = Outcome.fromEvent(event)
        if outcome.connected and not self._listenerAgrees(seen):
            return self._lost(dialer, "listener-not-connected", "listener")
        return outcome

    def _listenerAgrees(self, seen: int) -> bool:
        event = self.heard.wait({"connected"}, _GOODBYE, self._deaf, seen)
        return event is not None

    def _lost(self, dialer: Program, reason: str, who: str) -> Outcome:
        """
        The outcome that no event tells.
        """
        explanation = (
            f"the {who} did not say how it ended within the time it had\n"
            f"--- dialer\n{dialer.tail()}\n--- listener\n{self._listener.tail()}\n"
            f"--- rendezvous\n{self._rendezvous.tail()}"
        )
        return Outcome(connected=False, reason=reason, explanation=explanation)

    def _startRendezvous(self, stack: ExitStack) -> None:
        address = self.place.rendezvousAddress
        ports = sorted({self._port, *self.place.rendezvousPorts.values()})
        args = ["punch-rendezvous"]
        where = "tcp:{}:interface=" + address
        if self.place.rendezvousAddresses:
            where = "tcp6:{}"  # on Linux IPv4 too
        for port in ports:
            args += ["--listen", where.format(port)]
        host = self.place.rendezvous
        self._rendezvous = self._start(host, "rendezvous", "rendezvous", args)
        stack.callback(self._rendezvous.end)
        for port in ports:
            there = (address, port)
            if not host.answers(there, _START, lambda: self._ended(self._rendezvous)):
                raise NotStarted(f"rendezvous:\n{self._rendezvous.tail()}")

    def _startListener(self, stack: ExitStack) -> None:
        self.heard = self._eventFile("listener")
        args = self._punch("a", self.heard, self._options)
        self._listener = self._start(self.place.a, "listener", "listener", args)
        stack.callback(self._listener.end)
        if self.heard.wait({"code"}, _START, self._deaf) is None:
            raise NotStarted(f"listener:\n{self._listener.tail()}")

    def _deaf(self) -> bool:
        return self._ended(self._listener)

    def _ended(self, program: Program) -> bool:
        return program.status is not None

    def _eventFile(self, name: str) -> EventFile:
        return EventFile(self._directory / f"{name}.events")

    def _punch(self, side: str, events: EventFile, options: Sequence[str]) -> list[str]:
        port = self.place.rendezvousPorts.get(side, self._port)
        address = self.place.rendezvousAddress
        address = self.place.rendezvousAddresses.get(side, address)
        if ":" in address:
            address = f"[{address}]"
        rendezvous = f"tcp:{address}:{port}"
        return [
            "punch",
            *("--rendezvous", rendezvous),
            *("--timeout", f"{self.timeout:g}"),
            *("--events", str(events.path)),
            *options,
        ]

    def _start(self, host: Host, name: str, file: str, args: list[str]) -> Program:
        echo = partial(self._echo, name) if self._echo else None
        return host.start([*TWIST, *args], self._directory / f"{file}.log", echo)


@contextmanager
def keptDirectory(kept: Path | None, name: str) -> Iterator[Path]:
    """
    A directory for a pair's logs: a temporary one, or a fresh one below C{kept}.
    """
    if kept is None:
        with TemporaryDirectory(prefix="punch-lab-") as temporary:
            yield Path(temporary)
        return
    name = name.replace("/", ".")
    serial = sum(1 for _ in kept.glob(f"{name}-*")) + 1
    directory = kept.resolve() / f"{name}-{serial}"
    directory.mkdir(parents=True)
    yield directory


def dial(
    place: MeetingPoint, directory: Path, timeout: float, more: Sequence[str] = ()
) -> Outcome:
    """
    Build a place, and dial there once.

    @param more: options of both programs.
    """
    with place, Meeting(place, directory, timeout, options=more) as meeting:
        return meeting.dial(more=more)
