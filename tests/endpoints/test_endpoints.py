"""
Tests for L{punch.endpoints.endpoints}.  (L{tests.whole.test_endpoints} puts them to
use.)
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import succeed
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from punch.endpoints.endpoints import PunchClientEndpoint, PunchServerEndpoint
from punch.endpoints.server import ServiceAddress, ServicePort
from punch.errors import BadEndpoint, BadName, MalformedCode, PunchError
from punch.testing import MemoryHost, MemoryNetwork, spin
from tests.support.doubles import watching
from tests.support.programs import Recorders

WHERE = "tcp:192.0.2.9:4040"
NAMED: dict[str, Any] = {"name": "home", "secret": b"correct horse battery"}


def aHost() -> MemoryHost:
    """
    A reactor.
    """
    return MemoryNetwork(Clock(), 1).host("192.0.2.1")


def test_interfaces() -> None:
    """
    They are what Twisted takes for endpoints.
    """
    host = aHost()
    client = PunchClientEndpoint(host, WHERE, **NAMED)
    assert verifyObject(IStreamClientEndpoint, client)
    server = PunchServerEndpoint(host, WHERE, **NAMED)
    assert verifyObject(IStreamServerEndpoint, server)


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({}, ValueError, "give a code, or a name"),
    ({"name": "home"}, ValueError, "and its secret"),
    ({"secret": b"s"}, ValueError, "a name"),
    ({**NAMED, "code": "7-zebra-zoo"}, ValueError, "not both"),
    ({"code": "7-zebra"}, MalformedCode, "1 word"),
    ({**NAMED, "service": ""}, ValueError, "1 to 255 bytes"),
    ({**NAMED, "service": "x" * 256}, ValueError, "1 to 255 bytes"),
]


@pytest.mark.parametrize(("wrong", "kind", "text"), MISTAKES)
def test_clientMistakes(
    wrong: dict[str, Any], kind: type[Exception], text: str
) -> None:
    """
    What can't be connected to is a mistake at once.
    """
    with pytest.raises(kind, match=text):
        PunchClientEndpoint(aHost(), WHERE, **wrong)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"name": "home"}, ValueError),
        ({"secret": b"s"}, ValueError),
        ({"name": "77", "secret": b"s"}, BadName),
        ({"service": "x" * 256}, ValueError),
    ],
)
def test_serverMistakes(wrong: dict[str, Any], kind: type[Exception]) -> None:
    """
    What can't be listened as, too.
    """
    with pytest.raises(kind):
        PunchServerEndpoint(aHost(), WHERE, **wrong)


@pytest.mark.parametrize("kind", [PunchClientEndpoint, PunchServerEndpoint])
def test_badRendezvous(kind: Any) -> None:
    """
    So is a rendezvous that isn't one.
    """
    with pytest.raises(BadEndpoint):
        kind(aHost(), "nowhere", **NAMED)


def test_logged() -> None:
    """
    What happens is logged, unless somebody else wants to hear of it.
    """
    host = aHost()
    with watching() as log:
        connecting = PunchClientEndpoint(host, WHERE, **NAMED).connect(Recorders())
        with pytest.raises(PunchError):
            spin(connecting, host.network)
    assert any(each.startswith("Listening on TCP port") for each in log.sentences)


def test_address() -> None:
    """
    The address of a service is one, and says which.
    """
    address = ServiceAddress("home", "web")
    assert verifyObject(IAddress, address)
    assert str(address) == "web at home"


def test_port() -> None:
    """
    A service port is a listening port.
    """
    port = ServicePort(lambda: ServiceAddress("home", "web"), lambda: succeed(None))
    assert verifyObject(IListeningPort, port)
    assert repr(port) == "<ServicePort web at home>"
