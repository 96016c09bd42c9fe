"""
A chat between two terminals: C{twist punch … --protocol chat:ann}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ITCPTransport, ITransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.plugin import IPlugin
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from punch.errors import BadOption
from punch.interfaces import IStandardStreamsProtocol


class Terminal(LineOnlyReceiver):
    """
    Our user.
    """

    transport: ITransport
    delimiter = b"\n"

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def lineReceived(self, line: bytes) -> None:
        self._chat.sendLine(line)

    def show(self, text: str) -> None:
        """
        Print a line, but nothing in it that would command the terminal.
        """
        shown = "".join(each if each.isprintable() else "\ufffd" for each in text)
        self.sendLine(shown.encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Our user has said all.
        """
        self._chat.transport.loseConnection()


class Chat(LineOnlyReceiver):
    """
    The other side: its first line is its name, then it says what its user says.
    """

    transport: ITCPTransport
    delimiter = b"\n"

    def __init__(self, name: str) -> None:
        self._name = name
        self._other = ""
        self.terminal = Terminal(self)

    def connectionMade(self) -> None:
        self.sendLine(self._name.encode())

    def lineReceived(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        if self._other:
            self.terminal.show(f"{self._other}: {text}")
        else:
            self._other = text or "?"
            self.terminal.show(f"* {self._other} is here")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The other side has said all, or was lost.
        """
        self.terminal.transport.loseConnection()


class ChatFactory(Factory):
    """
    Puts a terminal to the chat.
    """

    noisy = False

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._name = name

    def buildProtocol(self, address: object) -> Chat:
        chat = Chat(self._name)
        StandardIO(chat.terminal, reactor=self._reactor)
        return chat


@implementer(IPlugin, IStandardStreamsProtocol)
class ChatProtocol:
    """
    What C{twist punch} finds.
    """

    name = "chat"
    help = "Talk to the other side's user, line by line: chat:YOUR-NAME."

    def factory(self, reactor: Any, args: str) -> ChatFactory:
        """
        A chat under the name in C{args}.
        """
        if not args.isprintable() or not args:
            raise BadOption("--protocol chat:NAME wants to know your name")
        return ChatFactory(reactor, args)
