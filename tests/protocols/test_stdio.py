"""
Tests for L{punch.protocols.stdio}: real descriptors, links in memory.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from select import select
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from punch.errors import Aborted, BadOption, PathLost, PunchError
from punch.interfaces import IOutcome, IStandardStreamsProtocol
from punch.protocols.simple import StdioPlugin
from punch.protocols.stdio import InputFailed, OutputFailed, StdioFactory, StdioProtocol
from tests.support.doubles import Pair, PunchTestCase
from tests.support.programs import HalfCloser

PIPE = 1 << 16
"""
What a pipe holds.
"""


class Turns(MemoryReactor):
    """
    A reactor that tells those who wait for descriptors, a turn at a time.
    """

    def __init__(self) -> None:
        MemoryReactor.__init__(self)
        self.shutdown: list[Callable[[], None]] = []

    def addSystemEventTrigger(  # type: ignore[override]
        self, *trigger: Any
    ) -> Any:
        """
        Only one kind is needed.
        """
        assert trigger[:2] == ("before", "shutdown")
        self.shutdown.append(trigger[2])
        return trigger[2]

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """
        Forget one.
        """
        self.shutdown.remove(triggerID)

    def turn(self) -> bool:
        """
        Tell all who can do something.
        """
        readable, writable, _ = select([*self.readers], [*self.writers], [], 0)
        for each in readable:
            if each in self.readers:
                self._told(each, each.doRead())
        for each in writable:
            if each in self.writers:
                self._told(each, each.doWrite())
        return bool(readable or writable)

    def _told(self, each: Any, ended: Exception | None) -> None:
        if ended is not None:
            each.connectionLost(Failure(ended))


class Process:
    """
    As much of a process as has standard streams.

    C{input}, C{output}: their other ends.
    """

    def __init__(self) -> None:
        self.reactor = Turns()
        self.stdin, self.input = os.pipe()
        self.output, self.stdout = os.pipe()
        os.set_blocking(self.output, False)
        os.set_blocking(self.input, False)
        self.factory: Any = None

    def close(self) -> None:
        """
        Close what is still open.
        """
        mine = [self.input, self.output]
        if self.factory is None:
            mine += [self.stdin, self.stdout]
        for each in mine:
            if each != -1:
                os.close(each)

    def start(self) -> StdioProtocol:
        """
        The protocol.
        """
        self.factory = StdioFactory(self.reactor, self.stdin, self.stdout)
        netcat: StdioProtocol = self.factory.buildProtocol(None)
        return netcat

    def says(self, data: bytes) -> None:
        """
        Write all of it to standard input, which must have room.
        """
        assert os.write(self.input, data) == len(data)

    def finishes(self) -> None:
        """
        End standard input.
        """
        os.close(self.input)
        self.input = -1

    def leaves(self) -> None:
        """
        Read standard output no more.
        """
        os.close(self.output)
        self.output = -1

    def printed(self) -> bytes | None:
        """
        What standard output has; C{None} once it has ended.
        """
        heard = b""
        try:
            while data := os.read(self.output, PIPE):
                heard += data
        except BlockingIOError:
            return heard
        return heard or None


class StdioTestCase(PunchTestCase):
    """
    Two processes and a link.
    """

    def setUp(self) -> None:
        """
        Link them.
        """
        self.pair = Pair()
        self.links = self.pair.links()
        self.ours, self.theirs = self.processes = (Process(), Process())
        for process in self.processes:
            self.addCleanup(process.close)

    def begin(self) -> None:
        """
        Run on both ends.
        """
        for link, process in zip(self.links, self.processes, strict=True):
            link.start(process.start())
        self.settle()

    def settle(self) -> None:
        """
        Let everything happen.
        """
        idle = 0
        while idle < 3:
            turns = [process.reactor.turn() for process in self.processes]
            idle = 0 if any(turns) else idle + 1
            self.pair.run(0.5)

    def outcome(self, index: int) -> Deferred[PunchError | None]:
        """
        What a process is to end with.
        """
        link, process = self.links[index], self.processes[index]
        error = self.successResultOf(link.whenEnded())
        outcome: Deferred[PunchError | None] = process.factory.outcome(error)
        return outcome

    def assertOutcome(self, index: int, kind: type[PunchError] | None) -> str:
        """
        See what a process ends with, and how that reads.
        """
        error = self.successResultOf(self.outcome(index))
        assert error is None if kind is None else type(error) is kind, error
        return str(error)


class StdioTests(StdioTestCase):
    """
    Data, and its ends.
    """

    def test_bothWays(self) -> None:
        """
        What one side's stdin gives, the other's stdout has; both end, and then the
        link does, cleanly, and nothing is left.
        """
        self.begin()
        self.ours.says(b"any\0\xff")
        self.theirs.says(b"\r\nthing")
        self.settle()
        assert self.theirs.printed() == b"any\0\xff"
        assert self.ours.printed() == b"\r\nthing"
        for index, process in enumerate(self.processes):
            process.finishes()
            self.settle()
            assert self.processes[1 - index].printed() is None
        for index, process in enumerate(self.processes):
            self.assertOutcome(index, None)
            assert not process.reactor.readers | process.reactor.writers
            assert not process.reactor.shutdown
            for each in (process.stdin, process.stdout):
                with pytest.raises(OSError, match="descriptor"):
                    os.fstat(each)

    def test_oneEndsTheOtherGoesOn(self) -> None:
        """
        The end of one direction is told at once, and the other one goes on.
        """
        self.begin()
        self.ours.says(b"question")
        self.ours.finishes()
        self.settle()
        assert self.theirs.printed() == b"question"
        assert self.theirs.printed() is None
        self.theirs.says(b"answer")
        self.settle()
        assert self.ours.printed() == b"answer"
        assert not any(link.whenEnded().called for link in self.links)

    def test_slowReader(self) -> None:
        """
        While nobody reads stdout, little is read from the other side's stdin; later
        all comes.
        """
        self.begin()
        data = os.urandom(200 * PIPE)
        taken = 0
        for _ in range(400):
            try:
                taken += os.write(self.ours.input, data[taken : taken + PIPE])
            except BlockingIOError:
                break
            self.settle()
        assert taken < len(data) / 2
        heard = b""
        while len(heard) < taken:
            heard += self.theirs.printed() or b""
            self.settle()
        assert heard == data[:taken]

    def test_flushed(self) -> None:
        """
        The link may end while its last bytes wait for stdout's reader: the process
        waits for him.
        """
        self.begin()
        data = os.urandom(PIPE + PIPE // 2)
        for start in range(0, len(data), PIPE // 2):
            self.ours.says(data[start : start + PIPE // 2])
            self.settle()
        for process in self.processes:
            process.finishes()
        self.settle()
        self.assertOutcome(0, None)
        outcome = self.outcome(1)
        self.waiting(outcome)
        heard = self.theirs.printed() or b""
        self.settle()
        assert heard + (self.theirs.printed() or b"") == data
        assert self.successResultOf(outcome) is None

    def test_readerGoesAtTheEnd(self) -> None:
        """
        If stdout's reader goes then, the process fails, though the link did not.
        """
        self.begin()
        for _ in range(3):
            self.ours.says(bytes(PIPE // 2))
            self.settle()
        for process in self.processes:
            process.finishes()
        self.settle()
        self.theirs.leaves()
        self.settle()
        assert "its reader has gone" in self.assertOutcome(1, OutputFailed)

    def test_readerGoes(self) -> None:
        """
        When stdout's reader goes, the link is aborted at once: nothing needs to be
        written to find out.
        """
        self.begin()
        self.theirs.leaves()
        self.settle()
        assert "its reader has gone" in self.assertOutcome(1, OutputFailed)
        self.assertOutcome(0, PathLost)

    def test_diskFull(self) -> None:
        """
        If stdout takes no more, its reason is told.
        """
        os.close(self.theirs.stdout)
        self.theirs.stdout = os.open("/dev/full", os.O_WRONLY)
        self.begin()
        self.ours.says(b"data")
        self.settle()
        assert "No space left" in self.assertOutcome(1, OutputFailed)

    def test_inputFails(self) -> None:
        """
        If stdin can't be read, that is no end: the other side hears an error.
        """
        os.close(self.ours.stdin)
        self.ours.stdin = os.open("/", os.O_RDONLY)
        self.begin()
        assert "Is a directory" in self.assertOutcome(0, InputFailed)
        self.assertOutcome(1, PathLost)

    def test_linkLost(self) -> None:
        """
        When the link ends early, what came before is written, and the error stays.
        """
        self.begin()
        self.ours.says(b"the beginning")
        self.settle()
        self.links[0].abortConnection()
        self.settle()
        assert self.theirs.printed() == b"the beginning"
        assert self.theirs.printed() is None
        self.assertOutcome(0, Aborted)
        self.assertOutcome(1, PathLost)

    def test_stopped(self) -> None:
        """
        A process that is stopped halfway is no clean end for the other side.
        """
        self.begin()
        [stop] = self.ours.reactor.shutdown
        stop()
        self.settle()
        self.assertOutcome(1, PathLost)

    def test_blockingAgain(self) -> None:
        """
        The streams are left as they were found, for whoever else has them.
        """
        others = [os.dup(self.ours.stdin), os.dup(self.ours.stdout)]
        os.set_blocking(others[1], False)
        self.begin()
        assert not os.get_blocking(others[0])
        self.links[0].abortConnection()
        self.settle()
        assert [os.get_blocking(each) for each in others] == [True, False]

    def test_oneSocket(self) -> None:
        """
        Where both are one socket, the end of output is an end for it, and input goes
        on.
        """
        [outside, inside] = socket.socketpair()
        with outside, inside:
            self.ours.stdin, self.ours.stdout = (os.dup(inside.fileno()) for _ in "io")
            self.begin()
            self.theirs.finishes()
            self.settle()
            outside.settimeout(10)
            assert outside.recv(100) == b""
            outside.sendall(b"still here")
            self.settle()
        assert self.theirs.printed() == b"still here"


class HalfTests(StdioTestCase):
    """
    One end is another protocol.
    """

    def test_plainTCP(self) -> None:
        """
        Once both directions have ended the transport is closed: without TLS nobody
        else does.
        """
        process = self.ours
        netcat, transport = process.start(), StringTransport()
        halfClosed: list[bool] = []
        stub: Any = transport
        stub.loseWriteConnection = lambda: halfClosed.append(True)
        netcat.makeConnection(transport)
        netcat.readConnectionLost()
        assert not transport.disconnecting
        process.finishes()
        process.reactor.turn()
        assert (halfClosed, transport.disconnecting) == ([True], True)
        netcat.connectionLost(Failure(ConnectionDone()))

    def test_peerHears(self) -> None:
        """
        The other side hears a half-close, and an abort as one.
        """
        protocol = HalfCloser()
        self.links[0].start(self.ours.start())
        self.links[1].start(protocol)
        self.ours.says(b"all")
        self.ours.finishes()
        self.settle()
        assert (protocol.received, protocol.isOpen) == (b"all", True)
        self.ours.leaves()
        self.settle()
        assert protocol.lostBy(ConnectionLost)


class FactoryTests(PunchTestCase):
    """
    The plugin and its factory.
    """

    def test_provides(self) -> None:
        """
        They provide what they say.
        """
        verifyObject(IStandardStreamsProtocol, StdioPlugin())
        verifyObject(IOutcome, StdioFactory(Turns(), 0, 1))

    def test_once(self) -> None:
        """
        There is one stdin, for one link.
        """
        process = Process()
        self.addCleanup(process.close)
        process.start()
        assert process.factory.buildProtocol(None) is None

    def test_noLink(self) -> None:
        """
        Where there was no link, the reason for that remains.
        """
        error = PathLost()
        outcome = StdioFactory(Turns(), 0, 1).outcome(error)
        assert self.successResultOf(outcome) is error

    def test_noArguments(self) -> None:
        """
        It takes no arguments, and then no streams either.
        """
        with pytest.raises(BadOption, match="takes no arguments, not 'x'"):
            StdioPlugin().factory(Turns(), "x")
