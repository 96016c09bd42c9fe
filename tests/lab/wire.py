"""
The wire: a process of its own that carries packets between TUN devices, with the
delays and losses that L{tests.lab.core} decides; a leg may have a NAT in user space
(L{tests.lab.usernat}) at its end.

It ends when its standard input does, so it cannot outlive who started it.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from select import select
from time import monotonic
from typing import TYPE_CHECKING, Any

from .core import Core, Delivery, Leg

if TYPE_CHECKING:
    from .usernat import Passage, UserNAT

_ROOT = Path(__file__).resolve().parents[2]
_LARGEST = 65536
_AT_ONCE = 64


class Wire:
    """
    A running wire, as its owner sees it.
    """

    def __init__(
        self,
        legs: Iterable[Leg],
        descriptors: Mapping[str, int],
        hops: int,
        nats: Mapping[str, tuple[str, str]],
    ) -> None:
        """
        @param descriptors: the TUN device of each leg; they are ours now.
        @param nats: by leg, the side (L{tests.lab.sides}) whose user-space NAT is at
            its end, and a seed for what that one draws.
        """
        setup = {
            "legs": [asdict(leg) for leg in legs],
            "descriptors": dict(descriptors),
            "hops": hops,
            "nats": dict(nats),
        }
        lean = [] if nats else ["-S"]  # the rules of NATs need what is installed
        self._process = subprocess.Popen(
            [sys.executable, *lean, "-E", "-m", __name__, json.dumps(setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=tuple(descriptors.values()),
            cwd=_ROOT,
            start_new_session=True,
        )
        for descriptor in descriptors.values():
            os.close(descriptor)
        self._confirmed()

    def set(self, leg: str, **changes: float | str) -> None:
        """
        Change a leg's C{latency} (seconds), C{loss} (a fraction) or C{address} from
        now on; packets on their way are not touched.
        """
        self._tell({"leg": leg, "changes": changes})

    def block(self, *legs: str) -> None:
        """
        Let nothing pass between two legs any more; each still reaches the others.
        """
        self._tell({"blocked": [legs]})

    def unblock(self) -> None:
        """
        Let everything pass again.
        """
        self._tell({"blocked": []})

    def setHops(self, hops: int) -> None:
        """
        Change the number of routers between the legs.
        """
        self._tell({"hops": hops})

    def forget(self, kept: str) -> None:
        """
        Let the NATs forget everything, but for the sessions with one address.
        """
        self._tell({"kept": kept})

    def close(self) -> None:
        """
        Cut the wire.
        """
        self._process.communicate()

    def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode("ascii") + b"\n")
        self._process.stdin.flush()
        self._confirmed()

    def _confirmed(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the wire broke; see its traceback above")


class Forwarder:
    """
    The loop of the wire's process.
    """

    def __init__(
        self,
        core: Core,
        descriptors: Mapping[str, int],
        nats: Mapping[str, UserNAT],
    ) -> None:
        self._core = core
        self._nats = nats
        self._descriptors = descriptors
        self._names = {number: name for name, number in descriptors.items()}
        self._underWay: list[tuple[float, int, Delivery]] = []
        self._count = 0
        self._orders = b""

    def run(self) -> None:
        """
        Carry packets until standard input ends.
        """
        readers = [0, *self._names]
        self._confirm()
        while True:
            ready, _, _ = select(readers, [], [], self._patience())
            for number in ready:
                if number != 0:
                    self._collect(number)
                elif not self._obey():
                    return
            self._deliver()

    def _patience(self) -> float | None:
        if not self._underWay:
            return None
        return max(0.0, self._underWay[0][0] - monotonic())

    def _collect(self, number: int) -> None:
        name = self._names[number]
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(number, _LARGEST)
            except BlockingIOError:
                return
            if name in self._nats:
                self._pass(name, self._nats[name].leave(packet))
            else:
                self._send(name, packet)

    def _send(self, name: str, packet: bytes) -> None:
        delivery = self._core.carry(name, packet, monotonic())
        if delivery is not None:
            self._count += 1
            heapq.heappush(self._underWay, (delivery.due, self._count, delivery))

    def _deliver(self) -> None:
        now = monotonic()
        while self._underWay and self._underWay[0][0] <= now:
            _, name, packet = heapq.heappop(self._underWay)[2]
            if name in self._nats:
                self._pass(name, self._nats[name].enter(packet))
            else:
                self._write(name, packet)

    def _pass(self, name: str, passage: Passage) -> None:
        if passage.outward is not None:
            self._send(name, passage.outward)
        if passage.inward is not None:
            self._write(name, passage.inward)

    def _write(self, name: str, packet: bytes) -> None:
        with suppress(OSError):  # EIO: the party's interface is down.
            os.write(self._descriptors[name], packet)

    def _obey(self) -> bool:
        data = os.read(0, _LARGEST)
        *orders, self._orders = (self._orders + data).split(b"\n")
        for line in orders:
            self._follow(json.loads(line))
            self._confirm()
        return bool(data)

    def _follow(self, order: dict[str, Any]) -> None:
        self._core.hops = order.get("hops", self._core.hops)
        if "leg" in order:
            self._change(order["leg"], order["changes"])
        if "kept" in order:
            for nat in self._nats.values():
                nat.forget(order["kept"])
        if "blocked" in order:
            self._core.blocked = {frozenset(legs) for legs in order["blocked"]}

    def _change(self, leg: str, changes: dict[str, Any]) -> None:
        self._core.change(leg, **changes)
        if leg in self._nats and "address" in changes:
            self._nats[leg].renumber(changes["address"])

    def _confirm(self) -> None:
        os.write(1, b"\n")


def natOf(kind: str, seed: str, leg: Leg) -> UserNAT:
    """
    The user-space NAT of a side.
    """
    # Not above: a wire without NATs has nothing installed to import.
    from .nat64 import NAT64
    from .sides import sideOf
    from .usernat import UserNAT

    random = Random(seed)
    side = sideOf(kind)
    behavior = side.drawn(random)
    assert behavior is not None
    if side.is64:
        return NAT64(leg.address, behavior, monotonic, random, f"{leg.network}2")
    return UserNAT(leg.address, behavior, monotonic, random)


def main(setup: dict[str, Any]) -> None:
    """
    What the wire's process does.
    """
    os.nice(-10)  # late packets would be our measurement's fault, not the network's
    core = Core((Leg(**leg) for leg in setup["legs"]), setup["hops"])
    nats = {
        name: natOf(kind, seed, core.legs[name])
        for name, (kind, seed) in setup["nats"].items()
    }
    Forwarder(core, setup["descriptors"], nats).run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
