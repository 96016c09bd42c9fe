"""
Two peers agree: on what will do, and on why nothing did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from punch.events import Attempted, Connected, Introduced, Judged
from punch.net.address import tcpAddress
from punch.peer.relaypolicy import RelayPolicy
from punch.rendezvous.client import RendezvousClient
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import Allocation, Mapping, NATBehavior
from tests.support.whole.meetings import judged
from tests.support.whole.nats import DEAF, KEEPS, NEXT, RANDOM, behind
from tests.support.whole.world import LEG, PORT, RENDEZVOUS, T, World

FALLBACK, ONLY, NEVER = RelayPolicy
BY_ADDRESS = NATBehavior(
    mapping=Mapping.ADDRESS_DEPENDENT, allocation=Allocation.RANDOM, strict=True
)
STUN = "192.0.2.5"


def met(
    listener: NATBehavior,
    dialer: NATBehavior,
    settings: tuple[dict[str, Any], dict[str, Any]],
    world: World | None = None,
) -> World:
    """
    A dial between two who have settings of their own, when it has ended.
    """
    world = world or World(1)
    world.rendezvous.look()
    world.cast(behind(world, listener), behind(world, dialer))
    ours, theirs = ({"timeout": 12.0, **each} for each in settings)
    world.listen(**ours)
    assert world.listener.code
    world.run(2.0)
    world.dial(**theirs)
    assert world.until(lambda: world.listener.ended and world.dialer.ended), world
    return world


@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
@pytest.mark.parametrize("other", [KEEPS, NEXT], ids=["keeps", "next"])
def test_relayedOnly(other: NATBehavior, isDialer: bool) -> None:
    """
    Where one side takes relayed paths only the other one learns that: neither tries
    anything else from then on, and no better path is sought.
    """
    settings: Any = tuple(
        {"relay": each, "resumeFor": 600.0} for each in (ONLY, FALLBACK)
    )
    if isDialer:
        settings = settings[::-1]
    world = met(KEEPS, other, settings)
    for program in world.programs:
        [connected] = program.told(Connected)
        assert (connected.path, connected.why) == ("relayed", "relay-only")
        assert not any(each.kind == "predicted" for each in program.told(Attempted))
    world.run(60.0)
    assert len(world.listener.told(Introduced)) == 1
    assert not any(each.told(Judged) for each in world.programs)
    world.end()


@pytest.mark.parametrize("policies", [(ONLY, NEVER), (NEVER, ONLY)])
def test_noCommonWay(policies: tuple[RelayPolicy, RelayPolicy]) -> None:
    """
    If nothing will do for both, both are told so at once.
    """
    settings: Any = tuple({"relay": each} for each in policies)
    world = met(KEEPS, KEEPS, settings)
    assert judged(world) == "no-common-way"
    assert world.dialer.endedAt is not None
    assert world.dialer.endedAt < 2.24 + 4 * T + 0.1
    world.end()


@pytest.mark.parametrize("timeouts", [(30.0, 10.0), (10.0, 30.0), (12.0, 12.0)])
@pytest.mark.parametrize(
    ("listener", "dialer", "search", "verdict"),
    [
        (KEEPS, RANDOM, 0, "no-search"),
        (DEAF, DEAF, 600, "no-simultaneous-open"),
        (RANDOM, RANDOM, 600, "both-random-mapping"),
    ],
)
def test_oneVerdict(
    listener: NATBehavior,
    dialer: NATBehavior,
    search: int,
    verdict: str,
    timeouts: tuple[float, float],
) -> None:
    """
    Both say the same, however long each of them has waited.
    """
    ours = {"relay": NEVER, "timeout": timeouts[0], "search": search}
    theirs = {"relay": NEVER, "timeout": timeouts[1]}
    world = met(listener, dialer, (ours, theirs))
    assert judged(world) == verdict
    world.end()


@pytest.mark.parametrize("pair", [(RANDOM, KEEPS), (NEXT, KEEPS), (NEXT, NEXT)])
def test_observerIsVantage(pair: tuple[NATBehavior, NATBehavior]) -> None:
    """
    Who names the rendezvous' own second port as a STUN server loses nothing by it.
    """
    settings: Any = ({"relay": NEVER, "stun": (f"{RENDEZVOUS}:{PORT + 1}",)},) * 2
    world = met(*pair, settings)
    assert all(each.links for each in world.programs), world
    world.end()


def test_observerElsewhere() -> None:
    """
    Whose NAT has another port for each address, which one rendezvous cannot see, is
    crossed if a STUN server elsewhere tells.
    """
    settings: Any = ({"relay": NEVER, "stun": (f"{STUN}:3478",)},) * 2
    world = World(1)
    server = world.network.host(STUN, latency=LEG)
    listening = server.listenTCP(3478, STUNFactory(server))
    met(BY_ADDRESS, KEEPS, settings, world)
    assert all(each.links for each in world.programs), world
    for each in world.programs:
        each.end()
    listening.stopListening()
    world.run(2.0)
    world.end()


def test_observerIsRendezvous() -> None:
    """
    Nor does who names the rendezvous itself; which answers no STUN there.
    """
    settings: Any = ({"relay": NEVER, "stun": (f"{RENDEZVOUS}:{PORT}",)},) * 2
    world = met(KEEPS, KEEPS, settings)
    assert all(each.links for each in world.programs), world
    world.end()


@pytest.mark.parametrize("host", ["127.0.0.1", "224.0.0.1"])
def test_sentHome(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An evil rendezvous that has the other side's port searched on our own host, or on
    none, has nothing searched.
    """
    dial = RendezvousClient.dial

    async def misled(client: RendezvousClient, name: str, message: bytes) -> Any:
        terms = await dial(client, name, message)
        return replace(terms, peer=tcpAddress(host, 22))

    monkeypatch.setattr(RendezvousClient, "dial", misled)
    world = World(1)
    passed = world.network.trace()
    met(RANDOM, KEEPS, ({"relay": NEVER}, {"relay": NEVER}), world)
    assert not [line for line in passed if f"> {host}." in line]
    assert not world.dialer.links
    world.end()
