"""
Tests for L{punch.forwarding.servicespec}.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    UNIXServerEndpoint,
    clientFromString,
    serverFromString,
)
from twisted.internet.task import Clock

from punch.errors import BadOption
from punch.forwarding.servicespec import parseNamedEndpoint, splitService

SPLIT = {
    "tcp:22": ("default", "tcp:22"),
    "web=tcp:80": ("web", "tcp:80"),
    "tcp:80:interface=127.0.0.1": ("default", "tcp:80:interface=127.0.0.1"),
    "web=tcp:80:interface=::1": ("web", "tcp:80:interface=::1"),
    "unix:/tmp/a=b": ("default", "unix:/tmp/a=b"),
    "a=b=tcp:1": ("a", "b=tcp:1"),
    "å b=tcp:1": ("å b", "tcp:1"),
    f"{'x' * 255}=tcp:1": ("x" * 255, "tcp:1"),
}


@pytest.mark.parametrize("text", SPLIT)
def test_split(text: str) -> None:
    """
    The name is what stands before the first C{=} if it holds no colon.
    """
    assert splitService(text) == SPLIT[text]


@pytest.mark.parametrize("name", ["", "x" * 256, "å" * 128])
def test_badName(name: str) -> None:
    """
    A name has 1 to 255 bytes.
    """
    with pytest.raises(ValueError, match="1 to 255 bytes"):
        splitService(f"{name}=tcp:1")
    with pytest.raises(BadOption, match="1 to 255 bytes"):
        parseNamedEndpoint(
            "--expose tcp:h:1", clientFromString, Clock(), f"{name}=tcp:1"
        )


def test_endpoint() -> None:
    """
    Any endpoint that Twisted knows will do.
    """
    clock: Any = Clock()
    name, client = parseNamedEndpoint(
        "--expose tcp:h:1", clientFromString, clock, "a=tcp:h:1"
    )
    assert name == "a"
    assert isinstance(client, (TCP4ClientEndpoint, HostnameEndpoint))
    name, server = parseNamedEndpoint(
        "--forward tcp:1", serverFromString, clock, "unix:/tmp/s"
    )
    assert name == "default"
    assert isinstance(server, UNIXServerEndpoint)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "nonsense:1", "tcp", "tcp:", "a=", "tcp:x", "tcp:1:x=3", "ssl:1"],
)
def test_badEndpoint(text: str) -> None:
    """
    What is no endpoint is a mistake, told with how it is done.
    """
    with pytest.raises(BadOption) as raised:
        parseNamedEndpoint("--forward tcp:1", serverFromString, Clock(), text)
    detail = raised.value.detail
    assert detail.startswith(f"{text!r}: ")
    assert detail.endswith("; write for example --forward tcp:1")
    assert "__init__" not in detail
