"""
A lean and bounded AMP conversation.

L{twisted.protocols.amp.AMP} is made for peers who trust each other: a box may
have endless keys, arguments that do not parse are logged with a traceback,
C{StartTLS} is obeyed by default, and every command costs several closures and
Deferreds.  This keeps AMP's parser, commands and wire, and answers by itself.

Commands of one connection are taken one at a time, in order.  While one waits for
something, nothing more is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from struct import error as StructError
from typing import Any, ClassVar, TypeAlias, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import Refusal, RendezvousViolation
from punch.reasons import Reason

_log = Logger()

Responder: TypeAlias = Callable[..., Awaitable[dict[str, Any]]]
Responders: TypeAlias = dict[bytes, tuple[type[amp.Command], Responder]]

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
class BoxProtocol(amp.BinaryBoxProtocol):
    """
    One end of an AMP conversation in which nothing that arrives, however large,
    malformed or unasked, does more than end the conversation.
    """

    responders: ClassVar[Responders] = {}
    """
    By the name of a command: its type, and the method that answers it.
    """

    codes: ClassVar[dict[type[Exception], bytes]] = {}
    """
    How each refusal is called on the wire.
    """

    longestBox = 16_384
    mostUnsent = 131_072

    _ended = False
    _asked = False
    _responding = False
    _full = False
    _unsent = 0
    _boxBytes = 0

    def __init__(self) -> None:
        amp.BinaryBoxProtocol.__init__(self, self)

    # What a subclass decides.

    def expect(self, command: type[amp.Command]) -> None:
        """
        May C{command} come now?

        @raise punch.errors.Refusal: not now.
        @raise RendezvousViolation: never now; the conversation ends.
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

    def startReceivingBoxes(self, sender: object) -> None:
        """
        The connection is made: ask to hear when its buffer is full.
        """
        cast(IConsumer, self.transport).registerProducer(self, True)

    def stopReceivingBoxes(self, reason: Failure) -> None:
        """
        The connection is lost; let go of what refers to ourselves.
        """
        self._ended = True
        self.boxReceiver = None

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
        Stop parsing, in the middle of what has arrived if need be.
        """
        self._ended = True
        self.paused = True

    def pauseProducing(self) -> None:
        """
        The transport's buffer is full: take no more commands until it is empty.
        """
        self._full = True
        self._unsent = 0
        amp.BinaryBoxProtocol.pauseProducing(self)

    def resumeProducing(self) -> None:
        """
        The transport's buffer is empty again.
        """
        self._full = False
        self._resume()

    def stopProducing(self) -> None:
        """
        The connection is being lost.
        """

    def _resume(self) -> None:
        """
        Go on with the next command if nothing holds it up.
        """
        if not (self._ended or self._full or self._responding):
            amp.BinaryBoxProtocol.resumeProducing(self)

    # What arrives.

    def dataReceived(self, data: bytes) -> None:
        """
        Parse boxes, unless the conversation has ended.
        """
        if not self._ended:
            amp.BinaryBoxProtocol.dataReceived(self, data)

    def stringReceived(self, string: bytes) -> None:
        """
        A key or a value: count what the box has, since it may have many.
        """
        self._boxBytes += 2 + len(string)
        if self._boxBytes > self.longestBox:
            self._violated("a box too large")
        else:
            amp.BinaryBoxProtocol.stringReceived(self, string)

    def proto_key(self, string: bytes) -> str:
        """
        A key: its value may not be longer than a box.
        """
        state: str = amp.BinaryBoxProtocol.proto_key(self, string)
        if state == "value":
            self.MAX_LENGTH = self.longestBox
        return state

    def lengthLimitExceeded(self, length: int) -> None:
        """
        A key or value would be too long to wait for.
        """
        self._violated("a key or value too long")

    def ampBoxReceived(self, box: amp.Box) -> None:
        """
        A box: an answer to our question, or a command.
        """
        self._boxBytes = 0
        tag = box.get(amp.ANSWER, box.get(amp.ERROR))
        if tag is not None:
            if self._asked and tag == _LIVING:
                self._asked = False
                self.answered()
            else:
                self._violated("an answer to nothing")
        elif amp.COMMAND in box:
            self._commandReceived(box)
        else:
            self._violated("a box without meaning")

    def _violated(self, detail: str) -> None:
        """
        What arrived is not our protocol, and there is no command to answer.
        """
        self.refused(RendezvousViolation(detail))

    def _commandReceived(self, box: amp.Box) -> None:
        """
        Respond to a command, and read no further before that is done.
        """
        self._responding = True
        responding = Deferred.fromCoroutine(self._respond(box))
        responding.addErrback(self._broken)
        if self._responding:
            amp.BinaryBoxProtocol.pauseProducing(self)
            responding.addCallback(lambda _: self._resume())

    async def _respond(self, box: amp.Box) -> None:
        """
        Check, read and obey one command, and answer if it asks for an answer.
        """
        tag = box.get(amp.ASK)
        try:
            command, responder = self._understand(box[amp.COMMAND])
            result = await responder(self, **self._read(command, box))
        except (Refusal, RendezvousViolation) as error:
            self._refuse(tag, error)
        else:
            if tag is not None:
                answer = command.makeResponse(result, self)
                answer[amp.ANSWER] = tag
                self.sendBox(answer)
        finally:
            self._responding = False

    def _understand(self, name: bytes) -> tuple[type[amp.Command], Responder]:
        """
        The command of this name, if it may come now.
        """
        try:
            found = self.responders[name]
        except KeyError:
            raise UnknownCommand() from None
        self.expect(found[0])
        return found

    def _read(self, command: type[amp.Command], box: amp.Box) -> dict[str, Any]:
        """
        The arguments of a command.
        """
        try:
            arguments: dict[str, Any] = command.parseArguments(box, self)
        except (KeyError, ValueError, StructError):
            name = command.commandName.decode("ascii")
            raise RendezvousViolation(f"arguments of {name}") from None
        return arguments

    def _refuse(self, tag: bytes | None, error: Refusal | RendezvousViolation) -> None:
        """
        Answer with an error, if an answer was asked for.
        """
        if tag is not None:
            code = self.codes.get(type(error), amp.UNHANDLED_ERROR_CODE)
            description = error.detail.encode("utf-8", "replace")
            self.sendBox(
                amp.Box(
                    {
                        amp.ERROR: tag,
                        amp.ERROR_CODE: code,
                        amp.ERROR_DESCRIPTION: description,
                    }
                )
            )
        self.refused(error)

    def _broken(self, failure: Failure) -> None:
        """
        A fault of our own.
        """
        _log.failure("A command could not be answered.", failure)
        self.abort()

    # What is sent.

    def send(self, command: type[amp.Command], **arguments: object) -> None:
        """
        Send a command that has no answer.
        """
        box = command.makeArguments(arguments, self)
        box[amp.COMMAND] = command.commandName
        self.sendBox(box)

    def ask(self, command: type[amp.Command]) -> None:
        """
        Ask a question of which only the fact that it is answered matters; it must
        have been L{answered} before the next.
        """
        self._asked = True
        self.sendBox(amp.Box({amp.COMMAND: command.commandName, amp.ASK: _LIVING}))

    def sendBox(self, box: amp.Box) -> None:
        """
        Write a box, unless nobody reads any more.
        """
        if self._ended:
            return
        data = box.serialize()
        if self._full:
            self._unsent += len(data)
            if self._unsent > self.mostUnsent:
                self._end()
                self.overflowed()
                return
        cast(ITCPTransport, self.transport).write(data)
