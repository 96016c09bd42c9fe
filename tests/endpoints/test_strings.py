"""
Tests for L{punch.endpoints.strings} and L{punch.endpoints.parser}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import (
    clientFromString,
    quoteStringArgument,
    serverFromString,
)
from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.internet.task import Clock
from twisted.plugin import getPlugins
from zope.interface.verify import verifyObject

from punch.endpoints import strings
from punch.endpoints.endpoints import PunchClientEndpoint, PunchServerEndpoint
from punch.endpoints.parser import PunchParser
from punch.endpoints.strings import BadEndpointString
from punch.errors import Misuse
from punch.eventlog import EventLog
from punch.testing import MemoryNetwork

RV = r"rendezvous=tls\:rv.example.org\:4041"
HOST = MemoryNetwork(Clock(), 1).host("192.0.2.1")


@pytest.fixture(autouse=True)
def plainEnvironment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A directory with a secret, and no variables of ours.
    """
    monkeypatch.delenv("PUNCH_RENDEZVOUS", raising=False)
    monkeypatch.delenv("PUNCH_CODE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("correct horse battery staple\n")
    (tmp_path / "secret").chmod(0o600)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """
    What the endpoints are made with.
    """
    noted: list[dict[str, Any]] = []

    def noting(reactor: Any, **call: Any) -> object:
        assert reactor is HOST
        noted.append(call)
        return object()

    monkeypatch.setattr(strings, "PunchClientEndpoint", noting)
    monkeypatch.setattr(strings, "PunchServerEndpoint", noting)
    return noted


def test_plugin() -> None:
    """
    Twisted finds the parser, for either kind of string.
    """
    for interface in (
        IStreamServerEndpointStringParser,
        IStreamClientEndpointStringParserWithReactor,
    ):
        plugins: list[Any] = list(getPlugins(interface))
        [found] = [each for each in plugins if each.prefix == "punch"]
        assert isinstance(found, PunchParser)
        assert verifyObject(interface, found)


def test_endpoints() -> None:
    """
    Strings make endpoints.
    """
    server = serverFromString(HOST, f"punch:{RV}")
    assert isinstance(server, PunchServerEndpoint)
    client = clientFromString(HOST, f"punch:code=7-zebra-zoo:{RV}")
    assert isinstance(client, PunchClientEndpoint)


def test_server(calls: list[dict[str, Any]]) -> None:
    """
    A server string says all that the endpoint is made with.
    """
    serverFromString(
        HOST,
        f"punch:name=home:secretfile=secret:{RV}:service=web:port=4000"
        r":interface=\:\:1:timeout=7.5:stun=stun.example.org\:3478,[2001\:db8\:\:1]\:1",
    )
    [call] = calls
    settings = call.pop("settings")
    assert call == {
        "rendezvous": "tls:rv.example.org:4041",
        "name": "home",
        "secret": b"correct horse battery staple",
        "service": "web",
    }
    assert (settings.port, settings.interface, settings.timeout) == (4000, "::1", 7.5)
    assert settings.stun == ("stun.example.org:3478", "[2001:db8::1]:1")
    assert isinstance(settings.tell, EventLog)


def test_client(calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    So does a client string; the rendezvous and the code may be in the environment.
    """
    clientFromString(HOST, f"punch:name=home:secretfile=secret:{RV}")
    clientFromString(HOST, f"punch:code=7-zebra-zoo:{RV}")
    monkeypatch.setenv("PUNCH_RENDEZVOUS", "tcp:[2001:db8::1]:4040")
    monkeypatch.setenv("PUNCH_CODE", "8-zebra-zoo")
    clientFromString(HOST, "punch:service=ssh")
    assert [(each.get("name"), each.get("code")) for each in calls] == [
        ("home", None),
        (None, "7-zebra-zoo"),
        (None, "8-zebra-zoo"),
    ]
    assert calls[2]["rendezvous"] == "tcp:[2001:db8::1]:4040"
    assert calls[2]["service"] == "ssh"
    assert calls[2]["settings"].timeout == 30.0
    assert calls[2]["settings"].stun == ()


UNQUOTED = [
    (
        "punch:name=home:rendezvous=tls:rv.example.org:4040",
        r"punch: write \: for a colon inside a value:"
        r" rendezvous=tls\:rv.example.org\:4040 (and quote it for your shell)",
    ),
    (
        "punch:rendezvous=tcp:[2001:db8::1]:4040",
        r"punch: write \: for a colon inside a value:"
        r" rendezvous=tcp\:[2001\:db8\:\:1]\:4040 (and quote it for your shell)",
    ),
    (
        f"punch:{RV}:name=home:secretfile=C:secret",
        "punch: 'secret' has no KEY= before it; if it belongs to the value before it,"
        r" write \: for the colon (and quote that for your shell)",
    ),
]


@pytest.mark.parametrize("parse", [clientFromString, serverFromString])
@pytest.mark.parametrize(("string", "text"), UNQUOTED)
def test_unquoted(parse: Any, string: str, text: str) -> None:
    """
    A colon that should have been quoted is explained, with what was meant.
    """
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse(HOST, string)
    assert str(caught.value) == text


def test_asExplained() -> None:
    """
    What the explanation says to write does.
    """
    with pytest.raises(BadEndpointString) as caught:
        serverFromString(HOST, "punch:rendezvous=tcp:[2001:db8::1]:4040")
    meant = str(caught.value).split()[9]
    assert meant == "rendezvous=" + quoteStringArgument("tcp:[2001:db8::1]:4040")
    assert serverFromString(HOST, f"punch:{meant}")


BOTH = [
    ("punch", "say rendezvous= (or $PUNCH_RENDEZVOUS): where to meet"),
    ("punch:secret=x", "there is no secret=; there are"),
    ("punch:reactor=x", "there is no reactor=; there are"),
    (f"punch:{RV}:name=", "name= is empty"),
    (f"punch:{RV}:name=home", "name= needs secretfile="),
    (f"punch:{RV}:secretfile=secret", "secretfile= needs name="),
    (f"punch:{RV}:name=home:secretfile=nowhere", "nowhere: No such file"),
    (f"punch:{RV}:port=65536", "port=65536: a port is below 65536"),
    (f"punch:{RV}:port=-1", "a port is"),
    (f"punch:{RV}:port=1.5", "a port is"),
    (f"punch:{RV}:port=x", "port= takes a number, not 'x'"),
    (f"punch:{RV}:port=1e400", "port= takes a number"),
    (f"punch:{RV}:timeout=0", "timeout= takes seconds, more than 0"),
    (f"punch:{RV}:search=-1", "search= takes sockets, 0 to"),
    (f"punch:{RV}:search=1.5", "search= takes sockets, 0 to"),
    (f"punch:{RV}:timeout=nan", "timeout= takes a number"),
    (r"punch:rendezvous=udp\:h\:1", "neither tcp: nor tls:"),
    (f"punch:{RV}:service={'x' * 256}", "1 to 255 bytes"),
    (f"punch:{RV}:stun=h", r"stun=h: not HOST:PORT; write stun=HOST\:PORT"),
    (rf"punch:{RV}:stun=h\:1,", "stun=: not HOST:PORT"),
    (rf"punch:{RV}:stun=h\:0", "a port is a number"),
]

SERVER = [
    (f"punch:{RV}:code=7-zebra-zoo", "no code="),
    (f"punch:{RV}:name=77:secretfile=secret", "not only digits"),
]

CLIENT = [
    (f"punch:{RV}", "say code= (or $PUNCH_CODE), or name= and secretfile="),
    (f"punch:{RV}:code=7-zebra-zoo:name=home", "one of them only"),
    (f"punch:{RV}:code=7-zebra", "a code is a number and two words"),
    (f"punch:{RV}:code=7-zebra-zooo", "did you mean zoo"),
]

MISTAKES = [
    *[(serverFromString, *each) for each in [*BOTH, *SERVER]],
    *[
        (clientFromString, string.replace("punch", "punch:code=7-zebra-zoo", 1), text)
        for string, text in BOTH
        if "secretfile" not in string and "name" not in string
    ],
    *[(clientFromString, *each) for each in CLIENT],
]


@pytest.mark.parametrize(("parse", "string", "text"), MISTAKES)
def test_mistakes(parse: Any, string: str, text: str) -> None:
    """
    Every mistake is a C{ValueError}, and one of ours, with a line that says what to
    write.
    """
    with pytest.raises(BadEndpointString) as caught:
        parse(HOST, string)
    said = str(caught.value)
    assert isinstance(caught.value, (ValueError, Misuse))
    assert said.startswith("punch: ")
    assert text in said
    assert "\n" not in said
