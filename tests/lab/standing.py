"""
The standing pair: a listener under a name and a dialer that forwards to it, with
their rendezvous, each of which may be killed and started again.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic, sleep, time

from .built import Built
from .eventfile import Event, EventFile
from .host import TWIST, Host, Program
from .load import Echo, Transfer
from .run import NotStarted
from .topology import Laboratory

BULK, ECHO = 7001, 7002
"""
The ports of the two services, the same where they are exposed and where they are
forwarded to.
"""

_START = 30.0


@dataclass
class Part:
    """
    A program of the play, that may run more than once; log and events go on.
    """

    host: Host
    args: Sequence[str]
    log: Path
    told: EventFile

    def start(self) -> None:
        """
        Start it (again).
        """
        self.program: Program = self.host.start([*TWIST, *self.args], self.log)

    def kill(self) -> None:
        """
        Kill it: the kernel closes what it had, it says nothing.
        """
        self.program.kill()

    @property
    def hasEnded(self) -> bool:
        """
        Is it not running?
        """
        return self.program.status is not None

    def memory(self) -> int:
        """
        The most memory that it has had, in KiB.
        """
        status = Path(f"/proc/{self.program.number}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0])

    def seen(self) -> int:
        """
        How many events it has told.
        """
        return len(self.told.read())

    def awaitEnd(self, patience: float) -> int | None:
        """
        Its exit status, if it ends by itself in time.
        """
        deadline = monotonic() + patience
        while not self.hasEnded and monotonic() < deadline:
            sleep(0.02)
        return self.program.status

    def wait(self, *names: str, patience: float = _START, after: int = 0) -> Event:
        """
        Wait for one of some events.

        @param after: how many events at the start not to look at.
        @raise NotStarted: it did not come.
        """
        event = self.told.wait(set(names), patience, lambda: self.hasEnded, after)
        if event is None:
            told = [each["event"] for each in self.told.read()]
            tail = self.program.tail()
            raise NotStarted(f"no {names} among {told} of:\n{tail}")
        return event

    def path(self) -> tuple[str, float]:
        """
        What carries its link now, C{direct}, C{relayed} or nothing, and since when
        (L{time.monotonic}).
        """
        now, since = "", 0.0
        for event in self.told.read():
            path = _pathAfter(event)
            if path is not None:
                now, since = path, event["time"]
        return now, since - time() + monotonic()


class StandingPair(Built):
    """
    The three programs, connected, while its C{with} block runs: C{a} listens and
    exposes two services, C{b} dials and forwards to them.
    """

    def __init__(
        self,
        lab: Laboratory,
        directory: Path,
        options: Sequence[str] = (),
        *,
        dialer: Sequence[str] = (),
        rendezvous: Sequence[str] = (),
    ) -> None:
        """
        @param directory: for logs, events and the secret.
        @param options: more of both peers'.
        @param dialer: more of the dialer's.
        @param rendezvous: more of the rendezvous's.
        """
        self.lab = lab
        self.directory = directory
        secret = directory / "secret"
        secret.write_text(secrets.token_hex(32))
        secret.chmod(0o600)
        where = f"tcp:{lab.rendezvousPort}:interface={lab.rendezvousAddress}"
        common = [
            "punch",
            *("--rendezvous", f"tcp:{lab.rendezvousAddress}:{lab.rendezvousPort}"),
            *("--name", "attic", "--secret-file", str(secret), *options),
        ]
        self.rendezvous = self._part(
            "rendezvous",
            lab.rendezvous,
            ["punch-rendezvous", "--listen", where, *rendezvous],
        )
        self.listener = self._part("listener", lab.a, [*common, *_exposed()])
        forwards = [*common, "--dial", *_forwarded(), *dialer]
        self.dialer = self._part("dialer", lab.b, forwards)

    def _build(self, stack: ExitStack) -> None:
        for part in self.parts:
            stack.callback(self._end, part)
        self.startRendezvous()
        self.listener.start()
        self.listener.wait("waiting")
        self.dialer.start()
        self.dialer.wait("connected")
        self.listener.wait("connected")

    @property
    def parts(self) -> list[Part]:
        """
        All three.
        """
        return [self.rendezvous, self.listener, self.dialer]

    def startRendezvous(self) -> float:
        """
        Start it (again).

        @return: the instant when it answers.
        @raise NotStarted: it doesn't.
        """
        self.rendezvous.start()
        address = (self.lab.rendezvousAddress, self.lab.rendezvousPort)
        host, ended = self.lab.rendezvous, lambda: self.rendezvous.hasEnded
        if not host.answers(address, _START, ended):
            raise NotStarted(f"rendezvous:\n{self.rendezvous.program.tail()}")
        return monotonic()

    def connect(self, port: int) -> tuple[socket.socket, socket.socket]:
        """
        A connection through the forward of a service: C{b}'s end, and C{a}'s.
        """
        with closing(self.lab.a.socket(port, timeout=_START)) as waiting:
            waiting.listen()
            client = self.lab.b.socket(timeout=_START)
            client.connect(("127.0.0.1", port))
            client.sendall(b"!")  # Nothing opens the stream before.
            served, _ = waiting.accept()
            served.settimeout(_START)
            assert served.recv(1) == b"!"
        return client, served

    def memory(self) -> list[str]:
        """
        How much memory each program has had at the most, a line each.
        """
        return [f"{part.log.stem}: {part.memory()} KiB" for part in self.parts]

    def transfer(self, rate: float = 0.0) -> Transfer:
        """
        A transfer through the forward.
        """
        return Transfer(*self.connect(BULK), rate)

    def echo(self) -> Echo:
        """
        A terminal through the forward.
        """
        terminal, served = self.connect(ECHO)
        Thread(target=_repeat, args=(served,), daemon=True).start()
        return Echo(terminal)

    def _part(self, name: str, host: Host, args: Sequence[str]) -> Part:
        told = EventFile(self.directory / f"{name}.events")
        if name != "rendezvous":
            args = [*args, "--events", str(told.path)]
        return Part(host, args, self.directory / f"{name}.log", told)

    def _end(self, part: Part) -> None:
        if hasattr(part, "program"):
            part.program.end()


def _pathAfter(event: Event) -> str | None:
    """
    What carries a link after an event, or L{None} if that says nothing about it.
    """
    if event["event"] in ("suspended", "closed"):
        return ""
    told = {"connected": "path", "resumed": "path", "path": "to"}.get(event["event"])
    return str(event[told]) if told else None


def _exposed() -> list[str]:
    return [
        *("--expose", f"bulk=tcp:127.0.0.1:{BULK}"),
        *("--expose", f"echo=tcp:127.0.0.1:{ECHO}"),
    ]


def _forwarded() -> list[str]:
    return [
        *("--forward", f"bulk=tcp:{BULK}:interface=127.0.0.1"),
        *("--forward", f"echo=tcp:{ECHO}:interface=127.0.0.1"),
    ]


def _repeat(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.settimeout(None)
        while said := connection.recv(4096):
            connection.sendall(said)
