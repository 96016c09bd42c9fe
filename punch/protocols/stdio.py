"""
Standard input and output on a link: a netcat.

Twisted's C{StandardIO} would serve, but it reads 8 KiB at a time, and does not tell
a failure from an end: a disk that is full would be a success.

What can go wrong with standard input and output, while the link is well.  (As in
L{punch.errors}, what a person reads is the docstring.)
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from fcntl import F_GETFL, fcntl
from socket import SHUT_WR, socket
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import BadOption, LinkError, PunchError
from punch.interfaces import IOutcome
from punch.reasons import Reason
from punch.util.deferreds import SharedResult


class InputFailed(LinkError):
    """
    Standard input could not be read to its end, so the link was aborted.
    """

    reason = Reason.INPUT_FAILED


class OutputFailed(LinkError):
    """
    Not everything that came could be written to standard output.
    """

    reason = Reason.OUTPUT_FAILED


_PIECE = 1 << 16

Ended = Callable[[str | None], None]
"""
Told of an end, once: C{None} for the right one, else what was wrong.
"""


class _Standard(FileDescriptor):
    """
    One direction: a descriptor that is ours to close.
    """

    connected = 1

    def __init__(self, reactor: Any, descriptor: int, ended: Ended) -> None:
        FileDescriptor.__init__(self, reactor)
        self._descriptor = descriptor
        self._ended = ended
        self._trouble: str | None = None
        # Others may have the same open file, and use it after us.
        self._wasBlocking = os.get_blocking(descriptor)
        os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """
        The descriptor; C{-1} once it is closed.
        """
        return self._descriptor if self.connected else -1

    def _close(self) -> None:
        FileDescriptor.connectionLost(self, None)
        os.set_blocking(self._descriptor, self._wasBlocking)
        os.close(self._descriptor)


class Input(_Standard):
    """
    Standard input, as a push producer.
    """

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        received: Callable[[bytes], None],
        ended: Ended,
    ) -> None:
        """
        @param ended: told when there is no more, unless we have stopped.
        """
        _Standard.__init__(self, reactor, descriptor, ended)
        self._received = received

    def doRead(self) -> Exception | None:
        """
        From the reactor: there is something to read.
        """
        try:
            data = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return None
        except OSError as error:
            self._trouble = error.strerror
            return ConnectionLost()
        if not data:
            return ConnectionDone()
        self._received(data)
        return None

    def connectionLost(self, reason: Failure) -> None:
        """
        From the reactor: no more can be read.
        """
        if not self.connected:
            return
        self._close()
        if self._trouble is None and not reason.check(ConnectionDone):
            self._trouble = reason.getErrorMessage()
        self._ended(self._trouble)

    def stopProducing(self) -> None:
        """
        Read no more, whatever there is.
        """
        if self.connected:
            self._close()


class Output(_Standard):
    """
    Standard output, as a consumer.
    """

    def __init__(self, reactor: Any, descriptor: int, ended: Ended) -> None:
        """
        @param ended: told when everything is written, or nothing more can be.
        """
        _Standard.__init__(self, reactor, descriptor, ended)
        self._complete = False

    def watch(self) -> None:
        """
        Notice at once if a pipe's reader goes, even if there is nothing to write.
        """
        # "Readable" can mean nothing else for an end that can't be read.
        access = fcntl(self._descriptor, F_GETFL) & os.O_ACCMODE
        isPipe = stat.S_ISFIFO(os.fstat(self._descriptor).st_mode)
        if isPipe and access == os.O_WRONLY:
            self.startReading()

    def doRead(self) -> Exception:
        """
        From a reactor that takes an error for something to read.
        """
        return ConnectionLost()

    def writeSomeData(self, data: bytes) -> int | Exception:
        """
        From L{FileDescriptor}: write what can be written now.
        """
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return ConnectionLost()
        except OSError as error:
            self._trouble = error.strerror
            return ConnectionLost()

    def finish(self) -> None:
        """
        Close it, once everything is written.
        """
        self.unregisterProducer()
        self.loseConnection()

    def _postLoseConnection(self) -> Exception:
        # From FileDescriptor: everything is written.
        self._complete = True
        return ConnectionDone()

    def connectionLost(self, reason: Failure) -> None:
        """
        From the reactor: done, or nothing more can be written.
        """
        if not self.connected:
            return
        # It is not the producer's fault.
        self.unregisterProducer()
        if stat.S_ISSOCK(os.fstat(self._descriptor).st_mode):
            # Standard input may be the same one, and stay open.
            with suppress(OSError), socket(fileno=os.dup(self._descriptor)) as same:
                same.shutdown(SHUT_WR)
        self._close()
        if not self._complete and self._trouble is None:
            self._trouble = "its reader has gone"
        self._ended(self._trouble)


@implementer(IHalfCloseableProtocol)
class Netcat(Protocol):
    """
    What stdin gives goes to the link, and what the link gives to stdout; each
    direction as fast as it is taken, to its own end.
    """

    transport: Any

    def __init__(self, reactor: Any, input: int, output: int) -> None:
        """
        @param input: the descriptor to read, ours to close.
        @param output: the descriptor to write, ours to close.
        """
        self._reactor = reactor
        self._input = Input(reactor, input, self._inputReceived, self._inputEnded)
        self._output = Output(reactor, output, self._outputEnded)
        self._open = 2
        self._error: PunchError | None = None
        self._written: SharedResult[PunchError | None] = SharedResult()

    def whenWritten(self) -> Deferred[PunchError | None]:
        """
        Fires when stdout has everything, or what it does not have is lost: with
        what went wrong here, if anything did.
        """
        return self._written.wait()

    # The link.

    def connectionMade(self) -> None:
        # A process that is stopped halfway is no clean end for the other side.
        self._stopping = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self.transport.abortConnection
        )
        self._output.registerProducer(self.transport, True)
        self._output.watch()
        self._input.startReading()
        self.transport.registerProducer(self._input, True)

    def dataReceived(self, data: bytes) -> None:
        self._output.write(data)

    def readConnectionLost(self) -> None:
        """
        The other side's stdin has ended.
        """
        self._output.finish()
        self._close()

    def writeConnectionLost(self) -> None:
        """
        Ours has; nothing to do.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reactor.removeSystemEventTrigger(self._stopping)
        self._input.stopProducing()
        self._output.finish()

    # The standard streams.

    def _inputReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def _inputEnded(self, trouble: str | None) -> None:
        if trouble is not None:
            self._fail(InputFailed(trouble))
            return
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self._close()

    def _outputEnded(self, trouble: str | None) -> None:
        if trouble is not None:
            self._fail(OutputFailed(trouble))
        self._written.succeed(self._error)

    def _close(self) -> None:
        """
        One direction has ended; with both, plain TCP waits to be closed.
        """
        self._open -= 1
        if not self._open:
            self.transport.loseConnection()

    def _fail(self, error: PunchError) -> None:
        self._error = self._error or error
        self.transport.abortConnection()


