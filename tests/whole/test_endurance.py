"""
The endurance of links: whole peers, drawn from a seed, whose paths die again and again
while they talk.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from twisted.logger import LogEvent, eventAsText

from punch.events import Suspended
from punch.link.path import FAREWELL
from punch.peer.relaypolicy import RelayPolicy
from tests.support.whole.program import Program
from tests.support.whole.seeds import eachChunk
from tests.support.whole.world import T, World, pair

CHUNK = 20

KINDS = ("none", "drop", "reset", "random", "double")

RECOVERY = 90.0
"""
Seconds after the last fault within which all is delivered.
"""


class Endurance:
    """
    One run.

    @ivar said: what each side has written, the listener first.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.kinds = tuple(self.random.choice(KINDS) for _ in range(2))
        self.world: World = pair(*self.kinds, seed=seed)
        self.world.meet(resumeFor=600.0, timeout=15.0, relay=RelayPolicy.FALLBACK)
        self.said = [bytearray(each.talker.greeting) for each in self.world.programs]
        self.faults: list[str] = []

    def run(self) -> None:
        """
        Talk, and suffer, for a while; then all must be well.
        """
        for _ in range(self.random.randint(1, 8)):
            self._talk(self.random.expovariate(1.0))
            self._suffer()
        self._checkPrefixes()
        assert self.world.until(self._isAllHeard, RECOVERY), self._heard()
        self._part()

    # Talking.

    def _talk(self, seconds: float) -> None:
        """
        Write now and then, at random sizes.
        """
        for _ in range(self.random.randint(0, 6)):
            self._say()
            self.world.run(seconds * self.random.random() / 3)

    def _say(self) -> None:
        number = self.random.randrange(2)
        size = int(self.random.paretovariate(0.6) * 20)
        data = self.random.randbytes(min(size, 300_000))
        self.said[number] += data
        self.world.programs[number].link.write(data)

    def _heard(self) -> list[tuple[int, int]]:
        """
        How much each side has heard, and should have.
        """
        return [
            (len(each.talker.received), len(said))
            for each, said in zip(self.world.programs, self.said[::-1], strict=True)
        ]

    def _isAllHeard(self) -> bool:
        return all(heard == said for heard, said in self._heard())

    def _checkPrefixes(self) -> None:
        for each, said in zip(self.world.programs, self.said[::-1], strict=True):
            assert said.startswith(each.talker.received)

    # Suffering.

    def _suffer(self) -> None:
        fault = self.random.choice(
            (self._reset, self._cut, self._forget, self._restart, self._block)
        )
        self.faults.append(fault.__name__)
        pause = min(self.random.paretovariate(1.0) * 0.05, 40.0)
        end = fault()
        self._talk(pause)
        self.world.run(pause)
        end()

    def _victim(self) -> Program:
        return self.random.choice(self.world.programs)

    def _reset(self) -> Callable[[], None]:
        self._victim().host.reset()
        return lambda: None

    def _cut(self) -> Callable[[], None]:
        host = self._victim().host
        host.cut()
        return host.mend

    def _forget(self) -> Callable[[], None]:
        nat = self.world.nats[self._victim().host]
        if nat is not None:
            nat.reset()
        return lambda: None

    def _restart(self) -> Callable[[], None]:
        self.world.rendezvous.stop()
        return self.world.rendezvous.start

    def _block(self) -> Callable[[], None]:
        network, ends = self.world.network, ("203.0.113.1", "203.0.113.2")
        network.block(*ends)
        return lambda: network.unblock(*ends)

    # The end.

    def _part(self) -> None:
        """
        A clean end, whatever happens at that very moment.
        """
        for each in self.world.programs:
            each.link.loseConnection()
        self.world.run(self.random.random() * 3 * T)
        if self.random.random() < 0.5:
            self._reset()
        talkers = [each.talker for each in self.world.programs]
        assert self.world.until(lambda: all(each.reason for each in talkers), 60.0)
        for talker in talkers:
            assert talker.isClean, talker.reason
        self._checkPrefixes()
        assert self._isAllHeard(), self._heard()
        self.world.run(FAREWELL)
        self.world.end()


def run(seed: int, logged: list[LogEvent]) -> int:
    """
    One run, and that no error was left to be logged.

    @return: how often its link was suspended.
    """
    endurance = Endurance(seed)
    try:
        endurance.run()
        if logged:
            raise AssertionError(eventAsText(logged[0]))
    except AssertionError as wrong:
        raise AssertionError(
            f"PUNCH_SEED={seed}: {wrong}\n{endurance.kinds} {endurance.faults}\n"
            f"{endurance.world}"
        ) from wrong
    return len(endurance.world.dialer.told(Suspended))


@pytest.mark.soak
@pytest.mark.timeout(300)
@eachChunk(sample=60, size=CHUNK)
@pytest.mark.usefixtures("fixedIdentities")
def test_endurance(seeds: range, loggedErrors: list[LogEvent]) -> None:
    """
    Whatever happens to its paths, a link delivers all that was written, once and in
    order, and ends cleanly on both sides, after which nothing is left.
    """
    suspended = sum(run(seed, loggedErrors) for seed in seeds)
    assert suspended or len(seeds) < CHUNK
