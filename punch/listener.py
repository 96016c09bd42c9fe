"""
The listener: publishes a name and waits, again and again.

It comes back by itself when the rendezvous goes away, and meets any number of
dialers, each in an introduction of its own.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.address import Address, formatAddress
from punch.arrival import Arrival
from punch.code import Code, chooseWords
from punch.errors import (
    BadName,
    NameTaken,
    NoSuchName,
    PortHeld,
    PunchError,
    RendezvousError,
    UnsupportedVersion,
)
from punch.events import CodeAllotted, Failed, Introduced, Observed, Waiting
from punch.gate import Gate
from punch.introduction import Answered, Meeting
from punch.link import Link
from punch.lobby import Lobby
from punch.path import Path
from punch.peer import Peer, Rendezvous
from punch.place import Place
from punch.race import Win
from punch.reasons import Reason
from punch.rendezvous.client import RendezvousClient

MOST_INTRODUCTIONS = 64
"""
Introductions that may go on at once.
"""

_SHORTEST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Listener:
    """
    One listener.  (To the rendezvous it is a L{punch.rendezvous.client.Guest}.)
    """

    _log = Logger()

    def __init__(
        self,
        peer: Peer,
        rendezvous: Rendezvous,
        place: Place | None,
        linked: Callable[[Link], None],
        failed: Callable[[PunchError], None],
    ) -> None:
        """
        @param place: where to wait; C{None}: under a code that is made now.
        @param linked: is given each link.
        @param failed: is told of each meeting that failed with a peer that knew
            our secret, and of a code that a guess has used up.  Of other failures
            there is but an event.
        """
        self._peer = peer
        self._rendezvous = rendezvous
        self._place = place
        self._linked = linked
        self._failed = failed
        self._owner = secrets.token_bytes(16)
        self._client: RendezvousClient | None = None
        self._gone: Arrival[RendezvousError] = Arrival()
        self._introductions: dict[bytes, Answered] = {}
        # Those who wait for their guess, and those who had it.
        self._unanswered: deque[tuple[bytes, Answered]] = deque()
        self._guessing: dict[bytes, Place] = {}
        self._nextGuess: IDelayedCall | None = None
        self._observed: Address
        self._lobby = Lobby(peer.clock, peer.security, self._introductions.values)
        self._gate = Gate(
            peer.clock,
            lambda: [each.race for each in self._introductions.values()],
            self._lobby.receive,
        )

    async def run(self) -> None:
        """
        Listen until cancelled, which leaves nothing behind but the links.

        @raise PunchError: why we cannot begin, or go on.
        """
        await self._peer.open(self._gate.admit, self._peer.settings.port)
        try:
            await self._publish()
            while True:
                why = await self._gone.wait()
                self._log.warn("{why} Coming back.", why=why)
                await self._comeBack()
        except Exception:
            # No "finally": collected half-done, a coroutine may not wait.
            self._stop()
            await self._peer.close()
            raise

    async def _publish(self) -> None:
        """
        Wait at the rendezvous.
        """
        client = await self._peer.connect(self._rendezvous, self)
        self._gone = Arrival()
        try:
            self._observed = await client.hello()
            self._peer.tell(Observed(formatAddress(self._observed)))
            self._client = client
            await self._takeName(client)
        except BaseException:
            self._client = None
            client.disconnect()
            raise
        client.keepAlive()
        self._peer.tell(Waiting())

    async def _takeName(self, client: RendezvousClient) -> None:
        place = self._place
        if place is not None:
            try:
                await client.publish(place.name, self._owner)
                return
            except NameTaken:
                if place.lasting:
                    raise
                # While we were gone the number was given to somebody else.
        await self._takeNumber(client)

    async def _takeNumber(self, client: RendezvousClient) -> None:
        code = Code(await client.allocate(self._owner), chooseWords())
        self._place = Place.coded(code)
        self._peer.tell(CodeAllotted(str(code)))

    async def _comeBack(self) -> None:
        """
        The rendezvous is gone: try until it is there again.
        """
        pause = _SHORTEST_PAUSE
        while True:
            try:
                await self._publish()
                return
            except (NameTaken, BadName, UnsupportedVersion):
                raise
            except RendezvousError as error:
                self._log.info("{error} Trying again.", error=error)
                if isinstance(error, PortHeld):
                    await self._movePort()
            await self._sleep(pause * self._peer.settings.random.uniform(0.8, 1.2))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _movePort(self) -> None:
        """
        The system won't let us connect from our port again; unless it was chosen
        for us, or somebody is just being met on it, take another.
        """
        if not self._peer.settings.port and not self._introductions:
            await self._peer.open(self._gate.admit, 0)

    def _sleep(self, seconds: float) -> Deferred[None]:
        return deferLater(self._peer.clock, seconds, lambda: None)

    def _stop(self) -> None:
        if self._nextGuess is not None and self._nextGuess.active():
            self._nextGuess.cancel()
        self._lobby.close()
        for introduction in list(self._introductions.values()):
            introduction.won.cancel()

    # One introduction.

    def introduced(
        self, introduction: bytes, peer: Address, wait: float, message: bytes
    ) -> None:
        """
        Somebody dialed us.
        """
        client, place = self._client, self._place
        if client is None or place is None:
            return
        if len(self._introductions) >= MOST_INTRODUCTIONS:
            client.leave(introduction, Reason.TOO_MANY)
            return
        self._peer.tell(Introduced(formatAddress(peer)))
        meeting = Meeting(
            peer, wait, client.overLoopback, lambda m: client.relay(introduction, m)
        )
        met = Answered(self._peer.means, meeting, place.greeting(), message)
        self._introductions[introduction] = met
        self._unanswered.append((introduction, met))
        started = self._peer.clock.seconds()
        met.won.addCallback(self._won, introduction, started)
        met.won.addErrback(self._unmet, introduction, met)
        # The first SYN goes out before the arithmetic of the PAKE.
        self._scheduleGuess(0.0)

    def _scheduleGuess(self, pause: float) -> None:
        if self._nextGuess is None or not self._nextGuess.active():
            self._nextGuess = self._peer.clock.callLater(pause, self._answer)

    def _answer(self) -> None:
        """
        Let those who wait have their guess, as far as guesses go.
        """
        place, now = self._place, self._peer.clock.seconds()
        while self._unanswered and place is not None:
            introduction, met = self._unanswered[0]
            if introduction not in self._introductions:
                self._unanswered.popleft()
            elif place.guesses.take(now):
                self._unanswered.popleft()
                self._guessing[introduction] = place
                met.answer(self._peer.details(self._observed))
            else:
                next = place.guesses.nextAt(now)
                if next is not None:
                    self._scheduleGuess(next - now)
                return

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        A dialer sent its sealed details.
        """
        met = self._introductions.get(introduction)
        if met is None:
            return
        met.received(message)
        if met.proven and introduction in self._guessing:
            self._guessing.pop(introduction).guesses.right()
            self._scheduleGuess(0.0)
            self._lobby.sort()

    def left(self, introduction: bytes, reason: str) -> None:
        """
        A dialer left.
        """
        met = self._introductions.get(introduction)
        if met is not None:
            met.left(reason)

    def _won(self, win: Win[Path], introduction: bytes, started: float) -> None:
        met = self._introductions[introduction]
        self._forget(introduction)
        self._leave(introduction, Reason.DONE)
        self._linked(self._peer.link(win, met.role, started))

    def _unmet(self, failure: Failure, introduction: bytes, met: Answered) -> None:
        """
        One introduction came to nothing.
        """
        self._forget(introduction)
        error = failure.value
        if isinstance(error, CancelledError):
            self._leave(introduction, Reason.CANCELLED)
            return
        if not isinstance(error, PunchError):
            self._log.failure("in an introduction", failure)
            return
        self._leave(introduction, error.reason)
        guessed = self._guessing.pop(introduction, None)
        if guessed is not None:
            guessed.guesses.wrong()
            self._scheduleGuess(0.0)
        if guessed is not None and guessed.guesses.exhausted:
            self._giveUpCode(guessed.name)
            self._failed(error)
        elif met.proven:
            self._failed(error)
        else:
            self._peer.tell(Failed(error.reason.value, str(error)))

    def _forget(self, introduction: bytes) -> None:
        """
        An introduction is over, and with the last one strangers have no business.
        """
        self._introductions.pop(introduction, None)
        if not self._introductions:
            self._lobby.close()

    def _giveUpCode(self, name: str) -> None:
        """
        A guess has used up the code: who waits for one of his own waits in vain.
        """
        self._place = None
        for met in list(self._introductions.values()):
            if not met.proven:
                met.race.fail(NoSuchName(name))
        if self._client is not None:
            renewed = Deferred.fromCoroutine(self._renew(self._client, name))
            renewed.addErrback(lambda failure: None)

    async def _renew(self, client: RendezvousClient, name: str) -> None:
        """
        The code is dead: make another.
        """
        await client.withdraw(name)
        await self._takeNumber(client)

    def _leave(self, introduction: bytes, reason: Reason) -> None:
        if self._client is not None:
            self._client.leave(introduction, reason)

    def rendezvousLost(self, why: RendezvousError) -> None:
        """
        Meetings whose details have been exchanged go on without it.
        """
        self._client = None
        for met in list(self._introductions.values()):
            if not met.proven:
                met.race.fail(why)
        self._gone.arrive(why)


async def listenOnce(peer: Peer, rendezvous: Rendezvous, place: Place | None) -> Link:
    """
    The first link of a listener, or its first failure that counts.
    """
    first: Deferred[Link] = Deferred()

    def failed(error: PunchError) -> None:
        if not first.called:
            first.errback(error)

    listener = Listener(peer, rendezvous, place, first.callback, failed)
    running = Deferred.fromCoroutine(listener.run())
    running.addErrback(lambda failure: None if first.called else first.errback(failure))
    link = None
    try:
        link = await first
    finally:
        running.cancel()
    try:
        await running
    except BaseException:
        link.abortConnection()
        raise
    return link
