"""
Tests for L{punch.peer.settings}, whichever way they are given.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.task import Clock

from punch import Settings
from punch.cli.tap import Options
from punch.endpoints.strings import BadEndpointString
from punch.errors import BadOption, Misuse
from punch.net.address import HostPort
from punch.testing import MemoryNetwork

OPTIONS = {"resumeFor": "--resume-for"}
HOST = MemoryNetwork(Clock(), 1).host("192.0.2.1")

ABOUT_VALUES: list[tuple[str, object, str]] = [
    ("port", 65536, "a port is below 65536"),
    ("port", -1, "a port is below 65536"),
    ("stun", "h", "not HOST:PORT"),
    ("stun", "::1:2", "write an IPv6 address in brackets"),
    ("stun", "h:0", "a port is a number from 1 to 65535"),
]
ABOUT_SETTINGS: list[tuple[str, object, str]] = [
    ("timeout", 0, "takes seconds, more than 0"),
    ("timeout", -1, "takes seconds, more than 0"),
    ("timeout", 1e6, "takes seconds, more than 0"),
    ("search", -1, "takes sockets, 0 to 10000"),
    ("search", 10_001, "takes sockets, 0 to 10000"),
    ("resumeFor", -0.5, "takes seconds, 0 or more"),
]


def refused(name: str, value: object, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """
    What is said of a value in Python, in an endpoint string, and as an option.
    """
    values: Any = {name: (value,) if name == "stun" else value}
    with pytest.raises(BadOption) as inPython:
        Settings(**values)
    assert isinstance(inPython.value, Misuse)
    string = f"{name.lower()}={quoteStringArgument(str(value))}"
    with pytest.raises(BadEndpointString) as inString:
        serverFromString(HOST, rf"punch:rendezvous=tcp\:h\:1:{string}")
    option = f"{OPTIONS.get(name, f'--{name}')}={value}"
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--rendezvous", "tcp:h:1", option])
    assert ended.value.code == 64
    return [str(inPython.value), str(inString.value), capsys.readouterr().err]


@pytest.mark.parametrize(("name", "value", "problem"), ABOUT_VALUES)
def test_value(
    name: str, value: object, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A value that cannot be is a mistake at once.  The text names the setting, as it was
    written, and the value.
    """
    inPython, inString, option = refused(name, value, capsys)
    assert f"{name}={value}: {problem}" in inPython
    assert inString.startswith(f"punch: {name}={value}: {problem}")
    assert option.startswith(f"punch: --{name} {value}: {problem}")


@pytest.mark.parametrize(("name", "value", "problem"), ABOUT_SETTINGS)
def test_setting(
    name: str, value: object, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    So is one out of range.  The text says what the setting takes.
    """
    inPython, inString, option = refused(name, value, capsys)
    assert f"{name} {problem}" in inPython
    assert inString == f"punch: {name.lower()}= {problem}"
    assert option == f"punch: {OPTIONS.get(name, f'--{name}')} {problem}\n"


@pytest.mark.parametrize(
    "values",
    [
        {"port": 1.5},
        {"search": 0.5},
        {"timeout": float("nan")},
        {"timeout": None},
        {"resumeFor": "10"},
        {"resumeFor": float("nan")},
        {"resumeFor": float("inf")},
    ],
    ids=str,
)
def test_noNumber(values: Any) -> None:
    """
    Half a port is none, and what is no number is no time.
    """
    with pytest.raises(BadOption):
        Settings(**values)


def test_edges() -> None:
    """
    What is just within bounds does, and STUN servers are parsed.
    """
    Settings(port=65535, timeout=0.001, search=10_000, resumeFor=0)
    servers = Settings(stun=("stun.example.org:3478", "[2001:db8::1]:1")).stunServers
    assert servers == (HostPort("stun.example.org", 3478), HostPort("2001:db8::1", 1))
