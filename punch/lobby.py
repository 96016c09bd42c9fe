"""
The lobby: strangers whose TLS is done, until it is known whose they are.

A dialer's connection may come in before its introduction does, or from a port
that nobody told us of, while others are being met too.  Its pin says to which
introduction it belongs; that pin may still be on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from punch.connection import Connection
from punch.introduction import PROOF_TIMEOUT, Introduction
from punch.role import Role
from punch.tls import Secured, Security

MOST_WAITING = 16
"""
How many may wait for an introduction's details at once.
"""


class Lobby:
    """
    Brings strangers to the listener's introductions.
    """

    def __init__(
        self,
        clock: IReactorTime,
        security: Security,
        introductions: Callable[[], Iterable[Introduction]],
    ) -> None:
        """
        @param introductions: asks for those that go on.
        """
        self._clock = clock
        self._security = security
        self._introductions = introductions
        self._greeting: dict[Deferred[None], None] = {}
        self._waiting: dict[Secured, IDelayedCall] = {}

    def receive(self, connection: Connection) -> Deferred[None]:
        """
        Speak TLS with a stranger.

        @return: fires when that is done, well or not.
        """
        greeting = Deferred.fromCoroutine(self._receive(connection))
        self._greeting[greeting] = None
        return greeting.addBoth(self._greeted, greeting)

    def _greeted(self, result: object, greeting: Deferred[None]) -> None:
        """
        A handshake is over; why one failed is of no interest.
        """
        self._greeting.pop(greeting, None)

    async def _receive(self, connection: Connection) -> None:
        secured = await self._security.handshake(connection, Role.LISTENER)
        if len(self._waiting) >= MOST_WAITING:
            secured.abort()
            return
        patience = self._clock.callLater(PROOF_TIMEOUT, secured.abort)
        self._waiting[secured] = patience
        secured.whenLost.addCallback(lambda _: self._leave(secured))
        self.sort()

    def sort(self) -> None:
        """
        An introduction's details have come: is somebody here for it?
        """
        pins = {each.pin: each for each in self._introductions() if each.pin}
        for secured in list(self._waiting):
            introduction = pins.get(secured.pin)
            if introduction is not None:
                self._leave(secured)
                introduction.race.accept(secured)

    def close(self) -> None:
        """
        Nobody is met any more.
        """
        for greeting in list(self._greeting):
            greeting.cancel()
        for secured in list(self._waiting):
            self._leave(secured)
            secured.abort()

    def _leave(self, secured: Secured) -> None:
        patience = self._waiting.pop(secured, None)
        if patience is not None and patience.active():
            patience.cancel()
