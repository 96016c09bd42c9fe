"""
AMP with bounds, for a server whose clients are strangers.

L{twisted.protocols.amp.AMP} is made for peers that trust each other: a box may have any
number of keys, arguments that do not parse are logged with a traceback, C{StartTLS} is
obeyed by default, and each command costs several closures and Deferreds.  This module
speaks the same commands on the same wire, a few times faster, and nothing that arrives
costs more than its bound.

A box is pairs of a key and a value, each after its length in two bytes, and an empty
key at the end.  The commands of one connection are taken one at a time, in order; while
one waits for something, nothing more is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any, ClassVar, TypeAlias, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import Refusal, RendezvousViolation
from punch.reasons import Reason

_log = Logger()

_length = Struct("!H")
_END = b"\0\0"

MAX_KEYS = 32
"""
Keys in a box, at most; our commands have fewer than ten.
"""


class BadBox(ValueError):
    """
    The bytes are not a box, or a box that exceeds the bounds.
    """


def readBox(
    data: bytes, at: int, longest: int
) -> tuple[dict[bytes, bytes], int] | None:
    """
    Read the box that begins at offset C{at} of C{data}.

    @param longest: how many bytes the box may have.
    @return: the box, and the offset of its end; L{None} if it is not complete.
    @raise BadBox: this is not a box, or it has too many bytes or keys.
    """
    box: dict[bytes, bytes] = {}
    size, last = len(data), at + longest
    while at + 2 <= size:
        length = data[at] << 8 | data[at + 1]
        at += 2
        if not length:
            return box, at
        if length > amp.MAX_KEY_LENGTH or len(box) >= MAX_KEYS:
            raise BadBox("a key too long or too many")
        key = data[at : at + length]
        at += length
        if at + 2 > size:
            break
        length = data[at] << 8 | data[at + 1]
        at += 2
        if at + length > last:
            raise BadBox("a value too long")
        if key in box:
            raise BadBox("a key twice")
        box[key] = data[at : at + length]
        at += length
    return None


def _pair(key: bytes, value: bytes) -> bytes:
    return _length.pack(len(key)) + key + _length.pack(len(value)) + value


class Schema:
    """
    Translates the arguments of a command, or of its answer, to and from a box.
    """

    def __init__(self, arguments: list[tuple[bytes, amp.Argument]]) -> None:
        self._arguments = [
            (key.decode("ascii"), key, _length.pack(len(key)) + key, argument)
            for key, argument in arguments
        ]

    def read(self, box: Mapping[bytes, bytes]) -> dict[str, Any]:
        """
        The values in a box, by name.

        @raise BadBox: a value is missing or malformed.
        """
        try:
            return {
                name: argument.fromString(box[key])
                for name, key, _, argument in self._arguments
                if key in box or not argument.optional
            }
        except (KeyError, ValueError):
            raise BadBox("arguments") from None

    def write(self, values: Mapping[str, Any]) -> bytes:
        """
        The keys and values of a box, without its end.
        """
        parts: list[bytes] = []
        for name, _, head, argument in self._arguments:
            if argument.optional and values.get(name) is None:
                continue
            value = argument.toString(values[name])
            parts += (head, _length.pack(len(value)), value)
        return b"".join(parts)


@dataclass(frozen=True)
class CommandCodec:
    """
    Writes the boxes of one AMP command, and reads its arguments.
    """

    name: bytes
    arguments: Schema
    response: Schema

    def ask(self, values: Mapping[str, Any], tag: bytes | None = None) -> bytes:
        """
        The box of the command; with a C{tag} it asks for an answer.
        """
        asking = _pair(amp.ASK, tag) if tag is not None else b""
        return (
            asking + _pair(amp.COMMAND, self.name) + self.arguments.write(values) + _END
        )

    def answer(self, tag: bytes, values: Mapping[str, Any]) -> bytes:
        """
        The box of its answer.
        """
        return _pair(amp.ANSWER, tag) + self.response.write(values) + _END


@cache
def codecOf(command: type[amp.Command]) -> CommandCodec:
    """
    The codec of a command; each is made once.
    """
    return CommandCodec(
        command.commandName, Schema(command.arguments), Schema(command.response)
    )


def errorBox(tag: bytes, code: bytes, description: str) -> bytes:
    """
    The box of an error, which stands for an answer.
    """
    return b"".join(
        (
            _pair(amp.ERROR, tag),
            _pair(amp.ERROR_CODE, code),
            _pair(amp.ERROR_DESCRIPTION, description.encode("utf-8", "replace")),
            _END,
        )
    )


Box: TypeAlias = dict[bytes, bytes]
Responder: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
Responders: TypeAlias = dict[bytes, tuple[type[amp.Command], Responder]]

_PING_TAG = b"1"
"""
The tag of every command that asks for an answer; there is one at a time.
"""


class UnknownCommand(Refusal):
    """
    The rendezvous does not know this command; the client may be newer.
    """

    reason = Reason.RENDEZVOUS_VIOLATION


@implementer(IPushProducer)
class BoxProtocol(Protocol):
    """
    One end of an AMP connection.  Whatever arrives, however large, malformed or
    unexpected, does no more than end the connection.

    A subclass says which commands there are, and hears what was refused.

    @cvar responders: for the name of each command, its type and the method that answers
        it.
    @cvar codes: the AMP error code of each refusal.
    @ivar longestBox: bytes that a box may have.
    @ivar mostUnsent: bytes that may be written while the transport's buffer is full.
    """

    responders: ClassVar[Responders] = {}
    codes: ClassVar[dict[type[Exception], bytes]] = {}

    longestBox = 16_384
    mostUnsent = 131_072

    _isEnded = False
    _isAsking = False
    _isResponding = False
    _isFull = False
    _unsent = 0
    _received = b""

    # What a subclass decides.

    def expect(self, command: type[amp.Command]) -> None:
        """
        Check whether C{command} may come now.

        @raise punch.errors.Refusal: not now.
        @raise RendezvousViolation: it violates the protocol.
        """

    def refused(self, error: Refusal | RendezvousViolation) -> None:
        """
        Something that arrived was refused; the refusal was sent, if an answer was
        asked for.
        """

    def answered(self) -> None:
        """
        The other end has answered what we asked (L{ask}).
        """

    def overflowed(self) -> None:
        """
        The other end does not read; nothing more will be written to it.
        """

    # The connection.

    def connectionMade(self) -> None:
        """
        Ask to hear when the transport's buffer is full.
        """
        cast(IConsumer, self.transport).registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Ignore what still arrives.
        """
        self._end()

    def finish(self) -> None:
        """
        Close the connection once what was written is sent; ignore what still arrives.
        """
        self._end()
        cast(IConsumer, self.transport).unregisterProducer()
        cast(ITCPTransport, self.transport).loseConnection()

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        self._end()
        cast(ITCPTransport, self.transport).abortConnection()

    def _end(self) -> None:
        """
        Ignore everything, even what has arrived already.
        """
        self._isEnded = True
        self._received = b""

    def pauseProducing(self) -> None:
        """
        The transport's buffer is full: count what is written from now on.
        """
        self._isFull = True
        self._unsent = 0

    def resumeProducing(self) -> None:
        """
        The transport's buffer is empty again.
        """
        self._isFull = False

    def stopProducing(self) -> None:
        """
        The connection is being lost.
        """

    # What arrives.

    def dataReceived(self, data: bytes) -> None:
        """
        Read the boxes that are complete, unless a command is still waiting.
        """
        data = self._received + data
        at = 0
        try:
            while not (self._isEnded or self._isResponding):
                found = readBox(data, at, self.longestBox)
                if found is None:
                    break
                box, at = found
                self._boxReceived(box)
        except BadBox as error:
            self.refused(RendezvousViolation(str(error)))
        self._received = b"" if self._isEnded else data[at:]

    def _boxReceived(self, box: Box) -> None:
        """
        Handle an answer to what we asked, or a command.
        """
        tag = box.get(amp.ANSWER, box.get(amp.ERROR))
        if tag is not None:
            if not self._isAsking or tag != _PING_TAG:
                raise BadBox("an answer to nothing")
            self._isAsking = False
            self.answered()
        elif amp.COMMAND in box:
            self._commandReceived(box)
        else:
            raise BadBox("neither command nor answer")

    def _commandReceived(self, box: Box) -> None:
        """
        Respond to a command, and read nothing more before that is done.
        """
        self._isResponding = True
        responding = Deferred.fromCoroutine(self._respond(box))
        responding.addErrback(self._responderFailed)
        if self._isResponding:
            cast(IPushProducer, self.transport).pauseProducing()
            responding.addCallback(lambda _: self._readOn())

    def _readOn(self) -> None:
        """
        A command that had to wait is done.
        """
        if not self._isEnded:
            cast(IPushProducer, self.transport).resumeProducing()
            self.dataReceived(b"")

    async def _respond(self, box: Box) -> None:
        """
        Check, read and execute one command, and answer if it asks for an answer.
        """
        tag = box.get(amp.ASK)
        try:
            codec, responder = self._lookUp(box[amp.COMMAND])
            result = await responder(self, **codec.arguments.read(box))
        except (Refusal, RendezvousViolation) as error:
            self._refuse(tag, error)
        except BadBox as error:
            self._refuse(tag, RendezvousViolation(str(error)))
        else:
            if tag is not None:
                self._write(codec.answer(tag, result))
        finally:
            self._isResponding = False

    def _lookUp(self, name: bytes) -> tuple[CommandCodec, Responder]:
        """
        The command of this name, if it may come now.
        """
        if name not in self.responders:
            raise UnknownCommand("unknown command")
        command, responder = self.responders[name]
        self.expect(command)
        return codecOf(command), responder

    def _refuse(self, tag: bytes | None, error: Refusal | RendezvousViolation) -> None:
        """
        Answer with an error, if an answer was asked for.
        """
        if tag is not None:
            code = self.codes.get(type(error), amp.UNHANDLED_ERROR_CODE)
            self._write(errorBox(tag, code, error.detail))
        self.refused(error)

    def _responderFailed(self, failure: Failure) -> None:
        """
        A responder failed: the fault is ours.
        """
        _log.failure("A command could not be answered.", failure)
        self.abort()

    # What is sent.

    def send(self, command: type[amp.Command], **values: object) -> None:
        """
        Send a command that has no answer.
        """
        self._write(codecOf(command).ask(values))

    def ask(self, command: type[amp.Command]) -> None:
        """
        Send a command and ask for an answer, of which only the arrival matters.  It
        must be L{answered} before the next one.
        """
        self._isAsking = True
        self._write(codecOf(command).ask({}, _PING_TAG))

    def _write(self, data: bytes) -> None:
        """
        Write, unless the connection is ending or too much is unsent.
        """
        if self._isEnded:
            return
        if self._isFull:
            self._unsent += len(data)
            if self._unsent > self.mostUnsent:
                self._end()
                self.overflowed()
                return
        cast(ITCPTransport, self.transport).write(data)
