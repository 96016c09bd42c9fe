"""
The protocol C{stdio}: standard input and output on a link, like netcat.

Twisted's C{StandardIO} reads only 8 KiB at a time, and does not tell a failure from an
end: with it a full disk would pass for success.  As in L{punch.errors}, people read the
docstrings of the errors here.
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


_READ_SIZE = 1 << 16

Ended = Callable[[str | None], None]
"""
Is called once, at the end of a direction: with C{None}, or with what went wrong.
"""


class _StandardStream(FileDescriptor):
    """
    One of the standard streams, as the reactor reads or writes it.  It owns its file
    descriptor and closes it.
    """

    connected = 1

    def __init__(self, reactor: Any, descriptor: int, ended: Ended) -> None:
        FileDescriptor.__init__(self, reactor)
        self._descriptor = descriptor
        self._ended = ended
        self._failure: str | None = None
        # Other processes may have the same open file, and use it after us.
        self._wasBlocking = os.get_blocking(descriptor)
        os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """
        Return the descriptor, or C{-1} once it is closed.
        """
        return self._descriptor if self.connected else -1

    def _close(self) -> None:
        FileDescriptor.connectionLost(self, None)
        os.set_blocking(self._descriptor, self._wasBlocking)
        os.close(self._descriptor)


class Input(_StandardStream):
    """
    Standard input as a push producer: calls a function with what it reads.
    """

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        received: Callable[[bytes], None],
        ended: Ended,
    ) -> None:
        """
        @param descriptor: to read from; this closes it.
        @param received: is called with what was read.
        @param ended: is called at the end, unless the stream was stopped before.
        """
        _StandardStream.__init__(self, reactor, descriptor, ended)
        self._received = received

    def doRead(self) -> Exception | None:
        """
        Read; the reactor calls this when there is something to read.
        """
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            self._failure = error.strerror
            return ConnectionLost()
        if not data:
            return ConnectionDone()
        self._received(data)
        return None

    def connectionLost(self, reason: Failure) -> None:
        """
        Close; the reactor calls this when no more can be read.
        """
        if not self.connected:
            return
        self._close()
        if self._failure is None and not reason.check(ConnectionDone):
            self._failure = reason.getErrorMessage()
        self._ended(self._failure)

    def stopProducing(self) -> None:
        """
        Stop reading, and close.
        """
        if self.connected:
            self._close()


class Output(_StandardStream):
    """
    Standard output as a consumer: writes what it is given, and notices a lost reader.
    """

    def __init__(self, reactor: Any, descriptor: int, ended: Ended) -> None:
        """
        @param descriptor: to write to; this closes it.
        @param ended: is called when everything is written, or no more can be.
        """
        _StandardStream.__init__(self, reactor, descriptor, ended)
        self._complete = False

    def watch(self) -> None:
        """
        Notice at once when the reader of a pipe goes, even if there is nothing to
        write.
        """
        # A write-only descriptor becomes "readable" for this reason alone.
        access = fcntl(self._descriptor, F_GETFL) & os.O_ACCMODE
        isPipe = stat.S_ISFIFO(os.fstat(self._descriptor).st_mode)
        if isPipe and access == os.O_WRONLY:
            self.startReading()

    def doRead(self) -> Exception:
        """
        Fail; a reactor that reports an error as something to read calls this.
        """
        return ConnectionLost()

    def writeSomeData(self, data: bytes) -> int | Exception:
        """
        Write what can be written now; L{FileDescriptor} calls this.
        """
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return ConnectionLost()
        except OSError as error:
            self._failure = error.strerror
            return ConnectionLost()

    def finish(self) -> None:
        """
        Close, once everything is written.
        """
        self.unregisterProducer()
        self.loseConnection()

    def _postLoseConnection(self) -> Exception:
        # FileDescriptor calls this when everything is written.
        self._complete = True
        return ConnectionDone()

    def connectionLost(self, reason: Failure) -> None:
        """
        Close; the reactor calls this when all is written or no more can be.
        """
        if not self.connected:
            return
        # Otherwise FileDescriptor would stop the producer, which is the link.
        self.unregisterProducer()
        if stat.S_ISSOCK(os.fstat(self._descriptor).st_mode):
            # Standard input may be the same socket, and stay open.
            with suppress(OSError), socket(fileno=os.dup(self._descriptor)) as same:
                same.shutdown(SHUT_WR)
        self._close()
        if not self._complete and self._failure is None:
            self._failure = "its reader has gone"
        self._ended(self._failure)


@implementer(IHalfCloseableProtocol)
class StdioProtocol(Protocol):
    """
    Sends standard input to the link, and writes to standard output what the link
    receives.  Each direction flows as fast as its reader reads, and ends by itself.
    """

    transport: Any

    def __init__(self, reactor: Any, input: int, output: int) -> None:
        """
        @param input: the descriptor to read from; it will be closed.
        @param output: the descriptor to write to; it will be closed.
        """
        self._reactor = reactor
        self._input = Input(reactor, input, self._inputReceived, self._inputEnded)
        self._output = Output(reactor, output, self._outputEnded)
        self._open = 2
        self._error: PunchError | None = None
        self._written: SharedResult[PunchError | None] = SharedResult()

    def whenWritten(self) -> Deferred[PunchError | None]:
        """
        Wait until standard output has everything, or has lost the rest.

        @return: fires with what went wrong on this side, or C{None}.
        """
        return self._written.wait()

    # The link.

    def connectionMade(self) -> None:
        # When this process is stopped halfway, the other side must not see a clean end.
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
        Finish standard output: the other side's input has ended.
        """
        self._output.finish()
        self._close()

    def writeConnectionLost(self) -> None:
        """
        Do nothing: our own input has ended.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reactor.removeSystemEventTrigger(self._stopping)
        self._input.stopProducing()
        self._output.finish()

    # The standard streams.

    def _inputReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def _inputEnded(self, failure: str | None) -> None:
        if failure is not None:
            self._fail(InputFailed(failure))
            return
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self._close()

    def _outputEnded(self, failure: str | None) -> None:
        if failure is not None:
            self._fail(OutputFailed(failure))
        self._written.succeed(self._error)

    def _close(self) -> None:
        """
        Count a direction that has ended, and after both close the connection: plain TCP
        does not close by itself.
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
    Makes one L{StdioProtocol}, for one link.

    L{StdioPlugin<punch.protocols.simple.StdioPlugin>} makes it, and the process ends
    with its outcome.
    """

    noisy = False

    def __init__(self, reactor: Any, input: int, output: int) -> None:
        """
        @param input: the descriptor to read from; it will be closed.
        @param output: the descriptor to write to; it will be closed.
        """
        self._streams = (reactor, input, output)
        self._protocol: StdioProtocol | None = None

    def buildProtocol(self, address: IAddress | None) -> StdioProtocol | None:
        """
        Make the protocol; after the first time return C{None}.
        """
        if self._protocol is not None:
            return None
        self._protocol = StdioProtocol(*self._streams)
        return self._protocol

    def outcome(self, error: PunchError | None) -> Deferred[PunchError | None]:
        """
        Wait until standard output has everything (L{IOutcome}).
        """
        if self._protocol is None:
            return succeed(error)
        return self._protocol.whenWritten().addCallback(lambda ours: ours or error)


def takeStreams() -> tuple[int, int]:
    """
    Take standard input and output from the rest of the process, which gets the null
    device and standard error in their place.  So nothing else is printed among the
    data, and standard output ends when we close it.

    @return: the descriptors to read from and to write to.
    @raise BadOption: there is no standard output.
    """
    if sys.__stdout__ is None:
        raise BadOption("standard output is closed; >/dev/null would throw it away")
    null = os.open(os.devnull, os.O_RDWR)
    output = _own(1, os.O_WRONLY)
    os.dup2(2 if sys.__stderr__ is not None else null, 1)
    if sys.__stdin__ is None:
        # Standard input is closed, and by now descriptor 0 may be anything.
        return null, output
    input = _own(0, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return input, output


def _own(descriptor: int, flags: int) -> int:
    """
    Get another descriptor for the same file.  A terminal is opened anew: otherwise what
    we set on it would hold for the log and the shell, too.
    """
    if os.isatty(descriptor):
        with suppress(OSError):
            return os.open(os.ttyname(descriptor), flags | os.O_NOCTTY)
    return os.dup(descriptor)
