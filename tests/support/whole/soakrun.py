"""
One run of the soak: what its scenario says happens, and what is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall

from punch import api
from punch.errors import LinkError, PunchError
from punch.events import CodeAllotted, Failed, Introduced, Listening
from punch.role import Role

from .program import Program
from .scenario import Scenario, Side
from .services import NAME, SECRET, dialName
from .strangers import Babbler, Impostor, Stranger
from .world import WHERE, World

TIMEOUT = 20.0
"""
Seconds that each introduction has.
"""

_WRONG = b"wrong"
_ALL_TOLD = 90.0


class SoakRun:
    """
    One run of a scenario.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        world = World(scenario.seed, scenario.rendezvous, **scenario.network)
        self.world = world
        inner = "10.0.0.2" if scenario.isTwin else ""
        listener, dialer = scenario.listener, scenario.dialer
        first = world.nested(listener.nats, listener.link, listener.beyond, inner)
        if scenario.isLAN:
            second = world.neighbor(first, **dialer.link)
        else:
            second = world.nested(dialer.nats, dialer.link, dialer.beyond, inner)
        world.cast(first, second)
        self.listener, self.dialer = world.listener, world.dialer
        size = scenario.payloads
        self.listener.talker.greeting = b"L" * size[0] + b"!"
        self.dialer.talker.greeting = b"D" * size[1] + b"?"
        self.strangers: list[Stranger] = []
        self.isDialed = True
        self._calls: list[IDelayedCall] = []
        self.ends: dict[Program, list[LinkError | None]] = {}

    # What happens.

    def schedule(self) -> None:
        """
        Arrange all that the scenario says.
        """
        scenario, later = self.scenario, self._later
        for program, side, start in (
            (self.listener, scenario.listener, self._listen),
            (self.dialer, scenario.dialer, self._dial),
        ):
            later(side.start, start)
            if side.cancel is not None:
                later(side.start + side.cancel, program.end)
            if scenario.hasStrangers:
                later(side.start + 0.5, self._visit, program)
                later(side.start + 0.8, self._visit, program)
        if scenario.restart is not None:
            later(scenario.restart, self._restart)

    def _later(self, delay: float, call: Callable[..., object], *args: object) -> None:
        self._calls.append(self.world.clock.callLater(delay, call, *args))

    def _restart(self) -> None:
        rendezvous = self.world.rendezvous
        rendezvous.stop()
        self._later(2.0, rendezvous.start)

    def _settings(self, side: Side) -> dict[str, Any]:
        return {"timeout": TIMEOUT, "port": side.port}

    def _listen(self) -> None:
        program = self.listener
        settings = self._settings(self.scenario.listener)
        if self.scenario.isNamed:
            chosen = program.settings(**settings)
            program.wants(
                lambda: api.listenName(program.host, WHERE, NAME, SECRET, chosen)
            )
        else:
            self.world.listen(**settings)

    def _dial(self) -> None:
        program, scenario = self.dialer, self.scenario
        settings = self._settings(scenario.dialer)
        if scenario.isNamed:
            secret = _WRONG if scenario.isWrong else SECRET
            dialName(program, secret, **settings)
        elif codes := self.listener.told(CodeAllotted):
            code = codes[-1].code
            if scenario.isWrong:
                code = code.partition("-")[0] + "-zebra-zoo"
            self.world.dial(code, **settings)
        elif self.listener.ended:
            self.isDialed = False
        else:
            self._later(0.25, self._dial)

    def _visit(self, program: Program) -> None:
        """
        Strangers come, from far away and from the LAN.
        """
        ports = program.told(Listening)
        if not ports:
            return
        for stranger in (Stranger(), Babbler(), *map(Impostor, Role)):
            for host in self._streets(program):
                stranger.visit(host, program.host.addresses[0], ports[-1].port)
            self.strangers.append(stranger)

    def _streets(self, program: Program) -> list[Any]:
        made = [self.world.neighbor(program.host, latency=0.002)]
        if not program.host.addresses[0].startswith("203."):
            return made
        return [*made, self.world.rendezvous.host]

    # What is checked.

    def run(self) -> None:
        """
        All of it.
        """
        self.schedule()
        world = self.world
        world.until(self._isSettled, _ALL_TOLD)
        self._checkEnds()
        if self.listener.links and self.dialer.links:
            self._checkTalk()
        else:
            self._checkOrphan()
        self._checkStrangers()
        self._stop()
        world.end()

    def _stop(self) -> None:
        for stranger in self.strangers:
            stranger.leave()
        for call in self._calls:
            if call.active():
                call.cancel()

    def _isSettled(self) -> bool:
        if self.isDialed and not self.dialer.ended:
            return False
        return self.listener.ended or (self.world.clock.seconds() >= _ALL_TOLD - 1.0)

    def _checkEnds(self) -> None:
        """
        Every wait has ended that should; as it should.
        """
        assert self.dialer.ended or not self.isDialed
        for program in (self.listener, self.dialer):
            assert isinstance(program.error, (PunchError, CancelledError, NoneType))
        told = self.listener.told
        if not self.listener.ended:
            assert len(told(Introduced)) == len(told(Failed))
        if self.scenario.isSure:
            assert self.listener.links
            assert self.dialer.links
        if self.scenario.isWrong or not self.scenario.isPossible:
            assert not self.listener.links
            assert not self.dialer.links
        if self.scenario.isQuiet and self.scenario.isSmooth:
            assert bool(self.listener.links) == bool(self.dialer.links)

    def _checkTalk(self) -> None:
        """
        The two have one link, and all that one says the other hears.
        """
        listener, dialer = self.listener, self.dialer
        assert listener.link.getHost().pin == dialer.link.getPeer().pin
        assert dialer.link.getHost().pin == listener.link.getPeer().pin
        if self.scenario.isQuiet:
            assert self.world.until(self._isAllHeard, 600.0)
            for program in (listener, dialer):
                program.link.whenEnded().addCallback(
                    self.ends.setdefault(program, []).append
                )
            dialer.link.loseConnection()
            self.world.until(lambda: len(self.ends) == 2 and all(self.ends.values()))
            assert list(self.ends.values()) == [[None], [None]]
        else:
            self.world.run(120.0)
        self._checkHeard()

    def _isAllHeard(self) -> bool:
        return (
            self.listener.talker.received == self.dialer.talker.greeting
            and self.dialer.talker.received == self.listener.talker.greeting
        )

    def _checkHeard(self) -> None:
        """
        Nobody heard what the other did not say.
        """
        listener, dialer = self.listener.talker, self.dialer.talker
        assert dialer.greeting.startswith(listener.received)
        assert listener.greeting.startswith(dialer.received)

    def _checkOrphan(self) -> None:
        """
        If only one has a link, for its last words may be lost, it hears of it within
        a minute, as an error, and nothing that the other did not say.
        """
        self._checkHeard()
        for program in (self.listener, self.dialer):
            if program.links:
                assert self.world.until(lambda: program.talker.reason, 61.0)  # noqa: B023
                assert program.talker.isBroken

    def _checkStrangers(self) -> None:
        """
        Nobody told them anything.
        """
        for stranger in self.strangers:
            if isinstance(stranger, Impostor):
                assert not stranger.told
