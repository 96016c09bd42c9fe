"""
A bounded AMP conversation.

L{twisted.protocols.amp.AMP} is made for peers who trust each other: a box may
have endless keys, arguments that do not parse are logged with a traceback,
C{StartTLS} is obeyed by default, and each command costs several closures and
Deferreds.  This speaks the same commands on the same wire.

Commands of one connection are taken one at a time, in order; while one waits for
something, nothing more is read.

AMP's wire: boxes, and the commands of L{punch.rendezvous.commands} in them.

A box is pairs of a key and a value, each behind its length in two bytes, and an
empty key at the end (L{twisted.protocols.amp}).  That module's own parser and
formatter serve peers who trust each other and are not in a hurry; these are a few
times faster, and nothing that arrives costs more than its bound.
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
from twisted.protocols.amp import (
    ANSWER,
    ASK,
    COMMAND,
    ERROR,
    ERROR_CODE,
    ERROR_DESCRIPTION,
    MAX_KEY_LENGTH,
    UNHANDLED_ERROR_CODE,
    Argument,
    Command,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import Refusal, RendezvousViolation
from punch.reasons import Reason

_length = Struct("!H")
_END = b"\0\0"

MOST_KEYS = 32
"""
Keys in a box; our commands have fewer than ten.
"""


class BadBox(ValueError):
    """
    These bytes are not a box, or not one that we take.
    """


def takeBox(
    data: bytes, at: int, longest: int
) -> tuple[dict[bytes, bytes], int] | None:
    """
    Read the box that begins at C{at}.

    @param longest: how many bytes it may have.
    @return: the box, and where it ends; L{None} if it is not complete.
    @raise BadBox: it will never be a box, or it has too many bytes or keys.
    """
    box: dict[bytes, bytes] = {}
    size, last = len(data), at + longest
    while at + 2 <= size:
        length = data[at] << 8 | data[at + 1]
        at += 2
        if not length:
            return box, at
        if length > MAX_KEY_LENGTH or len(box) >= MOST_KEYS:
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
    """
    A key and its value.
    """
    return _length.pack(len(key)) + key + _length.pack(len(value)) + value


class Schema:
    """
    How named values go into a box.
    """

    def __init__(self, arguments: list[tuple[bytes, Argument]]) -> None:
        self._arguments = [
            (key.decode("ascii"), key, _length.pack(len(key)) + key, argument)
            for key, argument in arguments
        ]

    def read(self, box: Mapping[bytes, bytes]) -> dict[str, Any]:
        """
        The values in a box.

        @raise BadBox: one is missing or malformed.
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
        The pairs of a box.
        """
        parts: list[bytes] = []
        for name, _, head, argument in self._arguments:
            if argument.optional and values.get(name) is None:
                continue
            value = argument.toString(values[name])
            parts += (head, _length.pack(len(value)), value)
        return b"".join(parts)


@dataclass(frozen=True)
class CommandWire:
    """
    One command on the wire.
    """

    name: bytes
    arguments: Schema
    response: Schema

    def ask(self, values: Mapping[str, Any], tag: bytes | None = None) -> bytes:
        """
        The box of the command; with a C{tag} it wants an answer.
        """
        asking = _pair(ASK, tag) if tag is not None else b""
        return asking + _pair(COMMAND, self.name) + self.arguments.write(values) + _END

    def answer(self, tag: bytes, values: Mapping[str, Any]) -> bytes:
        """
        The box of its answer.
        """
        return _pair(ANSWER, tag) + self.response.write(values) + _END


@cache
def wireOf(command: type[Command]) -> CommandWire:
    """
    How a command goes on the wire.
    """
    return CommandWire(
        command.commandName, Schema(command.arguments), Schema(command.response)
    )


def refusal(tag: bytes, code: bytes, description: str) -> bytes:
    """
    The box of an error in place of an answer.
    """
    return b"".join(
        (
            _pair(ERROR, tag),
            _pair(ERROR_CODE, code),
            _pair(ERROR_DESCRIPTION, description.encode("utf-8", "replace")),
            _END,
        )
    )


_log = Logger()

Box: TypeAlias = dict[bytes, bytes]
Responder: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
Responders: TypeAlias = dict[bytes, tuple[type[Command], Responder]]

_LIVING = b"1"
"""
The tag of the only question that we ask, one at a time.
"""


class UnknownCommand(Refusal):
    """
    The rendezvous does not know this command.
    """

    reason = Reason.RENDEZVOUS_VIOLATION


@implementer(IPushProducer)
class BoxProtocol(Protocol):
    """
    One end of an AMP conversation in which nothing that arrives, however large,
    malformed or unasked, does more than end the conversation.

    @cvar responders: by the name of a command, its type and the method that
        answers it.
    @cvar codes: what each refusal is called on the wire.
    """

    responders: ClassVar[Responders] = {}
    codes: ClassVar[dict[type[Exception], bytes]] = {}

    longestBox = 16_384
    mostUnsent = 131_072

    _ended = False
    _asked = False
    _busy = False
    _full = False
    _unsent = 0
    _received = b""

    # What a subclass decides.

    def expect(self, command: type[Command]) -> None:
        """
        May C{command} come now?

        @raise punch.errors.Refusal: not now.
        @raise RendezvousViolation: never now.
        """

    def refused(self, error: Refusal | RendezvousViolation) -> None:
        """
        Something that arrived was refused, and so answered if it was a question.
        """

    def answered(self) -> None:
        """
        The other end has answered our question.
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
        The conversation is over.
        """
        self._end()

    def finish(self) -> None:
        """
        Close the connection once what was written is sent; heed nothing more.
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
        Heed nothing more, not even what has arrived already.
        """
        self._ended = True
        self._received = b""

    def pauseProducing(self) -> None:
        """
        The transport's buffer is full: from here on count what is written.
        """
        self._full = True
        self._unsent = 0

    def resumeProducing(self) -> None:
        """
        The transport's buffer is empty again.
        """
        self._full = False

    def stopProducing(self) -> None:
        """
        The connection is being lost.
        """

    # What arrives.

    def dataReceived(self, data: bytes) -> None:
        """
        Take the boxes that are complete, unless one makes the others wait.
        """
        data = self._received + data
        at = 0
        try:
            while not (self._ended or self._busy):
                taken = takeBox(data, at, self.longestBox)
                if taken is None:
                    break
                box, at = taken
                self._boxReceived(box)
        except BadBox as error:
            self.refused(RendezvousViolation(str(error)))
        self._received = b"" if self._ended else data[at:]

    def _boxReceived(self, box: Box) -> None:
        """
        Take an answer to our question, or a command.
        """
        tag = box.get(ANSWER, box.get(ERROR))
        if tag is not None:
            if not self._asked or tag != _LIVING:
                raise BadBox("an answer to nothing")
            self._asked = False
            self.answered()
        elif COMMAND in box:
            self._commandReceived(box)
        else:
            raise BadBox("neither command nor answer")

    def _commandReceived(self, box: Box) -> None:
        """
        Respond to a command, and read no further before that is done.
        """
        self._busy = True
        responding = Deferred.fromCoroutine(self._respond(box))
        responding.addErrback(self._broken)
        if self._busy:
            cast(IPushProducer, self.transport).pauseProducing()
            responding.addCallback(lambda _: self._readOn())

    def _readOn(self) -> None:
        """
        A command that took its time is done.
        """
        if not self._ended:
            cast(IPushProducer, self.transport).resumeProducing()
            self.dataReceived(b"")

    async def _respond(self, box: Box) -> None:
        """
        Check, read and obey one command, and answer if it asks for an answer.
        """
        tag = box.get(ASK)
        try:
            wire, responder = self._understand(box[COMMAND])
            result = await responder(self, **wire.arguments.read(box))
        except (Refusal, RendezvousViolation) as error:
            self._refuse(tag, error)
        except BadBox as error:
            self._refuse(tag, RendezvousViolation(str(error)))
        else:
            if tag is not None:
                self._write(wire.answer(tag, result))
        finally:
            self._busy = False

    def _understand(self, name: bytes) -> tuple[CommandWire, Responder]:
        """
        The command of this name, if it may come now.
        """
        if name not in self.responders:
            raise UnknownCommand("unknown command")
        command, responder = self.responders[name]
        self.expect(command)
        return wireOf(command), responder

    def _refuse(self, tag: bytes | None, error: Refusal | RendezvousViolation) -> None:
        """
        Answer with an error, if an answer was asked for.
        """
        if tag is not None:
            code = self.codes.get(type(error), UNHANDLED_ERROR_CODE)
            self._write(refusal(tag, code, error.detail))
        self.refused(error)

    def _broken(self, failure: Failure) -> None:
        """
        A fault of our own.
        """
        _log.failure("A command could not be answered.", failure)
        self.abort()

    # What is sent.

    def send(self, command: type[Command], **values: object) -> None:
        """
        Send a command that has no answer.
        """
        self._write(wireOf(command).ask(values))

    def ask(self, command: type[Command]) -> None:
        """
        Ask a question of which only the fact that it is answered matters; it must
        have been L{answered} before the next.
        """
        self._asked = True
        self._write(wireOf(command).ask({}, _LIVING))

    def _write(self, data: bytes) -> None:
        """
        Write, unless nobody reads any more.
        """
        if self._ended:
            return
        if self._full:
            self._unsent += len(data)
            if self._unsent > self.mostUnsent:
                self._end()
                self.overflowed()
                return
        cast(ITCPTransport, self.transport).write(data)
