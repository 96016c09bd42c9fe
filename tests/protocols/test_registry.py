"""
Tests for L{punch.protocols.registry}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.logger import LogLevel
from zope.interface import implementer

from punch.errors import BadOption
from punch.interfaces import IPunchProtocol
from punch.protocols import registry
from punch.protocols.hello import HelloProtocol
from punch.protocols.simple import SimpleProtocol
from tests.support.doubles import Log, PunchTestCase


@implementer(IPunchProtocol)
class Other:
    """
    A plugin that is not ours.
    """

    def __init__(self, name: str, help: str = "Whatever.") -> None:
        self.name = name
        self.help = help

    def factory(self, reactor: object, args: str) -> object:
        """
        Not asked for.
        """
        raise NotImplementedError()


class Another(Other):
    """
    One of another class, which comes before it by its name.
    """


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """
    Sets what L{twisted.plugin} finds.
    """

    def offer(*plugins: object) -> None:
        monkeypatch.setattr(
            "punch.protocols.registry.getPlugins", lambda kind: iter(plugins)
        )

    return offer


OURS = SimpleProtocol("hello", "Say it.", HelloProtocol)


@pytest.mark.parametrize(
    ("text", "args"), [("x", ""), ("x:", ""), ("x:a", "a"), ("x:a:b=:c", "a:b=:c")]
)
def test_arguments(offer: Callable[..., None], text: str, args: str) -> None:
    """
    The arguments are what stands after the first colon.
    """
    plugin = Other("x")
    offer(OURS, plugin)
    assert registry.findProtocol(text) == (plugin, args)


def test_unknown(offer: Callable[..., None]) -> None:
    """
    For a name that there is not, those that there are are told.
    """
    offer(Other("zebra"), OURS)
    with pytest.raises(BadOption, match="--protocol horse: there are hello, zebra"):
        registry.findProtocol("horse:of:course")


@pytest.mark.parametrize("turn", [1, -1])
def test_oneName(offer: Callable[..., None], logged: Log, turn: int) -> None:
    """
    Of two with one name ours is used, or the first by the name of its class, in
    whatever order they are found; and the log says so.
    """
    hello, other, another = Other("hello"), Other("x"), Another("x")
    offer(*[hello, OURS, other, another][::turn])
    assert registry.protocols() == {"hello": OURS, "x": another}
    assert set(logged.levels) == {LogLevel.warn}
    assert sorted(logged.sentences) == [
        "Two protocols are called hello: punch.protocols.simple.SimpleProtocol is used,"
        " tests.protocols.test_registry.Other is not.",
        "Two protocols are called x: tests.protocols.test_registry.Another is used,"
        " tests.protocols.test_registry.Other is not.",
    ]


class NamelessTests(PunchTestCase):
    """
    Plugins that are none.
    """

    def test_broken(self) -> None:
        """
        One without what it needs is logged, and the others remain.
        """
        nameless: Any = Other("x")
        del nameless.name
        wrong: Any = Other("x")
        wrong.name = 7
        plugins = [nameless, wrong, Other(""), Other("a:b"), Other("x", ""), OURS]
        found: Any = lambda kind: iter(plugins)  # noqa: E731
        self.patch(registry, "getPlugins", found)  # type: ignore[no-untyped-call]
        assert registry.protocols() == {"hello": OURS}
        assert len(self.logged(AttributeError, TypeError, ValueError)) == 5


def test_described(offer: Callable[..., None]) -> None:
    """
    The list for a person has a line for each.
    """
    offer(Other("zebra", "Neigh: zebra:HOW-OFTEN."), OURS)
    assert registry.describeProtocols().splitlines()[1:] == [
        "  hello  Say it.",
        "  zebra  Neigh: zebra:HOW-OFTEN.",
    ]
