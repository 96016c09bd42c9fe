"""
Twisted's AMP speaks with the rendezvous as with its own kind.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.protocols import amp
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from punch.errors import NoSuchName
from punch.rendezvous.commands import Allocate, Dial, Hello, Introduce, Leave, Relay
from punch.rendezvous.relaypreamble import TICKET_BYTES
from punch.rendezvous.server.factory import RendezvousFactory


class OlderDial(Dial):
    """
    As it was before there were tickets.
    """

    commandName = b"Dial"
    response = Dial.response[:-1]


class OlderIntroduce(Introduce):
    """
    The same.
    """

    commandName = b"Introduce"
    arguments = Introduce.arguments[:-1]


class Peer(amp.AMP):
    """
    A client made of nothing but AMP.
    """

    def __init__(self) -> None:
        amp.AMP.__init__(self)
        self.heard: list[dict[str, Any]] = []

    @Introduce.responder
    def introduced(self, **values: Any) -> dict[str, Any]:
        """
        Remember it.
        """
        self.heard.append(values)
        return {}

    @Relay.responder
    def relayed(self, **values: Any) -> dict[str, Any]:
        """
        Remember it.
        """
        self.heard.append(values)
        return {}

    @Leave.responder
    def left(self, **values: Any) -> dict[str, Any]:
        """
        Remember it.
        """
        self.heard.append(values)
        return {}


class OlderPeer(amp.AMP):
    """
    One that knows the older commands.
    """

    def __init__(self) -> None:
        amp.AMP.__init__(self)
        self.heard: list[dict[str, Any]] = []

    @OlderIntroduce.responder
    def introduced(self, **values: Any) -> dict[str, Any]:
        """
        Remember it.
        """
        self.heard.append(values)
        return {}


class AMPTests(SynchronousTestCase):
    """
    Two peers and a rendezvous, joined by their bytes.
    """

    def setUp(self) -> None:
        """
        A rendezvous.
        """
        self.factory = RendezvousFactory(Clock())
        self.pumps: list[IOPump] = []

    def join(self, port: int, peer: amp.AMP | None = None) -> Any:
        """
        A peer that is connected.
        """
        address = IPv4Address("TCP", "192.0.2.1", port)
        server = self.factory.buildProtocol(address)
        peer = peer or Peer()
        self.pumps.append(
            connect(
                server,
                FakeTransport(server, True, peerAddress=address),
                peer,
                FakeTransport(peer, False),
            )
        )
        return peer

    def flush(self) -> None:
        """
        Carry all bytes.
        """
        for pump in self.pumps * 3:
            pump.flush()

    def ask(self, peer: amp.AMP, command: type[amp.Command], **values: Any) -> Any:
        """
        Have a command answered.
        """
        answer = amp.AMP.callRemote(peer, command, **values)
        self.flush()
        return self.successResultOf(answer)

    def test_meeting(self) -> None:
        """
        They meet, speak and part.
        """
        listener, dialer = self.join(1001), self.join(1002)
        for peer in (listener, dialer):
            self.ask(peer, Hello, version=1, features=["a", "b"], roundTrip=0.01)
        name = self.ask(listener, Allocate, owner=b"o" * 16)["name"]
        answer = self.ask(dialer, Dial, name=name, message=b"PAKE")
        assert answer["peer"] == IPv4Address("TCP", "192.0.2.1", 1001)
        meeting = answer["introduction"]
        amp.AMP.callRemote(listener, Relay, introduction=meeting, message=b"details")
        self.flush()
        amp.AMP.callRemote(dialer, Leave, introduction=meeting, reason="done")
        self.flush()
        assert listener.heard == [
            {
                "introduction": meeting,
                "name": name,
                "peer": IPv4Address("TCP", "192.0.2.1", 1002),
                "wait": 0.0,
                "message": b"PAKE",
                "ticket": ANY,
            },
            {"introduction": meeting, "reason": "done"},
        ]
        assert dialer.heard == [{"introduction": meeting, "message": b"details"}]
        tickets = {answer["ticket"], listener.heard[0]["ticket"]}
        assert {len(each) for each in tickets} == {TICKET_BYTES}
        assert len(tickets) == 2

    def test_older(self) -> None:
        """
        A peer that knows nothing of tickets is introduced all the same.
        """

        listener, dialer = self.join(1001, OlderPeer()), self.join(1002)
        for peer in (listener, dialer):
            self.ask(peer, Hello, version=1, features=[])
        name = self.ask(listener, Allocate, owner=b"o" * 16)["name"]
        answer = self.ask(dialer, OlderDial, name=name, message=b"PAKE")
        assert set(answer) == {"introduction", "peer", "wait"}
        [introduced] = listener.heard
        assert introduced["introduction"] == answer["introduction"]

    def test_refusal(self) -> None:
        """
        A refusal is an error of the command's; its text is for a person, once.
        """
        peer = self.join(1001)
        self.ask(peer, Hello, version=1, features=[])
        refusals: list[Any] = []
        dialing = amp.AMP.callRemote(peer, Dial, name="nobody", message=b"")
        dialing.addErrback(refusals.append)
        self.flush()
        assert [type(each.value) for each in refusals] == [NoSuchName]
        assert refusals[0].value.detail == "nobody"
