"""
The protocols that C{twist punch} can run on a link: plugins, and two of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.interfaces import IProtocol, IProtocolFactory, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.plugin import IPlugin, getPlugins
from twisted.protocols.basic import LineOnlyReceiver
from zope.interface import implementer

from punch.errors import BadOption
from punch.interfaces import IPunchProtocol, IStandardStreamsProtocol

_log = Logger(namespace="punch")


class Hello(LineOnlyReceiver):
    """
    The conversation of two strangers: say hello, and repeat the first thing you
    hear.
    """

    delimiter = b"\n"
    transport: ITransport

    def connectionMade(self) -> None:
        self._repeated = False
        self.sendLine(b"hello world!")

    def lineReceived(self, line: bytes) -> None:
        text = line.rstrip(b"\r").decode("utf-8", "backslashreplace")
        _log.info("Heard: {line}", line=text)
        if not self._repeated:
            self._repeated = True
            self.sendLine(line)


class Echo(Protocol):
    """
    Send back whatever comes, until it ends, as fast as it is taken.
    """

    transport: Any

    def connectionMade(self) -> None:
        # What can't be written now is not read.
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


@implementer(IPlugin, IPunchProtocol)
class SimpleProtocol:
    """
    A plugin for a protocol that takes no arguments.
    """

    def __init__(self, name: str, help: str, build: Callable[[], IProtocol]) -> None:
        """
        @param build: makes the protocol for one link.
        """
        self.name = name
        self.help = help
        self._build = build

    def factory(self, reactor: object, args: str) -> IProtocolFactory:
        """
        A factory of the protocol (L{IPunchProtocol}).
        """
        refuseArguments(self.name, args)
        build: Any = self._build
        factory: Any = Factory.forProtocol(build)
        factory.noisy = False
        made: IProtocolFactory = factory
        return made


@implementer(IPlugin, IStandardStreamsProtocol)
class StdioProtocol:
    """
    The plugin of L{punch.protocols.stdio}.
    """

    name = "stdio"
    help = "Standard input to the link, the link to standard output."

    def factory(self, reactor: Any, args: str) -> IProtocolFactory:
        """
        Take the standard streams (L{IStandardStreamsProtocol}).
        """
        refuseArguments(self.name, args)
        # Not every platform has what that needs, and every twist imports us.
        from punch.protocols.stdio import StdioFactory, takeStreams

        made: IProtocolFactory = StdioFactory(reactor, *takeStreams())
        return made


def refuseArguments(name: str, args: str) -> None:
    """
    For a protocol without arguments.

    @raise BadOption: there are some.
    """
    if args:
        raise BadOption(f"--protocol {name} takes no arguments, not {args!r}")


def protocols() -> dict[str, IPunchProtocol]:
    """
    The protocols that plugins offer, by name.

    If two go by one name, ours is the one; among those of others, the one whose
    class has the full name that comes first.  The log tells of it.
    """
    found: dict[str, IPunchProtocol] = {}
    for plugin in sorted(_offered(), key=_rank):
        first = found.setdefault(plugin.name, plugin)
        if first is not plugin:
            _log.warn(
                "Two protocols are called {name}: {used} is used, {other} is not.",
                name=plugin.name,
                used=_origin(first),
                other=_origin(plugin),
            )
    return dict(sorted(found.items()))


def _offered() -> Iterator[IPunchProtocol]:
    """
    The plugins that can be named and listed.  Those which can't even be imported
    are logged by L{twisted.plugin}.
    """
    for plugin in getPlugins(IPunchProtocol):
        try:
            if ":" in plugin.name or not plugin.name or not str(plugin.help):
                raise ValueError("a protocol's name has no colon, and it has a help")
        except Exception:
            _log.failure("{plugin} is not a protocol's plugin.", plugin=plugin)
        else:
            yield plugin


def _origin(plugin: IPunchProtocol) -> str:
    """
    Where a plugin is from: the full name of its class.
    """
    return f"{type(plugin).__module__}.{type(plugin).__qualname__}"


def _rank(plugin: IPunchProtocol) -> tuple[bool, str]:
    origin = _origin(plugin)
    return not origin.startswith("punch."), origin


def findProtocol(text: str) -> tuple[IPunchProtocol, str]:
    """
    What C{NAME[:ARGS]} means.

    @return: the plugin, and its arguments.
    @raise BadOption: there is no such protocol.
    """
    name, _, args = text.partition(":")
    known = protocols()
    if name not in known:
        raise BadOption(f"--protocol {name}: there are {', '.join(known)}")
    return known[name], args


def describeProtocols() -> str:
    """
    A line on each protocol, for a person.
    """
    known = protocols()
    width = max(map(len, known), default=0)
    lines = [f"  {name:{width}}  {plugin.help}" for name, plugin in known.items()]
    return "\n".join(["--protocol NAME[:ARGS] knows these names:", *lines])
