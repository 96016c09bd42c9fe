"""
The world of a meeting: a rendezvous, and a listener and a dialer behind NATs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from punch import api
from punch.rendezvous.client import CLOSE_TIMEOUT
from punch.rendezvous.server.directory import MemoryDirectory
from punch.rendezvous.server.factory import RendezvousFactory
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.stunserver import STUNFactory
from punch.testing import (
    NAT_KINDS,
    MemoryHost,
    MemoryNAT,
    MemoryNetwork,
    NATBehavior,
    spin,
)
from tests.support.clock import QuickClock

from .program import Program

LEG = 0.02
"""
Seconds from each peer, and from the rendezvous, to the core, one way.
"""

T = 4 * LEG
"""
Each of the three round trips, then.
"""

RENDEZVOUS = "192.0.2.1"
PORT = 4040
WHERE = f"tcp:{RENDEZVOUS}:{PORT}"

HOP = 0.0005
"""
Seconds from a host to its NAT, and from there to the next.
"""


class Rendezvous:
    """
    A rendezvous server that can be stopped and started again.

    @ivar wrap: puts something around its factory.
    @ivar hasSecondPort: whether it looks at peers from a second port.
    """

    hasSecondPort = False

    wrap: Callable[[RendezvousFactory], IProtocolFactory]

    def __init__(self, host: MemoryHost, limits: Limits) -> None:
        self.host = host
        self.limits = limits
        self.wrap = lambda factory: factory
        self.factory: RendezvousFactory
        self._ports: list[IListeningPort] = []
        self.start()

    def start(self) -> None:
        """
        Listen.
        """
        directory = MemoryDirectory(self.host, randomness=self.host.network.random)
        self.factory = RendezvousFactory(self.host, self.limits, directory)
        self._ports.append(self.host.listenTCP(PORT, self.wrap(self.factory)))
        if self.hasSecondPort:
            self.look()

    def look(self) -> None:
        """
        Look at peers from a second port, too.
        """
        self.hasSecondPort = True
        self.factory.state.observers = [f":{PORT + 1}"]
        self._answer(self.host)

    def lookElsewhere(self, host: MemoryHost) -> None:
        """
        Look at peers from a second address, too.
        """
        self.factory.state.observers.append(f"{host.addresses[0]}:{PORT + 1}")
        self._answer(host)

    def _answer(self, host: MemoryHost) -> None:
        stun = STUNFactory(self.host, self.limits, self.factory.state.statistics)
        self._ports.append(host.listenTCP(PORT + 1, stun))

    def stop(self) -> None:
        """
        End, with all connections.
        """
        ports, self._ports = self._ports, []
        for port in ports:
            port.stopListening()


class World:
    """
    A rendezvous and programs.

    @ivar listener: the program that waits.
    @ivar dialer: the one that dials.
    @ivar atEnd: what L{end} calls to stop what else was started.
    """

    listener: Program
    dialer: Program

    def __init__(
        self,
        seed: int = 1,
        leg: float = LEG,
        limits: Limits | None = None,
        **options: Any,
    ) -> None:
        # The rendezvous draws the instants of its pings from here.
        random.seed(seed)
        self.network = MemoryNetwork(QuickClock(), seed, **options)
        self.clock = self.network.clock
        host = self.network.host(RENDEZVOUS, latency=leg)
        self.rendezvous = Rendezvous(host, limits or Limits())
        self.programs: list[Program] = []
        self.atEnd: list[Callable[[], object]] = []
        self.nats: dict[MemoryHost, MemoryNAT | None] = {}
        self._networks = self._neighbors = 0

    # Building it.

    def host(self, kind: str = "none", leg: float = LEG) -> MemoryHost:
        """
        One more host, of one of L{NAT_KINDS} or C{"double"}, C{leg} seconds from
        the core.
        """
        if kind == "double":
            behaviors = [NATBehavior(strict=True)] * 2
        else:
            behavior = NAT_KINDS[kind]
            behaviors = [] if behavior is None else [behavior]
        if not behaviors:
            return self.nested([], {"latency": leg})
        beyond = leg - HOP * len(behaviors)
        return self.nested(behaviors, {"latency": HOP}, beyond)

    def nested(
        self,
        behaviors: Sequence[NATBehavior],
        link: Mapping[str, float],
        beyond: float = HOP,
        address: str = "",
    ) -> MemoryHost:
        """
        One more host, behind NATs, the outermost first.

        @param link: the properties of the host's link.
        @param beyond: seconds from the outermost NAT to the core.
        @param address: the host's own, if it is behind any NAT.
        """
        self._networks += 1
        number, nat = self._networks, None
        outer, latency = f"203.0.113.{number}", beyond
        for depth, behavior in enumerate(behaviors):
            nat = self.network.nat(outer, behavior, latency=latency, behind=nat)
            outer, latency = f"100.64.{number}.{depth + 1}", HOP
        if nat is None:
            address = outer
        elif not address:
            address = f"192.168.{number}.2"
        host = self.network.host(address, behind=nat, **link)
        self.nats[host] = nat
        return host

    def neighbor(self, host: MemoryHost, **link: float) -> MemoryHost:
        """
        One more host, on the LAN of another.
        """
        nat = self.nats[host]
        if nat is None:
            return self.nested([], link)
        net = host.addresses[0].rpartition(".")[0]
        self._neighbors += 1
        made = self.network.host(f"{net}.{2 + self._neighbors}", behind=nat, **link)
        self.nats[made] = nat
        return made

    def program(self, host: MemoryHost, greeting: bytes = b"") -> Program:
        """
        One more program.
        """
        program = Program(host, WHERE, greeting)
        self.programs.append(program)
        return program

    def cast(self, listener: MemoryHost, dialer: MemoryHost) -> World:
        """
        Say who listens, and who dials.
        """
        self.listener = self.program(listener, b"I listen.")
        self.dialer = self.program(dialer, b"I dial.")
        return self

    def stun(self, where: str, leg: float = LEG) -> None:
        """
        Have a STUN server of its own, until the world ends.

        @param where: its HOST:PORT.
        @param leg: seconds from there to the core, one way.
        """
        address, _, port = where.partition(":")
        host = self.network.host(address, latency=leg)
        listening = host.listenTCP(int(port), STUNFactory(host))
        self.atEnd.append(listening.stopListening)

    # Meeting.

    def listen(self, program: Program | None = None, **settings: Any) -> Program:
        """
        Have a program, by default the listener, wait under a code.
        """
        program = program or self.listener
        chosen = program.settings(**settings)
        return program.wants(lambda: api.listen(program.host, program.where, chosen))

    def dial(
        self, code: str | None = None, program: Program | None = None, **settings: Any
    ) -> Program:
        """
        Have a program, by default the dialer, dial a code, by default the
        listener's.
        """
        program, code = program or self.dialer, code or self.listener.code
        chosen = program.settings(**settings)
        where = program.where
        return program.wants(lambda: api.dial(program.host, where, code, chosen))

    def waits(self, seconds: float = 2.0, **settings: Any) -> str:
        """
        Have the listener wait for a while, and say under which code.
        """
        code = self.listen(**settings).code
        self.run(seconds)
        return code

    def meet(self, dialers: dict[str, Any] | None = None, **settings: Any) -> World:
        """
        Have the dialer dial the listener, who has been waiting for a while, and let
        time pass until both have their link, or not.

        @param dialers: the dialer's settings that differ from the listener's.
        """
        self.waits(**settings)
        self.dial(**{**settings, **(dialers or {})})
        return self.settle()

    def settle(self) -> World:
        """
        Let time pass until both have their link, or not.
        """
        assert self.until(lambda: self.listener.ended and self.dialer.ended), self
        return self

    def sides(self, first: str) -> tuple[Program, Program]:
        """
        The two that meet, C{"listener"} or C{"dialer"} first.
        """
        pair = (self.listener, self.dialer)
        return pair if first == "listener" else pair[::-1]

    # Time.

    def run(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.network.run(seconds)

    def step(self) -> None:
        """
        Let time pass until the next thing happens.
        """
        due = min(call.getTime() for call in self.clock.getDelayedCalls())
        self.clock.advance(max(0.0, due - self.clock.seconds()))

    def until(self, condition: Callable[[], object], limit: float = 60.0) -> bool:
        """
        Let time pass until a condition holds.
        """
        return self.network.runUntil(condition, limit)

    def spin(self, waited: Any) -> Any:
        """
        Let time pass until there is a result.
        """
        return spin(waited, self.network)

    # The end.

    def end(self) -> None:
        """
        End all, and see that nothing is left.
        """
        for program in self.programs:
            for service in program.services:
                if service.running:
                    self.spin(service.stopService())
            program.end()
        for stop in self.atEnd:
            stop()
        self.rendezvous.stop()
        self.run(CLOSE_TIMEOUT + 0.001)
        left = (self.network.openSockets(), list(self.network.delayedCalls()))
        assert left == ([], []), f"left: {left}\n{self}"

    def __repr__(self) -> str:
        """
        For the people who read why a test failed.
        """
        return "\n".join(f"{each!r}" for each in self.programs)


def pair(listener: str = "drop", dialer: str = "drop", **options: Any) -> World:
    """
    A world whose listener and dialer are behind NATs of these kinds; both C{"same"}:
    behind one.
    """
    world = World(**options)
    if (listener, dialer) != ("same", "same"):
        return world.cast(world.host(listener), world.host(dialer))
    first = world.host("drop")
    return world.cast(first, world.neighbor(first, latency=HOP))


UNEVEN = ((0.1, 0.02), (0.02, 0.1), (0.3, 0.01), (0.01, 0.3))
