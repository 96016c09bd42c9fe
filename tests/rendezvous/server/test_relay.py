"""
The relay, between clients in memory.

What lets two clients use the relay.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.testing import StringTransport
from zope.interface.verify import verifyObject

from punch.rendezvous.commands import Dial, Hello, Introduce, Leave
from punch.rendezvous.relayerrors import TicketUnknown, TicketUsed
from punch.rendezvous.relaypreamble import TICKET_BYTES, encodePreamble
from punch.rendezvous.server.amp import codecOf
from punch.rendezvous.server.relay import TicketPair, Tickets
from punch.rendezvous.server.relaysplice import SplicedConnection
from tests.support.doubles import watching
from tests.support.programs import HalfCloser
from tests.support.relays import Site
from tests.support.rendezvous import Server


def tickets(seconds: float = 30.0) -> Tickets:
    """
    Tickets that are counted.
    """
    numbers = count(1)
    return Tickets(seconds, lambda size: next(numbers).to_bytes(size, "big"))


def test_issue() -> None:
    """
    Each side has its own.
    """
    issued = tickets()
    first, second = issued.issue(1.0), issued.issue(1.0)
    given = {first.listener, first.dialer, second.listener, second.dialer}
    assert len(given) == 4
    assert len(issued) == 4
    assert {len(each) for each in given} == {TICKET_BYTES}


def test_unguessable() -> None:
    """
    By default they are the system's randomness.
    """
    issued = Tickets(30.0)
    pairs = [issued.issue(1.0) for _ in range(100)]
    assert len({each for pair in pairs for each in (pair.listener, pair.dialer)}) == 200


def test_use() -> None:
    """
    Both are of one pair, in whatever order they come.
    """
    issued = tickets()
    pair = issued.issue(1.0)
    assert issued.use(pair.dialer) is pair
    assert pair.used == {pair.dialer}
    assert issued.use(pair.listener) is pair
    assert pair.used == {pair.dialer, pair.listener}


def test_once() -> None:
    """
    Each is good once.
    """
    issued = tickets()
    pair = issued.issue(1.0)
    issued.use(pair.listener)
    with pytest.raises(TicketUsed):
        issued.use(pair.listener)
    assert pair.used == {pair.listener}


@given(st.binary(max_size=40))
def test_unknown(ticket: bytes) -> None:
    """
    A ticket that was not issued is unknown.
    """
    issued = Tickets(30.0)
    issued.issue(1.0)
    with pytest.raises(TicketUnknown):
        issued.use(ticket)


def test_forget() -> None:
    """
    When the introduction is over, so are its tickets, used or not, and no others.
    """
    issued = tickets()
    over, alive = issued.issue(1.0), issued.issue(1.0)
    issued.use(over.dialer)
    issued.revoke(over)
    for ticket in (over.dialer, over.listener):
        with pytest.raises(TicketUnknown):
            issued.use(ticket)
    issued.revoke(over)
    assert issued.use(alive.dialer) is alive
    assert len(issued) == 2


def test_expire() -> None:
    """
    They are good for so long, used or not.
    """
    issued = tickets(10.0)
    pairs: list[TicketPair] = [issued.issue(float(now)) for now in range(4)]
    issued.use(pairs[0].listener)
    assert issued.expire(9.9) == []
    assert issued.expire(11.0) == pairs[:2]
    with pytest.raises(TicketUnknown):
        issued.use(pairs[1].dialer)
    assert issued.use(pairs[2].dialer) is pairs[2]
    assert issued.expire(100.0) == pairs[2:]
    assert len(issued) == 0


MUCH = bytes(range(256)) * (1 << 14)
"""
4 MiB: more than all buffers on the way take.
"""

BUSY, ADDRESS_BUSY, UNKNOWN, USED, ABSENT = (bytes([each]) for each in range(1, 6))

everyWay = pytest.mark.parametrize("way", [0, 1], ids=["from first", "from second"])


def isClean(client: HalfCloser) -> bool:
    """
    Did its connection end, and cleanly?
    """
    assert client.reason is not None
    return client.reason.check(ConnectionDone) is not None


@pytest.fixture(name="site")
def _site() -> Iterator[Site]:
    site = Site()
    yield site
    site.end()


class TestTickets:
    """
    Introduced clients get tickets, which are good for one introduction.
    """

    def test_introduced(self) -> None:
        """
        Both sides of an introduction get one of their own.
        """
        server = Server()
        listener, dialer = server.listener("name"), server.client()
        mine = dialer.ask(Dial, name="name", message=b"")["ticket"]
        [introduced] = listener.received(Introduce)
        assert len(mine) == len(introduced["ticket"]) == TICKET_BYTES
        assert mine != introduced["ticket"]

    def test_noRelay(self) -> None:
        """
        A server that is no relay gives no tickets.
        """
        server = Server(relays=False)
        listener, dialer = server.listener("name"), server.client()
        assert dialer.ask(Dial, name="name", message=b"")["ticket"] is None
        assert listener.received(Introduce)[0]["ticket"] is None

    def test_noRelayHears(self) -> None:
        """
        There, a preamble is refused as any bytes that are not AMP.
        """
        client = Server(relays=False).connect()
        client.write(encodePreamble(bytes(TICKET_BYTES)))
        assert client.dropped
        assert client.commands == []

    def test_left(self) -> None:
        """
        When one side leaves the introduction, a peer that waits at the relay is
        refused.
        """
        server = Server()
        server.listener("name")
        dialer = server.client()
        answer = dialer.ask(Dial, name="name", message=b"")
        early, late = server.relayClient(), server.relayClient()
        early.send(encodePreamble(answer["ticket"]))
        dialer.send(Leave, introduction=answer["introduction"], reason="done")
        assert early.take() == ABSENT
        late.send(encodePreamble(answer["ticket"]))
        assert late.take() == UNKNOWN

    def test_lost(self) -> None:
        """
        A side that loses the rendezvous has not left: its ticket stays good.
        """
        server = Server()
        listener, dialer = server.listener("name"), server.client()
        mine = dialer.ask(Dial, name="name", message=b"")["ticket"]
        theirs = listener.received(Introduce)[0]["ticket"]
        dialer.disconnect()
        first, second = server.relayClient(), server.relayClient()
        first.send(encodePreamble(mine))
        second.send(encodePreamble(theirs))
        assert [first.take(), second.take()] == [b"\0", b"\0"]

    def test_bounded(self) -> None:
        """
        Expired tickets take no room.
        """
        server = Server(ticketSeconds=5)
        server.listener("name")
        for _ in range(20):
            server.client().ask(Dial, name="name", message=b"")
        server.advance(6)
        relay = server.factory.state.relay
        assert relay is not None
        assert len(relay._tickets) == 0


class TestFirst:
    """
    The first bytes of a connection.
    """

    @pytest.mark.parametrize("size", [1, 5, 37])
    def test_pieces(self, site: Site, size: int) -> None:
        """
        A ticket may come in pieces.
        """
        ticket, other = site.tickets()
        whole, client = encodePreamble(ticket) + b"after", site.connect()
        for at in range(0, len(whole), size):
            client.transport.write(whole[at : at + size])
            site.run(0.1)
        second = site.client(other, b"", site.hosts[1])
        assert second.received == b"\0after"

    def test_amp(self, site: Site) -> None:
        """
        AMP on the same port is served as ever, in pieces too.
        """
        client = site.connect()
        box = codecOf(Hello).ask({"version": 1, "features": []}, b"1")
        for at in range(len(box)):
            client.transport.write(box[at : at + 1])
            site.run(0.01)
        site.run(0.1)
        assert b"observed" in client.received
        client.transport.loseConnection()

    @pytest.mark.parametrize("said", [b"", b"R", b"RELAY1", b"RELAY1" + bytes(31)])
    def test_never(self, said: bytes) -> None:
        """
        A ticket that never comes whole is not waited for longer than a hello.
        """
        site = Site(helloSeconds=5)
        client = site.connect()
        if said:
            client.transport.write(said)
        site.run(4.5)
        assert client.isOpen
        site.run(2.0)
        assert not client.isOpen
        site.end()

    @pytest.mark.parametrize("said", [b"RELAY2", b"RX", b"GET / HTTP/1.0\r\n\r\n"])
    def test_neither(self, site: Site, said: bytes) -> None:
        """
        Bytes that are neither AMP nor a preamble are refused.
        """
        with watching() as log:
            client = site.connect()
            client.transport.write(said + bytes(TICKET_BYTES))
            site.run(0.2)
        assert client.ended == ["read"]
        assert any("rendezvous-violation" in each for each in log.sentences)

    @settings(max_examples=50)
    @given(st.lists(st.binary(max_size=60), max_size=4))
    def test_rubbish(self, said: list[bytes]) -> None:
        """
        Whatever a client says first, others are relayed.
        """
        site = Site(helloSeconds=1)
        rubbish = site.connect()
        for each in said:
            rubbish.transport.write(each)
            site.run(0.05)
        clients = site.joined()
        clients[0].transport.write(b"unharmed")
        site.run(0.1)
        assert clients[1].received == b"unharmed"
        site.end()

    def test_hello(self, site: Site) -> None:
        """
        A client that has said hello can't become a client of the relay.
        """
        client = site.connect()
        box = codecOf(Hello).ask({"version": 1, "features": []}, b"1")
        client.transport.write(box + encodePreamble(site.tickets()[0]))
        site.run(0.2)
        assert client.ended == ["read"]


class TestSpliced:
    """
    Two clients who are joined.
    """

    @everyWay
    def test_data(self, site: Site, way: int) -> None:
        """
        Each client gets what the other sends, small or large.
        """
        clients = site.joined()
        clients[way].transport.write(b"a")
        site.run(0.2)
        assert clients[1 - way].received == b"a"
        clients[way].transport.write(MUCH)
        site.run(60)
        assert clients[1 - way].received == b"a" + MUCH
        assert clients[way].received == b""

    def test_atOnce(self, site: Site) -> None:
        """
        Bytes sent right after the tickets are not lost, on either side.
        """
        mine, theirs = site.tickets()
        first = site.client(mine, b"from the first")
        assert first.received == b""
        second = site.client(theirs, b"from the second", site.hosts[1])
        assert second.received == b"\0from the first"
        assert first.received == b"\0from the second"

    def test_held(self, site: Site) -> None:
        """
        Before the other side is there little is held, and then all is passed on.
        """
        mine, theirs = site.tickets()
        first = site.client(mine, MUCH)
        site.run(5)
        [connection] = site.connections
        assert connection._relayed._heldBytes < 2 * 65_536
        second = site.client(theirs, b"", site.hosts[1])
        site.run(60)
        assert second.received == b"\0" + MUCH
        assert first.received == b"\0"

    @everyWay
    def test_end(self, site: Site, way: int) -> None:
        """
        The end of one direction comes after all its data, and leaves the other one
        open; the end of both leaves nothing.
        """
        first, second = (clients := site.joined())[way], clients[1 - way]
        first.transport.write(MUCH)
        first.transport.loseWriteConnection()
        site.run(60)
        assert second.received == MUCH
        assert (first.ended, second.ended) == (["write"], ["read"])
        second.transport.write(MUCH)
        site.run(60)
        assert first.received == MUCH
        second.transport.loseConnection()
        site.run(1)
        assert first.ended == ["write", "read"]
        first.transport.loseConnection()
        site.run(1)
        assert isClean(first)
        assert isClean(second)
        assert site.open() == []
        assert len(site.relay) == 0

    @everyWay
    def test_endBefore(self, site: Site, way: int) -> None:
        """
        A side that finishes before the other is there has finished then.
        """
        tickets = site.tickets()
        first = site.client(tickets[way], b"all of it")
        first.transport.loseWriteConnection()
        site.run(1)
        second = site.client(tickets[1 - way], b"", site.hosts[1])
        assert second.received == b"\0all of it"
        assert second.ended == ["read"]
        second.transport.write(b"thanks")
        second.transport.loseConnection()
        site.run(1)
        assert first.received == b"\0thanks"
        first.transport.loseConnection()
        site.run(1)
        assert site.open() == []

    @everyWay
    def test_abort(self, site: Site, way: int) -> None:
        """
        When one connection is aborted, the other one is too, and does not end cleanly.
        """
        clients = site.joined()
        clients[way].transport.write(b"half of a")
        site.run(0.2)
        clients[way].transport.abortConnection()
        site.run(0.2)
        assert not isClean(clients[1 - way])
        assert clients[1 - way].ended == []
        assert site.open() == []
        assert len(site.relay) == 0

    @everyWay
    def test_abortAfterEnd(self, site: Site, way: int) -> None:
        """
        A client that has finished does not see a clean end if the other aborts
        afterwards.
        """
        first, second = (clients := site.joined())[way], clients[1 - way]
        first.transport.loseWriteConnection()
        site.run(0.2)
        second.transport.write(b"half of a")
        site.run(0.2)
        second.transport.abortConnection()
        site.run(0.2)
        assert not isClean(first)

    @everyWay
    def test_slowReader(self, site: Site, way: int) -> None:
        """
        A client that does not read slows its peer down, within bounds, and nothing
        else.
        """
        slow, other = (clients := site.joined())[way], clients[1 - way]
        slow.transport.pauseProducing()
        other.transport.write(MUCH)
        site.run(60)
        transports = [each.transport for each in site.connections]
        for each in transports:
            assert len(each.dataBuffer) + each._tempDataLen <= 3 * 65_536
        assert len(slow.received) < 65_537
        slow.transport.write(b"meanwhile")
        site.run(1)
        assert other.received == b"meanwhile"
        slow.transport.resumeProducing()
        site.run(60)
        assert slow.received == MUCH

    def test_quick(self, site: Site) -> None:
        """
        Small writes are not held back, and a host that is gone is noticed.
        """
        site.joined()
        for each in site.connections:
            assert each.transport.getTcpNoDelay()
            assert each.transport.getTcpKeepAlive()

    def test_lives(self, site: Site) -> None:
        """
        It lives as long as it may, however quiet it is.
        """
        clients = site.joined()
        site.run(3600)
        clients[0].transport.write(b"still there")
        site.run(1)
        assert clients[1].received == b"still there"

    def test_stopped(self) -> None:
        """
        A rendezvous that stops breaks all off, waiting ones too.
        """
        site = Site(spliceBytesPerSecond=1000)
        clients = [*site.joined(), site.client(site.tickets()[0])]
        clients[0].transport.write(bytes(10_000))
        site.run(1)
        site.end()
        assert not any(isClean(each) for each in clients)


class TestRefused:
    """
    A refusal is a status byte, and the end of the connection.
    """

    def refused(self, client: HalfCloser) -> bytes:
        """
        The status that a refused client got; its connection was ended.
        """
        assert client.ended == ["read"]
        client.transport.loseConnection()
        return client.received

    def test_unknown(self, site: Site) -> None:
        """
        A ticket that was never issued; bytes behind it do not keep the answer from
        arriving.
        """
        client = site.client(bytes(TICKET_BYTES), bytes(200_000))
        site.run(1)
        assert self.refused(client) == UNKNOWN
        site.run(1)
        assert isClean(client)
        assert site.open() == []

    def test_lingering(self, site: Site) -> None:
        """
        A refused client that does not close its connection is aborted.
        """
        client = site.client(bytes(TICKET_BYTES))
        site.run(4)
        assert client.isOpen
        site.run(3)
        client.transport.write(b"hello?")
        site.run(1)
        assert not client.isOpen

    def test_used(self, site: Site) -> None:
        """
        A ticket that has been shown, whether or not the other side is there yet; it
        does no harm to who showed it first.
        """
        mine, theirs = site.tickets()
        first = site.client(mine)
        assert self.refused(site.client(mine)) == USED
        second = site.client(theirs, b"second", site.hosts[1])
        assert self.refused(site.client(theirs)) == USED
        assert first.received == b"\0second"
        assert second.received == b"\0"

    def test_absent(self) -> None:
        """
        A client whose peer does not come is refused when the tickets expire, and a late
        peer too.
        """
        site = Site(ticketSeconds=10)
        mine, theirs = site.tickets()
        client = site.client(mine)
        site.run(8)
        assert client.received == b""
        site.run(3)
        assert self.refused(client) == ABSENT
        assert self.refused(site.client(theirs)) == UNKNOWN
        site.end()

    def test_absentHeld(self) -> None:
        """
        So is a client that has sent more than is held; its end is noticed.
        """
        site = Site(ticketSeconds=10)
        client = site.client(site.tickets()[0], bytes(200_000))
        site.run(11)
        assert self.refused(client) == ABSENT
        site.run(1)
        assert isClean(client)
        assert site.open() == []
        site.end()

    def test_gone(self, site: Site) -> None:
        """
        A client is refused at once if its peer has come and gone.
        """
        mine, theirs = site.tickets()
        first = site.client(mine)
        first.transport.abortConnection()
        site.run(0.2)
        assert self.refused(site.client(theirs)) == ABSENT

    def test_busy(self) -> None:
        """
        There are so many splices, those included who wait; both sides of one more
        hear it, and after an end there is room again.
        """
        site = Site(splices=2)
        clients = site.joined()
        waiting = site.client(site.tickets()[0])
        for ticket in site.tickets():
            assert self.refused(site.client(ticket)) == BUSY
        waiting.transport.abortConnection()
        clients[0].transport.abortConnection()
        site.run(0.2)
        site.joined()
        site.joined()
        site.end()

    def test_addressBusy(self) -> None:
        """
        One address has so many, as first or second; a peer that this leaves alone is
        told that nobody comes.
        """
        site = Site(splicesPerAddress=2)
        third = site.network.host("192.0.2.3")
        firsts = [site.client(site.tickets()[0]) for _ in range(2)]
        mine, theirs = site.tickets()
        assert self.refused(site.client(mine)) == ADDRESS_BUSY
        assert self.refused(site.client(theirs, b"", third)) == ABSENT
        mine, theirs = site.tickets()
        waiting = site.client(mine, b"", third)
        assert self.refused(site.client(theirs)) == ADDRESS_BUSY
        assert self.refused(waiting) == ABSENT
        firsts += [site.client(site.tickets()[0], b"", third) for _ in range(2)]
        assert all(each.received == b"" for each in firsts)
        for each in firsts:
            each.transport.abortConnection()
        site.run(0.2)
        site.joined()
        site.joined()
        site.end()

    def test_oneAddress(self) -> None:
        """
        Two clients of one address are one splice of it.
        """
        site = Site(splicesPerAddress=1)
        for _ in range(3):
            mine, theirs = site.tickets()
            first, second = site.client(mine), site.client(theirs)
            assert second.received == b"\0"
            first.transport.abortConnection()
            site.run(0.2)
        site.end()

    def test_connections(self) -> None:
        """
        An address that has too many connections is refused here, too.
        """
        site = Site(connectionsPerAddress=1)
        kept = site.connect()
        assert self.refused(site.client(site.tickets()[0])) == ADDRESS_BUSY
        kept.transport.loseConnection()
        site.end()


class TestLimits:
    """
    The limits that end or slow a splice.
    """

    def test_bytes(self) -> None:
        """
        A splice carries so many bytes, both ways together; then both are aborted.
        """
        site = Site(spliceBytes=1000)
        clients = site.joined()
        for _ in range(5):
            for each in clients:
                each.transport.write(bytes(100))
                site.run(0.1)
        assert [len(each.received) for each in clients] == [500, 500]
        with watching() as log:
            clients[0].transport.write(b"x")
            site.run(0.2)
        assert not any(isClean(each) for each in clients)
        assert sum("relay-bytes-spent" in each for each in log.sentences) == 1
        assert len(site.relay) == 0
        site.end()

    def test_bytesHeld(self) -> None:
        """
        Bytes that were held for the peer count as well.
        """
        site = Site(spliceBytes=1000)
        mine, theirs = site.tickets()
        first = site.client(mine, bytes(1001))
        with watching() as log:
            second = site.client(theirs, bytes(1001), site.hosts[1])
        assert not isClean(first)
        assert not isClean(second)
        assert sum("relay-bytes-spent" in each for each in log.sentences) == 1
        site.end()

    def test_time(self) -> None:
        """
        A splice lasts only so many seconds.
        """
        site = Site(spliceSeconds=100)
        clients = site.joined()
        site.run(50)
        later = site.joined()
        with watching() as log:
            site.run(52)
        assert not any(isClean(each) for each in clients)
        assert all(each.isOpen for each in later)
        assert sum("relay-time-spent" in each for each in log.sentences) == 1
        site.end()

    def test_rate(self) -> None:
        """
        A splice carries so many bytes a second, both ways together; nothing is lost.
        """
        site = Site(spliceBytesPerSecond=100_000)
        clients = site.joined()
        for each in clients:
            each.transport.write(MUCH)
        for seconds in (10, 20, 40):
            site.run(seconds - getattr(self, "waited", 0))
            self.waited = seconds
            passed = sum(len(each.received) for each in clients)
            assert passed == pytest.approx(seconds * 100_000, abs=300_000)
        site.run(60)
        assert [each.received for each in clients] == [MUCH, MUCH]
        site.end()

    @everyWay
    def test_rateEnds(self, way: int) -> None:
        """
        While a splice is throttled, either side may finish or abort.
        """
        site = Site(spliceBytesPerSecond=1000)
        clients = site.joined()
        clients[way].transport.write(bytes(5000))
        clients[way].transport.loseWriteConnection()
        site.run(20)
        assert clients[1 - way].received == bytes(5000)
        assert clients[1 - way].ended == ["read"]
        clients[1 - way].transport.write(bytes(5000))
        site.run(1)
        clients[1 - way].transport.abortConnection()
        site.run(10)
        assert not isClean(clients[way])
        site.end()


def test_interfaces() -> None:
    """
    It is told of half-closed connections, and is a producer.
    """
    connection = SplicedConnection("192.0.2.1", lambda error: None, lambda: None)
    verifyObject(IHalfCloseableProtocol, connection)
    verifyObject(IPushProducer, connection)


def test_pauses() -> None:
    """
    A half reads if the other takes more, and its splice does not rest, and there is
    more to come.
    """
    connection = SplicedConnection("192.0.2.1", lambda error: None, lambda: None)
    connection.makeConnection(transport := StringTransport())
    connection.pauseProducing()
    connection.throttle()
    connection.resumeProducing()
    assert transport.producerState == "paused"
    connection.pauseProducing()
    connection.unthrottle()
    assert transport.producerState == "paused"
    connection.resumeProducing()
    assert transport.producerState == "producing"
    connection.throttle()
    connection.readConnectionLost()
    connection.unthrottle()
    assert transport.producerState == "paused"


def test_summary() -> None:
    """
    The log has splices and bytes once a minute, of those that go on, too.
    """
    site = Site()
    with watching() as log:
        clients = site.joined()
        clients[0].transport.write(bytes(1000))
        site.run(61)
        clients[1].transport.write(bytes(10))
        for each in clients:
            each.transport.loseConnection()
        site.run(61)
        site.joined()
        site.run(61)
    told = [event for event in log.events if "carried" in event]
    assert [event["carried"] for event in told] == [1000, 10, 0]
    assert [event["relayed"] for event in told] == [1, 0, 1]
    assert [event["splices"] for event in told] == [1, 0, 1]
    site.end()