@implementer(IOutcome)
class StdioFactory(Factory):
    """
    Makes one L{Netcat}, for one link.
    """

    noisy = False

    def __init__(self, reactor: Any, input: int, output: int) -> None:
        """
        @param input: the descriptor to read, ours to close.
        @param output: the descriptor to write, ours to close.
        """
        self._streams = (reactor, input, output)
        self._netcat: Netcat | None = None

    def buildProtocol(self, address: IAddress | None) -> Netcat | None:
        """
        The one; after it, C{None}.
        """
        if self._netcat is not None:
            return None
        self._netcat = Netcat(*self._streams)
        return self._netcat

    def outcome(self, error: PunchError | None) -> Deferred[PunchError | None]:
        """
        Wait until stdout has everything (L{IOutcome}).
        """
        if self._netcat is None:
            return succeed(error)
        return self._netcat.whenWritten().addCallback(lambda ours: ours or error)


def takeStreams() -> tuple[int, int]:
    """
    Take standard input and output for ourselves.

    In their places come the null device and standard error.  So whatever else is
    printed does not get among the data; and standard output ends when we close it.

    @return: descriptors, to read and to write.
    @raise BadOption: there is no standard output.
    """
    if sys.__stdout__ is None:
        raise BadOption("standard output is closed; >/dev/null would throw it away")
    null = os.open(os.devnull, os.O_RDWR)
    output = _own(1, os.O_WRONLY)
    os.dup2(2 if sys.__stderr__ is not None else null, 1)
    if sys.__stdin__ is None:
        # Closed, and by now 0 may be anything.
        return null, output
    input = _own(0, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return input, output


def _own(descriptor: int, flags: int) -> int:
    """
    Another descriptor for the same; for a terminal one that is open apart, because
    what we set would hold for the log and the shell as well.
    """
    if os.isatty(descriptor):
        with suppress(OSError):
            return os.open(os.ttyname(descriptor), flags | os.O_NOCTTY)
    return os.dup(descriptor)
