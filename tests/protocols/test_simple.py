"""
Tests for L{punch.protocols.simple}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.logger import LogLevel
from zope.interface import implementer
from zope.interface.verify import verifyObject

import punch.protocols.simple
from punch.errors import BadOption
from punch.interfaces import IPunchProtocol, IStandardStreamsProtocol
from punch.protocols.simple import (
    Echo,
    Hello,
    SimpleProtocol,
    describeProtocols,
    findProtocol,
    protocols,
)
from tests.support.doubles import Log, PunchTestCase, watching


@pytest.fixture
def logged() -> Iterator[Log]:
    """
    What was logged.
    """
    with watching() as log:
        yield log


def hello() -> tuple[Hello, StringTransport]:
    """
    One side of the conversation.
    """
    protocol, transport = Hello(), StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_greets() -> None:
    """
    It says hello first.
    """
    assert hello()[1].value() == b"hello world!\n"


def test_repeatsTheFirst(logged: Log) -> None:
    """
    It repeats the first line that it hears, and logs every one.
    """
    protocol, transport = hello()
    transport.clear()
    protocol.dataReceived(b"good ")
    assert transport.value() == b""
    protocol.dataReceived(b"day\nand")
    assert transport.value() == b"good day\n"
    protocol.dataReceived(b" again\n")
    assert transport.value() == b"good day\n"
    assert logged.sentences == ["Heard: good day", "Heard: and again"]


def test_twoOfThem() -> None:
    """
    Two of them hear three lines in all and fall silent.
    """
    (one, to), (other, fro) = hello(), hello()
    for _ in range(5):
        said, answered = to.value(), fro.value()
        to.clear()
        fro.clear()
        other.dataReceived(said)
        one.dataReceived(answered)
        if not (to.value() or fro.value()):
            break
    assert (to.value(), fro.value()) == (b"", b"")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"dos\r", "dos"),
        (b"", ""),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n".encode(), "gr\xfcn"),
        (b"{braces}", "{braces}"),
    ],
)
def test_anyLine(logged: Log, line: bytes, said: str) -> None:
    """
    Any line is repeated as it came, and logged as far as it can be read.
    """
    protocol, transport = hello()
    transport.clear()
    protocol.dataReceived(line + b"\n")
    assert transport.value() == line + b"\n"
    assert logged.sentences == [f"Heard: {said}"]


def test_endless() -> None:
    """
    A line without an end is not listened to for ever.
    """
    protocol, transport = hello()
    protocol.dataReceived(b"x" * 100_000)
    assert transport.disconnecting


def test_echo() -> None:
    """
    Echo sends back what comes.
    """
    protocol, transport = Echo(), StringTransport()
    protocol.makeConnection(transport)
    for data in (b"any", b"\0\xff", b"thing"):
        protocol.dataReceived(data)
    assert transport.value() == b"any\0\xffthing"


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
            "punch.protocols.simple.getPlugins", lambda kind: iter(plugins)
        )

    return offer


OURS = SimpleProtocol("hello", "Say it.", Hello)


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


@pytest.mark.parametrize(("name", "protocol"), [("hello", Hello), ("echo", Echo)])
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


@pytest.mark.parametrize(
    ("text", "args"), [("x", ""), ("x:", ""), ("x:a", "a"), ("x:a:b=:c", "a:b=:c")]
)
def test_arguments(offer: Callable[..., None], text: str, args: str) -> None:
    """
    The arguments are what stands after the first colon.
    """
    plugin = Other("x")
    offer(OURS, plugin)
    assert findProtocol(text) == (plugin, args)


def test_unknown(offer: Callable[..., None]) -> None:
    """
    For a name that there is not, those that there are are told.
    """
    offer(Other("zebra"), OURS)
    with pytest.raises(BadOption, match="--protocol horse: there are hello, zebra"):
        findProtocol("horse:of:course")


@pytest.mark.parametrize("turn", [1, -1])
def test_oneName(offer: Callable[..., None], logged: Log, turn: int) -> None:
    """
    Of two with one name ours is used, or the first by the name of its class, in
    whatever order they are found; and the log says so.
    """
    hello, other, another = Other("hello"), Other("x"), Another("x")
    offer(*[hello, OURS, other, another][::turn])
    assert protocols() == {"hello": OURS, "x": another}
    assert set(logged.levels) == {LogLevel.warn}
    assert sorted(logged.sentences) == [
        "Two protocols are called hello: punch.protocols.simple.SimpleProtocol is used,"
        " tests.protocols.test_simple.Other is not.",
        "Two protocols are called x: tests.protocols.test_simple.Another is used,"
        " tests.protocols.test_simple.Other is not.",
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
        self.patch(punch.protocols.simple, "getPlugins", found)  # type: ignore[no-untyped-call]
        assert protocols() == {"hello": OURS}
        assert len(self.logged(AttributeError, TypeError, ValueError)) == 5


def test_described(offer: Callable[..., None]) -> None:
    """
    The list for a person has a line for each.
    """
    offer(Other("zebra", "Neigh: zebra:HOW-OFTEN."), OURS)
    assert describeProtocols().splitlines()[1:] == [
        "  hello  Say it.",
        "  zebra  Neigh: zebra:HOW-OFTEN.",
    ]
