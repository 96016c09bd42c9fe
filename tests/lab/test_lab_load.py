"""
Tests of L{tests.lab.load}: that it notices what happens to it.  Pairs of sockets,
without a network.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Thread
from time import monotonic

import pytest

from .load import AFTERMATH, MEBIBYTE, Echo, LoadFailed, Progress, Transfer

PATIENCE = 20.0

Change = Callable[[bytes], bytes]


def progress(*instants: float) -> Progress:
    """
    A reader that began at 0 and read ten bytes at each of some instants.
    """
    made = Progress(0.0)
    for instant in instants:
        made.note(10, instant)
    return made


def test_gaps() -> None:
    """
    What is longer than a twentieth of a second is noted, with what came before.
    """
    made = progress(0.04, 0.08, 0.18, 0.2, 1.2)
    assert [(g.begin, g.end, g.received) for g in made.gaps] == [
        (0.08, 0.18, 20),
        (0.2, 1.2, 40),
    ]
    assert made.received == 50
    assert made.longest() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("instants", "outage"),
    [
        # The network is back at 10.
        ([9.0, 12.5, 12.51], 2.5),
        ([9.0, 9.5, 9.51], 0.0),
        # Something under way still arrives; that is no sign of life.
        ([9.0, 10.1, 12.5], 2.5),
        ([9.0, 10 + AFTERMATH + 0.1, 12.5], AFTERMATH + 0.1),
        # A new path goes on in small steps.
        ([9.0, 10.2, 10.3, 10.4, 10.5], 0.2),
    ],
)
def test_outage(instants: list[float], outage: float) -> None:
    """
    An outage is from when the network was back until bytes came again.
    """
    assert progress(*instants).outage(10.0) == pytest.approx(outage)


class Middle:
    """
    Two connections, and what is in the middle of them: it passes on what it hears,
    changed.
    """

    def __init__(self, stack: ExitStack, change: Change = lambda data: data) -> None:
        self._change = change
        self.here, near = socket.socketpair()
        self.there, far = socket.socketpair()
        self.inner = (near, far)
        for each in (self.here, self.there, near, far):
            stack.callback(each.close)
        for source, sink in ((near, far), (far, near)):
            Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def cut(self) -> None:
        """
        End it.
        """
        for each in self.inner:
            each.shutdown(socket.SHUT_RDWR)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(self._change(data))
            sink.shutdown(socket.SHUT_WR)


def repeating(stack: ExitStack, change: Change) -> socket.socket:
    """
    A connection to what says everything again, changed; to nothing it is the end.
    """
    here, there = socket.socketpair()

    def repeat() -> None:
        with there:
            while (said := there.recv(4096)) and (answer := change(said)):
                there.sendall(answer)

    stack.callback(here.close)
    Thread(target=repeat, daemon=True).start()
    return here


def test_transfer() -> None:
    """
    As much is sent as is allowed, and then the end; what arrives is the same.
    """
    with ExitStack() as stack:
        middle = Middle(stack)
        transfer = stack.enter_context(Transfer(middle.here, middle.there))
        transfer.allow(MEBIBYTE)
        transfer.awaitReceived(MEBIBYTE, PATIENCE)
        assert transfer.outage(monotonic() - 1.0, PATIENCE) < 1.0
        transfer.allow(3 * MEBIBYTE, last=True)
        transfer.finish(PATIENCE)
        assert [p.received for p in transfer.progresses] == [3 * MEBIBYTE] * 2


def test_changed() -> None:
    """
    It is noticed if other bytes arrive than were sent.
    """
    with ExitStack() as stack:
        middle = Middle(stack, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
        transfer = stack.enter_context(Transfer(middle.here, middle.there))
        transfer.allow(MEBIBYTE, last=True)
        with pytest.raises(LoadFailed, match="others received"):
            transfer.finish(PATIENCE)


def test_cut() -> None:
    """
    It is noticed if the connection ends early, however cleanly.
    """
    with ExitStack() as stack:
        middle = Middle(stack)
        transfer = stack.enter_context(Transfer(middle.here, middle.there))
        transfer.allow(MEBIBYTE)
        transfer.awaitReceived(MEBIBYTE, PATIENCE)
        middle.cut()
        transfer.allow(3 * MEBIBYTE, last=True)
        with pytest.raises(LoadFailed):
            transfer.finish(PATIENCE)


def test_stuck() -> None:
    """
    It is noticed if nothing arrives.
    """
    with ExitStack() as stack:
        middle = Middle(stack)
        transfer = stack.enter_context(Transfer(middle.here, middle.there))
        transfer.allow(10)
        with pytest.raises(LoadFailed, match="stuck"):
            transfer.awaitReceived(MEBIBYTE, 0.2)


def test_echo() -> None:
    """
    Lines that come back are counted, and the end that follows the end is clean.
    """
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(repeating(stack, lambda line: line)))
        echo.awaitLine(PATIENCE)
        echo.awaitLine(PATIENCE)
        echo.finish()
        assert len(echo.trips) >= 2


@pytest.mark.parametrize("wrong", [b"", b"line 7\n"])
def test_wrongEcho(wrong: bytes) -> None:
    """
    It is noticed if another line comes back, or the end.
    """
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(repeating(stack, lambda line: wrong)))
        with pytest.raises(LoadFailed) as raised:
            echo.awaitLine(PATIENCE)
        assert "came back as" in str(raised.value.__cause__)
        with pytest.raises(LoadFailed):
            echo.finish()
