"""
Two peers agree: on what will do, and on why nothing did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from punch.events import Attempted, Connected, Introduced, Judged
from punch.nat.portsearch import DEFAULT_SOCKETS
from punch.net.address import tcpAddress
from punch.peer.relaypolicy import RelayPolicy
from punch.rendezvous.client import RendezvousClient
from punch.testing import Allocation, Mapping, NATBehavior
from tests.support.whole.meetings import judged
from tests.support.whole.nats import DEAF, KEEPS, NEXT, RANDOM, apart
from tests.support.whole.world import PORT, RENDEZVOUS, T

FALLBACK, ONLY, NEVER = RelayPolicy
BY_ADDRESS = NATBehavior(
    mapping=Mapping.ADDRESS_DEPENDENT, allocation=Allocation.RANDOM, strict=True
)
STUN = "192.0.2.5:3478"


@pytest.mark.parametrize("isDialer", [False, True], ids=["listener", "dialer"])
@pytest.mark.parametrize("other", [KEEPS, NEXT], ids=["keeps", "next"])
def test_relayedOnly(other: NATBehavior, isDialer: bool) -> None:
    """
    If one side takes only relayed paths, the other side learns it: neither tries
    anything else from then on, and no better path is sought.
    """
    listeners, dialers = (FALLBACK, ONLY) if isDialer else (ONLY, FALLBACK)
    world = apart(KEEPS, other)
    world.meet({"relay": dialers}, relay=listeners, timeout=12.0, resumeFor=600.0)
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
    If no kind of path is allowed on both sides, both are told so at once.
    """
    world = apart(KEEPS, KEEPS)
    world.meet({"relay": policies[1]}, relay=policies[0], timeout=12.0)
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
    Both give the same reason, however long each of them has waited.
    """
    world = apart(listener, dialer)
    world.meet(
        {"timeout": timeouts[1], "search": DEFAULT_SOCKETS},
        timeout=timeouts[0],
        search=search,
    )
    assert judged(world) == verdict
    world.end()


@pytest.mark.parametrize(
    ("listener", "dialer", "port"),
    [
        (RANDOM, KEEPS, PORT + 1),
        (NEXT, KEEPS, PORT + 1),
        (NEXT, NEXT, PORT + 1),
        (KEEPS, KEEPS, PORT),
    ],
    ids=["second port, random", "second port, next", "second port, both", "no STUN"],
)
def test_observerIsRendezvous(
    listener: NATBehavior, dialer: NATBehavior, port: int
) -> None:
    """
    It does no harm to name the rendezvous as a STUN server, be it its second port or
    the first, which answers no STUN.
    """
    world = apart(listener, dialer).meet(stun=(f"{RENDEZVOUS}:{port}",), timeout=12.0)
    assert all(each.links for each in world.programs), world
    world.end()


def test_observerElsewhere() -> None:
    """
    A NAT that gives another port for each address is crossed if a STUN server at
    another address tells; the rendezvous alone cannot see what it does.
    """
    world = apart(BY_ADDRESS, KEEPS)
    world.stun(STUN)
    world.meet(stun=(STUN,), timeout=12.0)
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
    world = apart(RANDOM, KEEPS)
    passed = world.network.trace()
    world.meet(timeout=12.0)
    assert not [line for line in passed if f"> {host}." in line]
    assert not world.dialer.links
    world.end()
