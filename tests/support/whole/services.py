"""
Programs that are services.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from punch import api
from punch.peer.description import rendezvousEndpoint
from punch.peer.dialer import Dialer
from punch.peer.peer import Peer
from punch.service import DialingService, ListeningService, PunchService
from punch.signaling.code import parseCode
from punch.signaling.meetingpoint import MeetingPoint
from punch.testing.medium import Medium

from .program import Program, Talker

NAME = "box"
SECRET = b"correct horse battery staple"


class Talkers(Factory[Talker]):
    """
    Makes talkers, while it is willing, and remembers them.
    """

    noisy = False

    def __init__(self, network: Medium, greeting: bytes) -> None:
        self._network = network
        self._greeting = greeting
        self.made: list[Talker] = []
        self.starts = 0
        self.isWilling = True

    def doStart(self) -> None:
        """
        Count.
        """
        self.starts += 1

    def doStop(self) -> None:
        """
        Count.
        """
        self.starts -= 1

    def buildProtocol(self, addr: IAddress | None) -> Talker | None:
        """
        One more, if it is willing.
        """
        if not self.isWilling:
            return None
        self.made.append(Talker(self._network, self._greeting))
        return self.made[-1]


class Running:
    """
    A service of a program, started when it is made.

    @ivar done: what its C{whenDone} fired with, in a list.
    """

    def __init__(self, program: Program, service: Any) -> None:
        self.program = program
        self.service = service
        self.done: list[Any] = []
        service.whenDone().addCallback(self.done.append)
        service.startService()
        program.services.append(service)

    def stop(self) -> Deferred[None]:
        """
        Stop it.
        """
        stopped: Deferred[None] = self.service.stopService()
        return stopped


class TalkingService(Running):
    """
    A service whose links run talkers.

    @ivar factory: makes the talkers.
    """

    def __init__(
        self,
        program: Program,
        make: Callable[[Peer, Talkers], PunchService],
        **settings: Any,
    ) -> None:
        self.factory = Talkers(program.network, b"Served.")
        peer = Peer(program.host, program.settings(**settings))
        Running.__init__(self, program, make(peer, self.factory))

    @property
    def talkers(self) -> list[Talker]:
        """
        Those that were given a link.
        """
        return self.factory.made


def listening(
    program: Program,
    point: MeetingPoint | None = None,
    once: bool = False,
    **settings: Any,
) -> TalkingService:
    """
    Have a program listen, again and again.
    """
    return TalkingService(
        program,
        lambda peer, factory: ListeningService(
            peer, rendezvousEndpoint(program.host, program.where), point, factory, once
        ),
        **settings,
    )


def standing(program: Program, **settings: Any) -> TalkingService:
    """
    Have a program listen under a standing name.
    """
    return listening(program, MeetingPoint.standing(NAME, SECRET), **settings)


def dialing(
    program: Program, code: str, once: bool = False, **settings: Any
) -> TalkingService:
    """
    Have a program dial, again and again.
    """
    parsed = parseCode(code)

    def make(peer: Peer, factory: Talkers) -> DialingService:
        endpoint = rendezvousEndpoint(program.host, program.where)
        return DialingService(
            peer,
            lambda: Dialer(peer, endpoint, parsed.name, parsed.secret).run(),
            factory,
            once,
        )

    return TalkingService(program, make, **settings)


def dialName(program: Program, secret: bytes = SECRET, **settings: Any) -> Program:
    """
    Have a program dial the standing name, once.
    """
    chosen = program.settings(**settings)
    return program.wants(
        lambda: api.dialName(program.host, program.where, NAME, secret, chosen)
    )
