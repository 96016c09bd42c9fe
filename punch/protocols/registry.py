"""
The registry of protocols: those that C{twist punch --protocol} finds as plugins.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.logger import Logger
from twisted.plugin import getPlugins

from punch.errors import BadOption
from punch.interfaces import IPunchProtocol

_log = Logger(namespace="punch")


def protocols() -> dict[str, IPunchProtocol]:
    """
    Find the plugins, by the name of their protocol.

    If two have one name, ours is used; of two others, the one whose class has the full
    name that sorts first.  The log says which one is not used.
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
    Find the plugins that have a proper name and a help; log the others.  Those that
    cannot be imported L{twisted.plugin} logs.
    """
    for plugin in getPlugins(IPunchProtocol):
        try:
            if ":" in plugin.name or not plugin.name or not str(plugin.help):
                raise ValueError("a protocol's name has no colon, and it has a help")
        except Exception:
            _log.failure("{plugin} is not a plugin for a protocol.", plugin=plugin)
        else:
            yield plugin


def _origin(plugin: IPunchProtocol) -> str:
    """
    Say where a plugin comes from: the full name of its class.
    """
    return f"{type(plugin).__module__}.{type(plugin).__qualname__}"


def _rank(plugin: IPunchProtocol) -> tuple[bool, str]:
    origin = _origin(plugin)
    return not origin.startswith("punch."), origin


def findProtocol(text: str) -> tuple[IPunchProtocol, str]:
    """
    Find the protocol that C{NAME[:ARGS]} asks for.

    @return: its plugin, and the arguments.
    @raise BadOption: there is no such protocol.
    """
    name, _, args = text.partition(":")
    known = protocols()
    if name not in known:
        raise BadOption(f"--protocol {name}: there are {', '.join(known)}")
    return known[name], args


def describeProtocols() -> str:
    """
    List the protocols for a person, one a line.
    """
    known = protocols()
    width = max(map(len, known), default=0)
    lines = [f"  {name:{width}}  {plugin.help}" for name, plugin in known.items()]
    return "\n".join(["--protocol NAME[:ARGS] knows these names:", *lines])
