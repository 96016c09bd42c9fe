"""
The house has floors: who may import whom.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

import punch

ROOT = Path(punch.__file__).parent

LAYERS: tuple[frozenset[str], ...] = (
    # 0: the vocabulary.
    frozenset(
        {
            "errors",
            "events",
            "forwarderrors",
            "interfaces",
            "pairerrors",
            "pieces",
            "reasons",
            "resumeerrors",
            "relayerrors",
            "role",
            "stdioerrors",
            "steps",
            "streamerrors",
            "stunerrors",
        }
    ),
    # 1: the rules.
    frozenset(
        {
            "address",
            "assessment",
            "attachment",
            "candidate",
            "checklist",
            "chronicle",
            "code",
            "continuity",
            "crowd",
            "details",
            "greeting",
            "guesses",
            "hostport",
            "lanes",
            "life",
            "markup",
            "meetings",
            "note",
            "opening",
            "pake",
            "policy",
            "prospect",
            "pulse",
            "records",
            "relaying",
            "report",
            "reunion",
            "row",
            "ruler",
            "swimlanes",
            "trace",
            "tracejson",
            "tracepage",
            "tracetext",
            "track",
            "strategy",
            "synthesis",
            "translation",
            "verdict",
            "stun",
            "written",
            "yamux",
            "yamux.control",
            "yamux.events",
            "yamux.frames",
            "yamux.ids",
            "yamux.limits",
            "yamux.outgoing",
            "yamux.portion",
            "yamux.refusals",
            "yamux.roundtrip",
            "yamux.session",
            "yamux.stream",
            "yamux.streams",
            "yamux.window",
        }
    ),
    # 2: reach, one kind of I/O each.
    frozenset(
        {
            "alarm",
            "arrival",
            "attempt",
            "connection",
            "hosts",
            "identity",
            "nat64",
            "netlink",
            "networkchange",
            "openfiles",
            "options",
            "nap",
            "pulling",
            "preference",
            "punchaddress",
            "resolve",
            "seat",
            "secretfile",
            "sharedport",
            "stunclient",
            "tls",
            "vantage",
            "rendezvous",
            "rendezvous.boxes",
            "rendezvous.budget",
            "rendezvous.client",
            "rendezvous.clientele",
            "rendezvous.commands",
            "rendezvous.connection",
            "rendezvous.directory",
            "rendezvous.ends",
            "rendezvous.factory",
            "rendezvous.half",
            "rendezvous.introductions",
            "rendezvous.knocking",
            "rendezvous.limits",
            "rendezvous.liveness",
            "rendezvous.pacing",
            "rendezvous.quota",
            "rendezvous.rate",
            "rendezvous.relay",
            "rendezvous.roundtrip",
            "rendezvous.server",
            "rendezvous.splice",
            "rendezvous.stunserver",
            "rendezvous.tally",
            "rendezvous.tickets",
            "rendezvous.wire",
        }
    ),
    # 3: the peer.
    frozenset(
        {
            "dialer",
            "examination",
            "direct",
            "drawn",
            "gate",
            "headstart",
            "introduction",
            "link",
            "listener",
            "meeting",
            "observers",
            "outlook",
            "gathering",
            "lobby",
            "looks",
            "notebook",
            "course",
            "outage",
            "inbox",
            "path",
            "approach",
            "search",
            "secondport",
            "settings",
            "silence",
            "survey",
            "peer",
            "ride",
            "seeker",
            "place",
            "reception",
            "rehearsal",
            "redial",
            "plain",
            "race",
            "relayed",
            "win",
            "streams",
            "streams.call",
            "streams.multiplexer",
            "streams.request",
            "streams.stream",
        }
    ),
    # 4: the edge.
    frozenset(
        {
            "",
            "api",
            "check_tap",
            "commandline",
            "descriptions",
            "endpoints",
            "endpointparser",
            "endpointstrings",
            "eventlog",
            "expose",
            "forward",
            "forwarding",
            "named",
            "protocols",
            "rendezvous_tap",
            "repeatable",
            "service",
            "serviceport",
            "sharedlink",
            "sharedlistener",
            "sharing",
            "splice",
            "stdio",
            "streaming",
            "supervisor",
            "tap",
            "testing",
            "testing.behavior",
            "testing.host",
            "testing.listener",
            "testing.mappings",
            "testing.nat",
            "testing.nat64",
            "testing.network",
            "testing.ports",
            "testing.reactor",
            "testing.realm",
            "testing.segment",
            "testing.sockets",
            "testing.stack",
            "testing.stream",
            "testing.tcb",
            "testing.timeline",
            "testing.translation",
            "testing.waiting",
            "testing.wire",
            "tracefile",
            "usedlink",
        }
    ),
)
"""
Every module of the package, without its first name; a new one has to be placed.
"""

RULES = 1
EDGE = 4

IMPURE = frozenset({"time", "socket", "asyncio", "select", "selectors", "threading"})
"""
What the rules never ask: the time and the network are arguments.
"""


def layerOf(name: str) -> int:
    """
    The layer of a module.
    """
    [layer] = [n for n, modules in enumerate(LAYERS) if name in modules]
    return layer


def folderOf(name: str) -> str:
    """
    The folder in which a module lies.
    """
    if (ROOT / name).is_dir():
        return name
    return name.rpartition(".")[0]


@dataclass(frozen=True)
class Module:
    """
    One module of the package, as it is written.
    """

    name: str
    path: Path

    def imports(self) -> set[str]:
        """
        The full names of all that it imports, wherever in it, its own package's
        relative ones included.
        """
        package = ["punch", *folderOf(self.name).split(".")]
        found: set[str] = set()
        for node in ast.walk(ast.parse(self.path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    start = [each for each in package if each]
                    start = start[: len(start) - node.level + 1]
                    base = ".".join([*start, base]).rstrip(".")
                found |= {f"{base}.{alias.name}" for alias in node.names}
        return found

    def colleagues(self) -> set[str]:
        """
        The modules of this package that it imports.
        """
        found = set()
        for name in self.imports():
            first, _, rest = name.partition(".")
            if first != "punch":
                continue
            while rest not in MODULES:
                rest = rest.rpartition(".")[0]
            found.add(rest)
        return found


def _modules() -> dict[str, Module]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        name = ".".join(parts)
        found[name] = Module(name, path)
    return found


MODULES = _modules()

everyModule = pytest.mark.parametrize(
    "module", [pytest.param(each, id=each.name or "punch") for each in MODULES.values()]
)
everyRule = pytest.mark.parametrize(
    "module",
    [
        pytest.param(MODULES[name], id=name)
        for layer in LAYERS[: RULES + 1]
        for name in sorted(layer)
    ],
)


def test_placed() -> None:
    """
    Every module has exactly one place, and every place its module.
    """
    placed = sorted(name for layer in LAYERS for name in layer)
    assert placed == sorted(MODULES)


@everyModule
def test_neverUpward(module: Module) -> None:
    """
    A module imports from its own layer or a lower one.
    """
    own = layerOf(module.name)
    upward = {each for each in module.colleagues() if layerOf(each) > own}
    assert not upward


@everyModule
def test_neverAcross(module: Module) -> None:
    """
    In its own layer a module imports only from its own folder.
    """
    if not module.name:
        return  # The package itself: what it offers.
    own, folder = layerOf(module.name), folderOf(module.name)
    across = {
        each
        for each in module.colleagues()
        if layerOf(each) == own and folderOf(each) != folder
    }
    assert not across


@everyModule
def test_short(module: Module) -> None:
    """
    No module is longer than 400 lines.
    """
    assert len(module.path.read_text("utf-8").splitlines()) <= 400


@everyModule
def test_noGlobalReactor(module: Module) -> None:
    """
    Who is given a reactor does not reach for the global one; only the edge has
    it to give.
    """
    if layerOf(module.name) != EDGE:
        assert "twisted.internet.reactor" not in module.imports()


@everyRule
def test_rulesDoNoIO(module: Module) -> None:
    """
    Vocabulary and rules know no clock, no socket and no event loop.
    """
    assert not {name.partition(".")[0] for name in module.imports()} & IMPURE
    twisted = {n for n in module.imports() if n.startswith("twisted.internet")}
    allowed = "twisted.internet.address." if layerOf(module.name) == RULES else "-"
    assert not {name for name in twisted if not name.startswith(allowed)}


@everyRule
def test_rulesHaveNoChanceOfTheirOwn(module: Module) -> None:
    """
    Chance is an argument of the rules too (what has to stay secret aside, which
    only C{secrets} may make).
    """
    chance = {n for n in module.imports() if n.partition(".")[0] == "random"}
    assert chance <= {"random.Random"}
