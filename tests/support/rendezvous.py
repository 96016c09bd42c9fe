"""
A rendezvous server in memory, and clients that speak Twisted's AMP to it.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.python.failure import Failure

from punch.interfaces import IDirectory
from punch.rendezvous import commands
from punch.rendezvous.server.factory import RendezvousFactory
from punch.rendezvous.server.handlers import RendezvousProtocol
from punch.rendezvous.server.limits import Limits

OWNER = b"an owner's secret"


class Client:
    """
    One client of the server, which reads and answers with Twisted's AMP.

    @ivar commands: what the rendezvous has sent unasked: names and arguments.
    """

    def __init__(self, factory: RendezvousFactory, peer: IAddress) -> None:
        self.transport = StringTransport(peerAddress=peer)
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[bytes, amp.Box] = {}
        self._tags = count(1)
        self._isLost = False
        protocol = factory.buildProtocol(peer)
        assert isinstance(protocol, RendezvousProtocol)
        self.protocol = protocol
        self.protocol.makeConnection(self.transport)
        self.settle()

    @property
    def dropped(self) -> bool:
        """
        Whether the rendezvous has closed the connection.
        """
        return bool(self.transport.disconnecting or self.transport.disconnected)

    def write(self, data: bytes) -> None:
        """
        Send any bytes, as far as they still reach the rendezvous.
        """
        if not self._isLost:
            self.protocol.dataReceived(data)
        self.settle()

    def disconnect(self) -> None:
        """
        Lose the connection.
        """
        self._isLost = True
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def settle(self) -> None:
        """
        Read what the rendezvous wrote, and let it hear that the connection which
        it closed is closed.
        """
        data = self.transport.value()
        self.transport.clear()
        for box in amp.parseString(data):
            self._take(box)
        if self.dropped and not self._isLost:
            self.disconnect()

    def _take(self, box: amp.Box) -> None:
        """
        Sort one box.
        """
        tag = box.get(amp.ANSWER, box.get(amp.ERROR))
        if tag is not None:
            self._answers[tag] = box
            return
        name = box[amp.COMMAND].decode("ascii")
        command = getattr(commands, name)
        self.commands.append((name, command.parseArguments(box, None)))

    def request(self, command: type[amp.Command], **values: object) -> bytes:
        """
        Send a command that wants an answer, and say its tag.
        """
        box = command.makeArguments(values, None)
        tag = box[amp.ASK] = b"%d" % next(self._tags)
        box[amp.COMMAND] = command.commandName
        self.write(box.serialize())
        return tag

    def response(self, command: type[amp.Command], tag: bytes) -> Any:
        """
        What was answered.

        @raise Exception: an error of the command's, if that was the answer.
        """
        box = self._answers.pop(tag)
        if amp.ERROR in box:
            errors = {code: error for error, code in command.errors.items()}
            error = errors.get(box[amp.ERROR_CODE], amp.UnknownRemoteError)
            raise error(box[amp.ERROR_DESCRIPTION].decode("utf-8"))
        return command.parseResponse(box, None)

    def ask(self, command: type[amp.Command], **values: object) -> Any:
        """
        Send a command and have the answer.
        """
        return self.response(command, self.request(command, **values))

    def send(self, command: type[amp.Command], **values: object) -> None:
        """
        Send a command that wants no answer.
        """
        box = command.makeArguments(values, None)
        box[amp.COMMAND] = command.commandName
        self.write(box.serialize())

    def hello(self, **values: object) -> Any:
        """
        Say hello.
        """
        given = {"version": commands.VERSION, "features": [], **values}
        return self.ask(commands.Hello, **given)

    def received(self, command: type[amp.Command]) -> list[dict[str, Any]]:
        """
        The arguments of all commands of one kind that were received.
        """
        self.settle()
        name = command.commandName.decode("ascii")
        return [arguments for each, arguments in self.commands if each == name]

    @property
    def leaveReasons(self) -> list[str]:
        """
        The reasons of the introductions that the server said were ended.
        """
        return [each["reason"] for each in self.received(commands.Leave)]


class RelayClient:
    """
    A client of the relay, which sends and receives bytes and no AMP.
    """

    def __init__(self, factory: RendezvousFactory, peer: IAddress) -> None:
        self._transport = StringTransport(peerAddress=peer)
        self._server = factory.buildProtocol(peer)
        self._server.makeConnection(self._transport)

    def send(self, data: bytes) -> None:
        """
        Send any bytes.
        """
        self._server.dataReceived(data)

    def take(self) -> bytes:
        """
        What was sent since the last time.
        """
        data: bytes = self._transport.value()
        self._transport.clear()
        return data


class Server:
    """
    A rendezvous server with its clock, and its clients.
    """

    def __init__(
        self, directory: IDirectory | None = None, relays: bool = True, **limits: int
    ) -> None:
        self.clock = Clock()
        self.factory = RendezvousFactory(
            self.clock, Limits(**limits), directory, relays
        )
        self.factory.doStart()
        self._clients: list[Client] = []
        self._ports = count(1000)

    def connect(self, host: str = "192.0.2.1") -> Client:
        """
        A client that has said nothing yet.
        """
        client = Client(self.factory, IPv4Address("TCP", host, next(self._ports)))
        self._clients.append(client)
        return client

    def client(self, host: str = "192.0.2.1", **values: object) -> Client:
        """
        A client that has said hello.
        """
        client = self.connect(host)
        client.hello(**values)
        return client

    def listener(self, name: str, host: str = "192.0.2.1", **values: object) -> Client:
        """
        A client that waits under a name.
        """
        client = self.client(host, **values)
        client.ask(commands.Publish, name=name, owner=OWNER)
        return client

    def relayClient(self) -> RelayClient:
        """
        A client of the relay that has not sent its ticket yet.
        """
        return RelayClient(
            self.factory, IPv4Address("TCP", "192.0.2.1", next(self._ports))
        )

    def advance(self, seconds: int) -> None:
        """
        Let time pass, a second at a time.
        """
        for _ in range(seconds):
            self.clock.advance(1)
            for client in self._clients:
                client.settle()

    def advanceAnswering(self, seconds: int) -> None:
        """
        Let time pass while all clients answer pings.
        """
        for _ in range(seconds):
            self.advance(1)
            for client in self._clients:
                if ("Ping", {}) in client.commands:
                    client.commands.remove(("Ping", {}))
                    client.write(amp.Box({amp.ANSWER: b"1"}).serialize())
