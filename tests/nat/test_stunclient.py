"""
Tests for L{punch.nat.stunclient}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred

from punch.nat.errors import (
    STUNError,
    STUNRefused,
    STUNSilent,
    STUNUnreachable,
    STUNViolation,
)
from punch.nat.stun import BindingError, BindingIndication, BindingSuccess
from punch.nat.stunclient import ANSWER_TIMEOUT, CONNECT_TIMEOUT, STUNClient
from punch.net.address import formatAddress, tcpAddress
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import NATBehavior, spin
from tests.support.stunsite import STUNSite


@pytest.fixture(name="site")
def _site() -> Iterator[STUNSite]:
    site = STUNSite()
    yield site
    site.end()


def success(transaction: bytes) -> bytes:
    """
    The address that the scripted server sees.
    """
    return BindingSuccess(transaction, tcpAddress("203.0.113.9", 9)).toBytes()


def failed(site: STUNSite, asked: Deferred[Any], kind: type[STUNError]) -> STUNError:
    """
    See how a question ends.
    """
    with pytest.raises(kind) as caught:
        spin(asked, site.network)
    return caught.value


def test_server() -> None:
    """
    Our server tells which address it sees us come from: our shared port's, at the
    NAT's.
    """
    site = STUNSite(NATBehavior())
    site.serve(STUNFactory(site.server))
    client = site.client()
    seen = spin(client.ask(), site.network)
    assert seen.host == "198.51.100.1"
    again = spin(client.ask(), site.network)
    assert again == seen
    client.abort()
    site.end()


def test_serverNoNAT(site: STUNSite) -> None:
    """
    Where there is no NAT that is the shared port itself.
    """
    site.serve(STUNFactory(site.server))
    client = site.client()
    assert formatAddress(spin(client.ask(), site.network)) == "192.0.2.2:4000"
    client.abort()


def test_twoFlights(site: STUNSite) -> None:
    """
    To be told takes one round trip after the connection's.
    """
    site.serve(STUNFactory(site.server))
    asked = site.connect().addCallback(lambda client: (client, client.ask()))
    client, address = spin(asked, site.network)
    connected = site.network.clock.seconds()
    spin(address, site.network)
    assert site.network.clock.seconds() == pytest.approx(2 * connected, rel=0.05)
    client.abort()


def test_atOnce(site: STUNSite) -> None:
    """
    Questions need not wait for each other.
    """
    site.script(success)
    client = site.client()
    asked = [client.ask() for _ in range(3)]
    assert {spin(each, site.network).port for each in asked} == {9}
    client.abort()


def test_inPieces(site: STUNSite) -> None:
    """
    What is no answer to us is passed over: indications, strangers' answers.
    """
    site.script(
        lambda id: BindingIndication(id).toBytes() + success(bytes(12)) + success(id)
    )
    client = site.client()
    assert spin(client.ask(), site.network).port == 9
    client.abort()


def test_refused(site: STUNSite) -> None:
    """
    A server that refuses is quoted, as far as it can be shown.
    """
    site.script(lambda id: BindingError(id, 500, "Server\n\x1b[31mError").toBytes())
    client = site.client()
    error = failed(site, client.ask(), STUNRefused)
    assert error.detail == "500 Server[31mError"
    client.abort()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(20), b"\1\1\0\0\x21\x12\xa4\x42" * 3],
    ids=["HTTP", "zeros", "no attributes"],
)
def test_violation(site: STUNSite, answer: bytes) -> None:
    """
    A server that speaks something else is left at once.
    """
    site.script(lambda id: answer)
    client = site.client()
    failed(site, client.ask(), STUNViolation)
    failed(site, client.ask(), STUNViolation)
    assert client.lost.settled


@settings(max_examples=30)
@given(st.binary(max_size=100))
def test_anyAnswer(answer: bytes) -> None:
    """
    Whatever a server says, we are told an address or one of our errors, in time.
    """
    site = STUNSite()
    site.script(lambda id: answer)
    client = site.client()
    failed(site, client.ask(), STUNError)
    client.abort()
    site.end()


def test_silent(site: STUNSite) -> None:
    """
    A server that says nothing is not waited for for ever.
    """
    site.script(lambda id: b"")
    client = site.client()
    began = site.network.clock.seconds()
    failed(site, client.ask(), STUNSilent)
    waited = site.network.clock.seconds() - began
    assert waited == pytest.approx(ANSWER_TIMEOUT, abs=0.1)
    client.abort()


def test_hangsUp(site: STUNSite) -> None:
    """
    Nor is one that hangs up.
    """
    made = site.script(lambda id: b"")
    client = site.client()
    asked = client.ask()
    site.network.run(1.0)
    made[0].transport.loseConnection()
    assert failed(site, asked, STUNSilent).detail == "it hung up"
    failed(site, client.ask(), STUNSilent)


def test_hangsUpOnMany(site: STUNSite) -> None:
    """
    Who hears of it may give up his other questions.
    """
    made = site.script(lambda id: b"")
    client = site.client()
    asked = [client.ask() for _ in range(3)]
    heard: list[Any] = []

    def note(failure: Any) -> None:
        heard.append(failure.type)
        for each in asked:
            each.cancel()

    for each in asked:
        each.addErrback(note)
    site.network.run(1.0)
    made[0].transport.loseConnection()
    site.network.run(1.0)
    assert sorted(each.__name__ for each in heard) == [
        "CancelledError",
        "CancelledError",
        "STUNSilent",
    ]


def test_nobody(site: STUNSite) -> None:
    """
    Where nobody listens that is said.
    """
    assert failed(site, site.connect(), STUNUnreachable).detail == "Connection refused"


def test_noName(site: STUNSite) -> None:
    """
    So is a name that nobody knows.
    """
    error = failed(site, site.connect("stun.example"), STUNUnreachable)
    assert error.detail == "no such host"


def test_dark(site: STUNSite) -> None:
    """
    A host that does not answer at all is given up.
    """
    failed(site, site.connect("192.0.2.77"), STUNSilent)
    assert site.network.clock.seconds() == pytest.approx(CONNECT_TIMEOUT, abs=0.1)


@pytest.mark.parametrize("after", [0.0, 0.001, 0.03, 0.05, 0.1])
def test_cancelled(site: STUNSite, after: float) -> None:
    """
    To connect and to ask can be cancelled at any instant.
    """
    site.script(lambda id: b"")
    made: list[STUNClient] = []

    async def ask() -> object:
        made.append(await site.connect())
        return await made[0].ask()

    asking = Deferred.fromCoroutine(ask())
    site.network.run(after)
    asking.cancel()
    with pytest.raises(CancelledError):
        spin(asking, site.network)
    for client in made:
        client.abort()


def test_portFree(site: STUNSite) -> None:
    """
    A connection that was ended does not hold the shared port's way to the server.
    """
    site.script(success)
    for _ in range(3):
        client = site.client()
        assert spin(client.ask(), site.network).port == 9
        client.abort()
        site.network.run(0.1)
