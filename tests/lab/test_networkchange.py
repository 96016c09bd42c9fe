"""
Network changes, as a real kernel tells of them: L{punch.net.networkwatch} in a network
namespace whose addresses, links and routes really change.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from time import monotonic, sleep
from typing import Any

import pytest

from .host import Host, Program
from .namespaces import Namespace, Namespaces, sh

pytestmark = pytest.mark.lab

SOON = 0.5
"""
Seconds within which a change is told.
"""

_WATCHER = """
import json, os, sys, time
from twisted.internet import reactor
from punch.net.networkwatch import networkWatch

def say(**what):
    print(json.dumps({"time": time.monotonic(), **what}), flush=True)

def inventory():
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "readers": len(reactor.getReaders()),
        "calls": len(reactor.getDelayedCalls()),
    }

def begin():
    before = inventory()
    stops = [networkWatch(reactor).watch(lambda: say(said="changed"))]
    stops += [networkWatch(reactor).watch(lambda: None) for _ in range(999)]
    watching = inventory()
    reactor.callLater(float(sys.argv[1]), end, before, watching, stops)
    say(said="watching", pid=os.getpid())

def end(before, watching, stops):
    cpu = time.process_time()
    for stop in stops:
        stop()
    say(said="stopped", before=before, watching=watching, after=inventory(), cpu=cpu)
    reactor.stop()

reactor.callWhenRunning(begin)
reactor.run()
"""


class Watcher:
    """
    A program that watches a host's network and says when it changes.
    """

    def __init__(self, host: Host, seconds: float = 60.0) -> None:
        """
        @param seconds: how long it watches.
        """
        program = [sys.executable, "-c", _WATCHER, str(seconds)]
        self.program: Program = host.start(program)
        assert self.wait("watching", 10.0), self.program.tail()
        self.pid = int(self.said("watching")[0]["pid"])

    def said(self, what: str) -> list[Any]:
        """
        What it has said of one kind.
        """
        lines = [json.loads(line) for line in list(self.program.lines)]
        return [line for line in lines if line["said"] == what]

    def wait(self, what: str, patience: float, after: int = 0) -> float | None:
        """
        When it said something, for the first time after C{after} times.
        """
        deadline = monotonic() + patience
        while monotonic() < deadline:
            found = self.said(what)[after:]
            if found:
                return float(found[0]["time"])
            sleep(0.01)
        return None

    def delay(self, namespace: Namespace, *lines: str) -> float | None:
        """
        Run lines of C{ip}.

        @return: the seconds from then to the first change told; L{None} if none was
            within two.
        """
        before = len(self.said("changed"))
        started = monotonic()
        namespace.ip(lines)
        told = self.wait("changed", 2.0, before)
        return None if told is None else told - started


class Network:
    """
    A host, cabled to a router by C{eth0}, and to another by C{eth1}, which is down.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self.inside, self.outside = namespaces["host"], namespaces["router"]
        for number in range(2):
            ends = (self.inside.name, self.outside.name)
            sh(
                f"ip link add eth{number} netns {ends[0]} type veth "
                f"peer name port{number} netns {ends[1]}".split()
            )
        self.inside.ip(
            [
                "link set lo up",
                "address add 192.168.1.2/24 dev eth0",
                "address add 192.168.2.2/24 dev eth1",
                "link set eth0 up",
            ]
        )
        self.outside.ip(["link set port0 up", "link set port1 up"])
        self.inside.ip(["route add default via 192.168.1.1"])
        self.host = Host("192.168.1.2", "192.168.1.2", self.inside)
        # IPv6's addresses of the links come a moment later; they are not of interest.
        sleep(0.1)


@pytest.fixture(name="network")
def _network() -> Iterator[Network]:
    with closing(Namespaces(["host", "router"])) as namespaces:
        yield Network(namespaces)


def dropped(host: Host, pid: int) -> int:
    """
    How much of its news the kernel had to drop for a process.
    """
    table = host.run(["cat", "/proc/net/netlink"]).stdout.splitlines()
    [row] = [row.split() for row in table if row.split()[2] == str(pid)]
    return int(row[8])


CABLE = ("pulled", "plugged in")


