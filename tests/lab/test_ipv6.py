"""
C{twist punch} over IPv6, through firewalls; and through a NAT64.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from .eventfile import EventFile
from .firewalls import address6
from .nats import DROP, RESET, SAME
from .run import Meeting, dial
from .topology import PUBLIC, RENDEZVOUS_ADDRESS6, Laboratory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(60)]

BY_SIX = RENDEZVOUS_ADDRESS6


NEVER = ("--relay", "never")


def met(lab: Laboratory, directory: Path) -> tuple[str, str]:
    """
    Have the two meet, within seconds and without the relay.

    @return: where the listener, and where the dialer, found the other, without ports.
    """
    outcome = dial(lab, directory, 10.0, NEVER)
    assert outcome.connected, (outcome.reason, outcome.explanation)
    assert outcome.elapsed is not None
    assert outcome.elapsed < 3.0
    return found(directory, "listener"), found(directory, "dialer-1")


def found(directory: Path, name: str) -> str:
    """
    Where one side found the other; nobody has tried link-local addresses.
    """
    events = EventFile(directory / f"{name}.events")
    tried = [each["remote"] for each in events.named("attempted")]
    assert not any(each.startswith("[fe80") for each in tried)
    [connected] = events.named("connected")
    assert connected["path"] == "direct"
    host: str = connected["remote"].rpartition(":")[0].strip("[]")
    return host


@pytest.mark.parametrize(
    ("listener", "dialer", "reached"),
    [
        ("v6-drop", "v6-drop", {}),
        ("v6-drop", "v6-reject", {"a": BY_SIX}),
        ("v6-only", "v6-prohibit", {"b": BY_SIX}),
    ],
)
def test_firewalls(
    listener: str, dialer: str, reached: Mapping[str, str], tmp_path: Path
) -> None:
    """
    Whatever firewalls answer, they are crossed as NATs are; where IPv4 has no way, and
    whether a side reached the rendezvous by IPv6 or not.
    """
    lab = Laboratory(listener, dialer)
    lab.rendezvousAddresses = {**lab.rendezvousAddresses, **reached}
    assert met(lab, tmp_path) == (address6("b"), address6("a"))


def test_onlyOneHasSix(tmp_path: Path) -> None:
    """
    Who has IPv6 too and who has IPv4 alone meet by IPv4.
    """
    lab = Laboratory("v6-home", DROP)
    assert met(lab, tmp_path) == (PUBLIC["b"], PUBLIC["a"])


def test_uniqueLocal(tmp_path: Path) -> None:
    """
    Two on one LAN meet by the addresses of IPv6 that are the LAN's own, if those of
    IPv4 do not lead from one to the other.
    """
    local = {"a": "fd00:6:4::2", "b": "fd00:6:4::3"}
    with Laboratory(SAME, SAME) as lab:
        for name, host, other in (("a", lab.a, lab.b), ("b", lab.b, lab.a)):
            for line in (
                f"ip addr add {local[name]}/64 dev eth0 nodad",
                f"ip route add unreachable {other.address}",
            ):
                assert host.run(line.split()).returncode == 0
        with Meeting(lab, tmp_path, 10.0, options=NEVER) as meeting:
            outcome = meeting.dial(more=NEVER)
    assert outcome.connected, (outcome.reason, outcome.explanation)
    assert found(tmp_path, "listener") == local["b"]
    assert found(tmp_path, "dialer-1") == local["a"]


def test_nat64(tmp_path: Path) -> None:
    """
    A NAT64 is crossed as NATs are, though who is behind it has no IPv4, and the other
    side nothing else; each is known to the other by an address of IPv4.
    """
    lab = Laboratory(RESET, "nat64", seed="7")
    assert met(lab, tmp_path) == (PUBLIC["b"], PUBLIC["a"])
