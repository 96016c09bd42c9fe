"""
What may happen in one run of the soak, drawn from its seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from punch.testing import Allocation, Filtering, Mapping, NATBehavior, Unsolicited

_MAPPINGS = (
    Mapping.ENDPOINT_INDEPENDENT,
    Mapping.ENDPOINT_INDEPENDENT,
    Mapping.ENDPOINT_INDEPENDENT,
    Mapping.ADDRESS_DEPENDENT,
    Mapping.ADDRESS_AND_PORT_DEPENDENT,
)


def drawNAT(random: Random) -> NATBehavior:
    """
    Any NAT.
    """
    return NATBehavior(
        mapping=random.choice(_MAPPINGS),
        filtering=random.choice(list(Filtering)),
        unsolicited=random.choice(list(Unsolicited)),
        allocation=random.choice(list(Allocation)),
        hairpin=random.random() < 0.5,
        simultaneousOpen=random.random() < 0.95,
        strict=random.random() < 0.5,
    )


@dataclass(frozen=True)
class Side:
    """
    Where one of the two is.

    C{nats}: what it is behind, the outermost first.  C{beyond}: seconds from the
    outermost to the core.  C{link}: the properties of its link.  C{start}: when its
    program starts.  C{cancel}: seconds after that when it gives up, if it does.
    C{port}: its shared port.
    """

    nats: tuple[NATBehavior, ...]
    beyond: float
    link: dict[str, float]
    start: float
    cancel: float | None
    port: int

    @property
    def preserves(self) -> bool:
        """
        Whether the other side sees it where the rendezvous does.
        """
        return all(nat.mapping is Mapping.ENDPOINT_INDEPENDENT for nat in self.nats)

    @property
    def mayKeepPort(self) -> bool:
        """
        Whether a NAT that changes the port for each destination can, once in a
        while, come back to one that the other side knows: its next ports are near.
        """
        return any(
            nat.mapping is not Mapping.ENDPOINT_INDEPENDENT
            and nat.allocation is not Allocation.RANDOM
            for nat in self.nats
        )

    def admits(self, other: Side) -> bool:
        """
        Whether C{other} can reach it where the rendezvous sees it, once it has
        tried to reach C{other}.
        """
        same = True
        for nat in reversed(self.nats):
            same = same and nat.mapping is Mapping.ENDPOINT_INDEPENDENT
            byAddress = nat.filtering is Filtering.ADDRESS_DEPENDENT
            met = same and (byAddress or other.preserves)
            if nat.filtering is not Filtering.ENDPOINT_INDEPENDENT and not met:
                return False
        return True

    def suits(self, other: Side) -> bool:
        """
        Whether C{other} is sure to get in.

        Where C{other}'s port changes, it is as long as nothing depends on when we
        try to get in there, and we fail: a NAT that lets us in by the old port
        would send the answer from the new.
        """
        if not self.preserves:
            return False
        isOpen = all(
            nat.filtering is Filtering.ENDPOINT_INDEPENDENT for nat in self.nats
        )
        return other.preserves or (isOpen and not other.admits(self))

    @property
    def answers(self) -> bool:
        """
        Whether some NAT of it answers a SYN that comes too early, which shuts the
        other side's doors.
        """
        return any(
            nat.unsolicited is not Unsolicited.DROP
            and nat.filtering is not Filtering.ENDPOINT_INDEPENDENT
            for nat in self.nats
        )

    @property
    def isSmooth(self) -> bool:
        """
        Whether no segment is lost on the way here, by chance or by a NAT that
        lets nobody in while it waits for an answer.
        """
        return not self.link["loss"] and all(nat.simultaneousOpen for nat in self.nats)


@dataclass(frozen=True)
class Scenario:
    """
    One run.

    C{isLAN}: both are behind one NAT, side by side.  C{restart}: when the
    rendezvous is stopped, for two seconds, if it is.
    """

    seed: int
    network: dict[str, Any]
    rendezvous: float
    listener: Side
    dialer: Side
    isLAN: bool
    isNamed: bool
    isWrong: bool
    hasStrangers: bool
    isTwin: bool
    restart: float | None
    payloads: tuple[int, int]

    @property
    def isQuiet(self) -> bool:
        """
        Whether nothing keeps the two from meeting but the network.
        """
        cancelled = self.listener.cancel is not None or self.dialer.cancel is not None
        return not (cancelled or self.isWrong or self.restart is not None)

    @property
    def isSmooth(self) -> bool:
        """
        Whether no segment is lost.
        """
        return self.listener.isSmooth and self.dialer.isSmooth

    @property
    def isPossible(self) -> bool:
        """
        Whether there is a way, or there may happen to be one.
        """
        listener, dialer = self.listener, self.dialer
        lucky = listener.mayKeepPort or dialer.mayKeepPort
        known = listener.admits(dialer) or dialer.admits(listener)
        return self.isLAN or known or lucky

    @property
    def isPunctual(self) -> bool:
        """
        Whether the two can be there together.  Where the NATs of both answer, each
        one's doors stay open for as long as its SYN takes to the other's NAT and
        the answer back, and no longer, whatever the peers do.  If chance delays
        them by more than that on their own side, they may be late each time.
        """
        sides = (self.listener, self.dialer)
        if not all(side.answers for side in sides):
            return True
        door = 2 * sum(side.beyond for side in sides)
        return sum(side.link["jitter"] for side in sides) <= door

    @property
    def isSure(self) -> bool:
        """
        Whether they must meet.
        """
        listener, dialer = self.listener, self.dialer
        return (
            self.isQuiet
            and (self.isLAN or listener.suits(dialer) or dialer.suits(listener))
            and self.isSmooth
            and self.isPunctual
            and dialer.start > listener.start + 3.0
        )


def _drawSide(random: Random, start: float, isCancelled: bool, port: int) -> Side:
    leg = random.choice([0.001, 0.01, 0.02, 0.05, 0.15])
    link = {
        "latency": leg * random.uniform(0.5, 2.0),
        "loss": random.choice([0.0, 0.0, 0.0, 0.02, 0.1]),
        "jitter": random.choice([0.0, 0.0, leg, 0.1]),
        "duplicates": random.choice([0.0, 0.0, 0.0, 0.1, 0.5]),
    }
    nats = tuple(drawNAT(random) for _ in range(random.choice([0, 1, 1, 1, 2])))
    cancel = random.uniform(0.0, 40 * leg + 0.2) if isCancelled else None
    return Side(nats, random.choice([0.0005, leg]), link, start, cancel, port)


def draw(seed: int) -> Scenario:
    """
    The run of a seed.
    """
    random = Random(seed)
    canceller = random.choice(["listener", "dialer", "", "", "", ""])
    isTwin = random.random() < 0.1
    ports = [random.choice([0, 4000]) for _ in range(2)]
    if isTwin:
        ports = [4000, 4000]
    dialerStart = random.choice([5.0, 5.0, 5.0, random.uniform(0.0, 2.0)])
    cancelled = [canceller == "listener", canceller == "dialer"]
    listener = _drawSide(random, 1.0, cancelled[0], ports[0])
    dialer = _drawSide(random, dialerStart, cancelled[1], ports[1])
    if cancelled[0] and random.random() < 0.7 and listener.cancel is not None:
        # At most times while the dialer is there.
        cancel = listener.cancel + max(0.0, dialerStart - 1.0)
        listener = replace(listener, cancel=cancel)
    return Scenario(
        seed=seed,
        network={
            "segmentSize": random.choice([16384, 16384, 1400, random.randint(30, 400)]),
            "refusesUnknown": random.random() < 0.3,
        },
        rendezvous=random.choice([0.001, 0.02, 0.1]),
        listener=listener,
        dialer=dialer,
        isLAN=random.random() < 0.08,
        isNamed=random.random() < 0.5,
        isWrong=random.random() < 0.1,
        hasStrangers=random.random() < 0.1,
        isTwin=isTwin,
        restart=random.uniform(2.0, 6.0) if random.random() < 0.05 else None,
        payloads=(random.randint(1, 5000), random.choice([1, 300, 100_000])),
    )