def soon(delay: float | None) -> bool:
    """
    Whether a change was told in time.
    """
    return delay is not None and delay < SOON


def test_told(network: Network) -> None:
    """
    An address that comes or goes, of either family, a link that goes down or comes up,
    a cable that is pulled or plugged in, another way out: each is told within half a
    second.  (The kernel itself may keep news of a cable back for a second, as
    linkwatch does, C{net/core/link_watch.c}.)
    """
    watcher = Watcher(network.host)
    inside, outside = network.inside, network.outside
    changes = {
        "address": (inside, "address add 192.168.1.3/24 dev eth0"),
        "no address": (inside, "address del 192.168.1.3/24 dev eth0"),
        "IPv6": (inside, "address add 2001:db8::2/64 dev eth0 nodad"),
        "no IPv6": (inside, "address del 2001:db8::2/64 dev eth0"),
        "pulled": (outside, "link set port0 down"),
        "plugged in": (outside, "link set port0 up"),
        "second link": (inside, "link set eth1 up"),
        "other way": (inside, "route replace default via 192.168.2.1"),
        "no way": (inside, "route del default"),
        "a way": (inside, "route add default via 192.168.2.1"),
        "down": (inside, "link set eth1 down"),
        "up": (inside, "link set eth1 up"),
        "gone": (inside, "link del eth1"),
    }
    delays = {}
    for name, (where, line) in changes.items():
        delays[name] = watcher.delay(where, line)
        sleep(0.3)
    late = {
        name: delay
        for name, delay in delays.items()
        if not soon(delay and delay - (1.0 if name in CABLE else 0.0))
    }
    assert not late, delays
    # One change may be told as two (an address, then the way out), but no more.
    assert len(watcher.said("changed")) <= 2 * len(changes)


def test_burst(network: Network) -> None:
    """
    Many changes at once are told as one.
    """
    watcher = Watcher(network.host)
    lines = [f"address add 192.168.3.{n}/24 dev eth0" for n in range(1, 101)]
    assert soon(watcher.delay(network.inside, *lines))
    sleep(1.0)
    assert len(watcher.said("changed")) == 1


def test_notOurs(network: Network) -> None:
    """
    Links that come and go without an address for others, as with containers, routes to
    elsewhere, and an address that is there for a moment are not told.
    """
    watcher = Watcher(network.host)
    lines = [
        "link add veth9 type veth peer name veth10",
        "link set veth9 up",
        "link set veth10 up",
    ]
    assert watcher.delay(network.inside, *lines) is None
    lines = [
        "link del veth9",
        "route add 10.0.0.0/8 via 192.168.1.1",
        "route del 10.0.0.0/8",
        "address add 192.168.1.9/24 dev eth0",
        "address del 192.168.1.9/24 dev eth0",
    ]
    assert watcher.delay(network.inside, *lines) is None


def test_overrun(network: Network) -> None:
    """
    More news than the kernel keeps for us, while we do not read, are one reason to
    look; what comes later is heard.
    """
    watcher = Watcher(network.host)
    routes = [f"10.{n // 250}.{n % 250}.0/24" for n in range(5000)]
    os.kill(watcher.pid, signal.SIGSTOP)
    network.inside.ip(
        [
            *(f"route add {each} via 192.168.1.1" for each in routes),
            "address add 192.168.1.3/24 dev eth0",
        ]
    )
    assert dropped(network.host, watcher.pid) > 0
    os.kill(watcher.pid, signal.SIGCONT)
    assert watcher.wait("changed", 1.0)
    assert soon(watcher.delay(network.inside, "address del 192.168.1.3/24 dev eth0"))


def test_nothingStays(network: Network) -> None:
    """
    A thousand watchers share one descriptor; when they have stopped there is neither
    it nor a delayed call.
    """
    watcher = Watcher(network.host, 0.5)
    network.inside.ip(["address add 192.168.1.3/24 dev eth0"])
    assert watcher.wait("stopped", 5.0)
    [stopped] = watcher.said("stopped")
    before, watching = stopped["before"], stopped["watching"]
    assert stopped["after"] == before
    assert watching["descriptors"] == before["descriptors"] + 1
    assert watching["readers"] == before["readers"] + 1
    assert watcher.program.wait(5.0) == 0
