"""
The load on a link in the laboratory: a transfer each way at once, and an echo, that
notice everything which happens to them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from hashlib import sha256
from threading import Condition, Event, Thread
from time import monotonic, sleep
from typing import NamedTuple

NOTABLE = 0.05
"""
Seconds without anything read that are worth noting.
"""

AFTERMATH = 0.5
"""
For how many seconds after a fault what was under way may still arrive.
"""

MEBIBYTE = 1 << 20

_BLOCK = 1 << 16
_PATIENCE = 90.0
_KEY = 0.1


class LoadFailed(Exception):
    """
    The load was not carried as it should have been.
    """


class Gap(NamedTuple):
    """
    A time without anything read: its begin and its end (L{monotonic}), and how many
    bytes had come before.
    """

    begin: float
    end: float
    received: int

    @property
    def length(self) -> float:
        """
        Seconds.
        """
        return self.end - self.begin


class Progress:
    """
    The progress of a reader: what it has received, and where it had to wait.

    @ivar gaps: those of L{NOTABLE} length.
    @ivar last: when something was read last.
    """

    def __init__(self, now: float) -> None:
        self.received = 0
        self.gaps: list[Gap] = []
        self.last = now

    def note(self, count: int, now: float) -> None:
        """
        So many bytes were read.
        """
        if now - self.last >= NOTABLE:
            self.gaps.append(Gap(self.last, now, self.received))
        self.received += count
        self.last = now

    def longest(self) -> float:
        """
        The longest gap, in seconds.
        """
        return max((gap.length for gap in self.gaps), default=0.0)

    def outage(self, back: float) -> float:
        """
        How many seconds there was nothing, because of a fault, after the network was
        back.  What was under way then may come for a moment longer, and is no sign
        of life.
        """
        about = [g for g in self.gaps if g.end > back and g.begin < back + AFTERMATH]
        # The longest: a new path begins in small steps, a round trip each.
        return max(about, key=lambda gap: gap.length).end - back if about else 0.0


class _Way:
    """
    One direction of a transfer: a thread that writes, and one that reads.
    """

    def __init__(self, source: socket.socket, sink: socket.socket, rate: float) -> None:
        self.progress = Progress(monotonic())
        self.error: Exception | None = None
        self.sent = 0
        self._rate = rate
        self._source, self._sink = source, sink
        self._written, self._read = sha256(), sha256()
        self._allowance = Condition()
        self._allowed = 0
        self._last = False
        self._threads = [
            Thread(target=self._guarded, args=(what,), daemon=True)
            for what in (self._write, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    def isBack(self, back: float) -> bool:
        late = self.progress.last > back + AFTERMATH
        return late or self.progress.received >= self._allowed

    def allow(self, count: int, last: bool) -> None:
        with self._allowance:
            self._allowed, self._last = count, last
            self._allowance.notify()

    def finish(self, patience: float) -> None:
        deadline = monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        if self.error is not None:
            raise LoadFailed(f"after {self.progress.received} bytes") from self.error
        if any(thread.is_alive() for thread in self._threads):
            raise LoadFailed(f"{self.progress.received} of {self.sent} bytes in time")
        if self._written.digest() != self._read.digest():
            raise LoadFailed(f"{self.sent} bytes sent, others received")

    def _guarded(self, what: Callable[[], None]) -> None:
        try:
            what()
        except OSError as error:
            self.error = self.error or error

    def _write(self) -> None:
        block, started = os.urandom(_BLOCK), monotonic()
        while self._mayWrite():
            # No two are alike, so none can take another's place.
            block = self.sent.to_bytes(8, "big") + block[8:]
            self._written.update(block)
            self._source.sendall(block)
            self.sent += len(block)
            if self._rate:
                sleep(max(0.0, started + self.sent / self._rate - monotonic()))
        self._source.shutdown(socket.SHUT_WR)

    def _mayWrite(self) -> bool:
        with self._allowance:
            while self.sent >= self._allowed and not self._last:
                self._allowance.wait()
            return self.sent < self._allowed

    def _listen(self) -> None:
        while data := self._sink.recv(4 * _BLOCK):
            self.progress.note(len(data), monotonic())
            self._read.update(data)


class Transfer:
    """
    A transfer over one connection, each way at once, of as much as is L{allow}ed.
    """

    def __init__(
        self, here: socket.socket, there: socket.socket, rate: float = 0.0
    ) -> None:
        """
        @param here: one end of the connection; the transfer's from now on.
        @param there: the other end.
        @param rate: the most bytes a second, each way; 0: as many as can be.
        """
        self._ends = (here, there)
        for end in self._ends:
            end.settimeout(_PATIENCE)
        self._ways = [_Way(here, there, rate), _Way(there, here, rate)]

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *error: object) -> None:
        self.allow(0, last=True)
        for end in self._ends:
            _close(end)

    @property
    def progresses(self) -> list[Progress]:
        """
        Both readers'.
        """
        return [way.progress for way in self._ways]

    @property
    def failed(self) -> bool:
        """
        Is there no more hope?
        """
        return any(way.error for way in self._ways)

    @property
    def received(self) -> int:
        """
        How many bytes have arrived on the direction that is behind.
        """
        return min(progress.received for progress in self.progresses)

    @property
    def furthest(self) -> int:
        """
        How many have on the other.
        """
        return max(progress.received for progress in self.progresses)

    def allow(self, count: int, last: bool = False) -> None:
        """
        Let so many bytes, from the start, be sent each way.

        @param last: and then the end.
        """
        for way in self._ways:
            way.allow(count, last)

    def awaitReceived(self, count: int, patience: float) -> None:
        """
        Wait until so many bytes have arrived, both ways.

        @raise LoadFailed: the connection broke, or it takes too long.
        """
        self._await(lambda: self.received >= count, patience)

    def awaitAny(self, count: int, patience: float) -> None:
        """
        Wait until so many bytes have arrived, one way.

        @raise LoadFailed: the connection broke, or it takes too long.
        """
        self._await(lambda: self.furthest >= count, patience)

    def outage(self, back: float, patience: float) -> float:
        """
        Wait until it goes on after a fault, or all that is allowed is there.

        @param back: when the network was back.
        @return: how long the slower direction stood still: see L{Progress.outage}.
        @raise LoadFailed: the connection broke, or it takes too long.
        """
        self._await(lambda: all(way.isBack(back) for way in self._ways), patience)
        return max(progress.outage(back) for progress in self.progresses)

    def finish(self, patience: float) -> None:
        """
        Wait for both ends of what was allowed at last.

        @raise LoadFailed: it broke, takes too long, or something else was received
            than what was sent.
        """
        for way in self._ways:
            way.finish(patience)

    def _await(self, condition: Callable[[], bool], patience: float) -> None:
        deadline = monotonic() + patience
        while not condition():
            if self.failed:
                self.finish(0.0)
            if monotonic() > deadline:
                counts = [progress.received for progress in self.progresses]
                raise LoadFailed(f"stuck: {counts} bytes received")
            sleep(0.005)


class Echo:
    """
    Somebody at a terminal: a line each tenth of a second, or as soon as the one
    before is back.

    @ivar trips: the seconds that each line took, there and back.
    """

    def __init__(self, terminal: socket.socket) -> None:
        """
        @param terminal: a connection to what says everything again.
        """
        self.trips: list[float] = []
        self._error: Exception | None = None
        self._terminal = terminal
        self._over = Event()
        self._thread = Thread(target=self._type, daemon=True)
        self._thread.start()

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        _close(self._terminal)

    def awaitLine(self, patience: float) -> None:
        """
        Wait for one more line to come back.

        @raise LoadFailed: none does.
        """
        seen, deadline = len(self.trips), monotonic() + patience
        while len(self.trips) == seen:
            if self._error is not None or monotonic() > deadline:
                raise LoadFailed(f"echo, after {seen} lines") from self._error
            sleep(0.01)

    def finish(self) -> None:
        """
        Log out.

        @raise LoadFailed: a line did not come back, or came back as another.
        """
        self._over.set()
        self._thread.join(_PATIENCE)
        if self._error is not None or self._thread.is_alive():
            raise LoadFailed(f"echo, after {len(self.trips)} lines") from self._error
        with closing(self._terminal):
            self._terminal.shutdown(socket.SHUT_WR)
            if self._terminal.recv(1):
                raise LoadFailed("echo: something after the end")

    def _type(self) -> None:
        self._terminal.settimeout(_PATIENCE)
        try:
            with self._terminal.makefile("rb") as answers:
                while not self._over.wait(_KEY):
                    self._line(answers.readline)
        except (OSError, LoadFailed) as error:
            self._error = error

    def _line(self, answer: Callable[[], bytes]) -> None:
        line, said = b"line %d\n" % len(self.trips), monotonic()
        self._terminal.sendall(line)
        heard = answer()
        if heard != line:
            raise LoadFailed(f"{line!r} came back as {heard!r}")
        self.trips.append(monotonic() - said)


def _close(end: socket.socket) -> None:
    """
    To close it alone would not wake who reads.
    """
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
