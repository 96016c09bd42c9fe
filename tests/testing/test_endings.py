"""
Tests for how connections on a network in memory end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.support.programs import Conversation, HalfCloser, Recorder, loggedErrors, tcp


class EndTests(SynchronousTestCase):
    """
    Connections that end because of what the programs do.
    """

    def assertEnded(self, protocol: Recorder, kind: type[Exception]) -> None:
        """
        A connection was lost for a reason.
        """
        assert protocol.reason is not None
        assert protocol.reason.type is kind

    def assertNothingLeft(self, talk: Conversation) -> None:
        """
        No socket, no kernel state, nothing to do.
        """
        assert talk.network.openSockets() == []
        assert [each.stack.connections() for each in talk.hosts] == [[], []]
        assert talk.network.clock.getDelayedCalls() == []

    def test_closed(self) -> None:
        """
        A connection that one end closes ends well at both.
        """
        talk = Conversation()
        talk.client.transport.write(b"bye")
        talk.client.transport.loseConnection()
        talk.network.run(0.1)
        assert talk.server.received == b"bye"
        self.assertEnded(talk.client, ConnectionDone)
        self.assertEnded(talk.server, ConnectionDone)
        self.assertNothingLeft(talk)

    def test_bothClosed(self) -> None:
        """
        A connection that both ends close at once ends well at both.
        """
        talk = Conversation()
        talk.client.transport.loseConnection()
        talk.server.transport.loseConnection()
        talk.network.run(0.1)
        self.assertEnded(talk.client, ConnectionDone)
        self.assertEnded(talk.server, ConnectionDone)
        self.assertNothingLeft(talk)

    def test_closedUnread(self) -> None:
        """
        To close with bytes unread resets the connection, as on Linux.
        """
        talk = Conversation(kind=HalfCloser)
        transport: Any = talk.client.transport
        transport.pauseProducing()
        talk.server.transport.write(b"unread")
        talk.network.run(1)
        transport.loseConnection()
        talk.network.run(1)
        # Twisted does not watch a socket that it neither reads nor writes.
        talk.server.transport.write(b"anybody there?")
        talk.network.run(1)
        self.assertEnded(talk.server, ConnectionLost)
        self.assertNothingLeft(talk)

    def test_writtenToClosed(self) -> None:
        """
        Bytes for a socket that was closed are answered with a reset.
        """
        talk = Conversation(kind=HalfCloser)
        talk.client.transport.loseConnection()
        talk.network.run(1)
        assert talk.server.isOpen
        for _ in range(2):
            # The first is answered, the second finds the answer.
            talk.server.transport.write(b"anybody there?")
            talk.network.run(1)
        self.assertEnded(talk.server, ConnectionLost)
        self.assertNothingLeft(talk)

    def test_aborted(self) -> None:
        """
        An abort is a lost connection at the other end, and drops what was written.
        """
        talk = Conversation()
        talk.client.transport.write(b"dropped")
        tcp(talk.client).abortConnection()
        talk.network.run(1)
        self.assertEnded(talk.client, ConnectionAborted)
        self.assertEnded(talk.server, ConnectionLost)
        assert talk.server.received == b""
        self.assertNothingLeft(talk)

    def test_halfClosed(self) -> None:
        """
        One direction ends and the other goes on, for half-closeable protocols.
        """
        talk = Conversation(kind=HalfCloser)
        client, server = talk.client, talk.server
        client.transport.write(b"question")
        tcp(client).loseWriteConnection()
        talk.network.run(1)
        assert isinstance(client, HalfCloser)
        assert isinstance(server, HalfCloser)
        assert (client.ended, server.ended) == (["write"], ["read"])
        server.transport.write(b"answer")
        talk.network.run(1)
        assert (server.received, client.received) == (b"question", b"answer")
        tcp(server).loseWriteConnection()
        talk.network.run(1)
        assert client.ended == ["write", "read"]
        assert server.ended == ["read", "write"]
        for each in (client, server):
            each.transport.loseConnection()
        talk.network.run(1)
        self.assertNothingLeft(talk)

    def test_halfCloseOfOtherProtocols(self) -> None:
        """
        For other protocols the end of one direction ends the connection.
        """
        talk = Conversation()
        tcp(talk.client).loseWriteConnection()
        talk.network.run(1)
        self.assertEnded(talk.server, ConnectionDone)

    def test_protocolFails(self) -> None:
        """
        A protocol that raises loses its connection, as on any reactor.
        """
        talk = Conversation()

        def fail(data: bytes) -> None:
            raise RuntimeError("not today")

        talk.server.dataReceived = fail  # type: ignore[method-assign]
        talk.client.transport.write(b"x")
        talk.network.run(1)
        assert len(loggedErrors(self, RuntimeError)) == 1
        self.assertEnded(talk.server, RuntimeError)
        assert not talk.client.isOpen

    def test_neverFinished(self) -> None:
        """
        A closed socket does not wait for ever for the other end to finish.
        """
        talk = Conversation(kind=HalfCloser)
        talk.client.transport.loseConnection()
        talk.network.run(61)
        assert talk.hosts[0].stack.connections() == []
        assert talk.server.isOpen


class CutTests(SynchronousTestCase):
    """
    A host whose wire is cut.
    """

    def setUp(self) -> None:
        """
        Connect, and cut the client's wire.
        """
        self.talk = Conversation()
        self.network = self.talk.network
        self.talk.hosts[0].cut()

    def test_silent(self) -> None:
        """
        Without a write neither end notices for hours.
        """
        self.network.run(10_000)
        assert self.talk.client.isOpen
        assert self.talk.server.isOpen

    def test_mended(self) -> None:
        """
        What was written meanwhile arrives after the wire is mended, within as many
        seconds as it was cut.
        """
        self.talk.client.transport.write(b"one")
        self.talk.server.transport.write(b"two")
        self.network.run(30)
        assert self.talk.server.received == b""
        self.talk.hosts[0].mend()
        self.network.run(31)
        assert self.talk.server.received == b"one"
        assert self.talk.client.received == b"two"

    def test_underway(self) -> None:
        """
        What is on its way when the wire is cut is lost too, and sent again.
        """
        self.talk.hosts[0].mend()
        self.talk.client.transport.write(b"out")
        self.talk.server.transport.write(b"in")
        self.network.run(0.01)
        self.talk.hosts[0].cut()
        self.network.run(0.1)
        assert self.talk.server.received == b"out"
        assert self.talk.client.received == b""
        self.talk.hosts[0].mend()
        self.network.run(1)
        assert self.talk.client.received == b"in"

    def test_givenUp(self) -> None:
        """
        A write fails after about a quarter of an hour.
        """
        self.talk.client.transport.write(b"hello?")
        self.network.run(600)
        assert self.talk.client.isOpen
        self.network.run(600)
        assert self.talk.client.lostBy(ConnectionLost)
        assert self.talk.server.isOpen

    def test_aborted(self) -> None:
        """
        An abort frees everything on its own side at once.
        """
        self.talk.client.transport.write(b"hello?")
        self.network.run(1)
        self.talk.hosts[0].mend()
        self.talk.client.transport.write(b"anybody?")
        self.network.run(0.01)
        self.talk.hosts[1].cut()
        tcp(self.talk.client).abortConnection()
        self.network.run(1)
        assert self.talk.hosts[0].stack.connections() == []
        assert self.network.clock.getDelayedCalls() == []

    def test_closed(self) -> None:
        """
        A socket that is closed over a cut wire is no longer the program's, and its
        connection is forgotten within a minute.
        """
        self.talk.client.transport.write(b"hello?")
        self.talk.client.transport.loseConnection()
        self.network.run(0)
        assert len(self.network.openSockets()) == 1
        assert self.network.delayedCalls() == []
        self.network.run(61)
        assert self.network.clock.getDelayedCalls() == []
