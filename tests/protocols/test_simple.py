"""
Tests for L{punch.protocols.simple}.
"""

from __future__ import annotations

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor
from zope.interface.verify import verifyObject

from punch.errors import BadOption
from punch.interfaces import IPunchProtocol, IStandardStreamsProtocol
from punch.protocols.hello import EchoProtocol, HelloProtocol
from punch.protocols.registry import findProtocol, protocols


def test_ours() -> None:
    """
    Ours are plugins like all others, with a line of help each.
    """
    known = protocols()
    for name in ("echo", "hello", "stdio"):
        plugin = known[name]
        verifyObject(IPunchProtocol, plugin)
        assert plugin.name == name
        assert len(plugin.help.splitlines()) == 1
        assert IStandardStreamsProtocol.providedBy(plugin) is (name == "stdio")


@pytest.mark.parametrize(
    ("name", "protocol"), [("hello", HelloProtocol), ("echo", EchoProtocol)]
)
def test_simple(name: str, protocol: type[Protocol]) -> None:
    """
    A simple one builds its protocol, and takes no arguments.
    """
    plugin, args = findProtocol(name)
    assert args == ""
    reactor = MemoryReactor()
    built = plugin.factory(reactor, "").buildProtocol(None)
    assert type(built) is protocol
    with pytest.raises(BadOption, match=f"{name} takes no arguments, not 'x'"):
        plugin.factory(reactor, "x")
