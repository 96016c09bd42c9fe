"""
The reconnector: the dialer's side of a link that wants another path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.errors import PeerSilent, PunchError
from punch.ice.selected import SelectedPath
from punch.link.errors import UnknownLink
from punch.link.interfaces import Want
from punch.link.path import Path
from punch.link.transport import Link
from punch.peer.peer import Peer
from punch.peer.relaypolicy import RelayPolicy
from punch.signaling.rejoin import Rejoin
from punch.util.timers import InterruptibleSleep

_TRY_TIMEOUTS = (2.5, 10.0)
"""
Seconds that the first try may take, and a later one at most.
"""

_ATTACH_TIMEOUT = 3.0
"""
Seconds that the other side may take to confirm a path.
"""

_PAUSES = {Want.ANOTHER: (0.1, 1.0), Want.BETTER: (1.0, 300.0)}
"""
Seconds from one try to the next, at first and at most.
"""

_PAUSE_AFTER_BUG = 5.0
"""
Seconds to the next try after an unexpected exception.
"""


class PathDial(Protocol):
    """
    What the reconnector needs of a L{punch.peer.dialer.Dialer}, which it cannot import
    since the dialer makes the reconnector.
    """

    async def dialOnce(self) -> SelectedPath[Path]:
        """
        Dial once (L{punch.peer.dialer.Dialer.dialOnce}).
        """

    def improve(
        self, adopt: Callable[[SelectedPath[Path]], Deferred[Any]]
    ) -> Deferred[None]:
        """
        Race on behind a relayed path (L{punch.peer.dialer.Dialer.improve}).
        """


Redial = Callable[[Rejoin, RelayPolicy, int], PathDial]


class Reconnector:
    """
    Dials again for one link, for as long as that lacks a path or a better one.

    The dialer makes it with the link, and the link calls it as its
    L{punch.link.interfaces.PathFinder}.  It rests while the link lacks nothing, and is
    over when the link has ended.
    """

    _log = Logger()

    def __init__(
        self, peer: Peer, link: Link, redial: Redial, first: Deferred[None]
    ) -> None:
        """
        @param redial: makes the dial of one try, from the link's identity, the relay
            policy and the number of the try.
        @param first: fires when the dial that made the link is over; it may still be
            racing for a direct path.
        """
        self._peer = peer
        self._clock = peer.clock
        self._settings = peer.settings
        self._link = link
        self._redial = redial
        self._rejoin = Rejoin(link.id, link.secret)
        self._first: Deferred[None] | None = first
        self._running: Deferred[None] | None = None
        self._backoff = InterruptibleSleep(peer.clock)
        self._ignoreNetwork = peer.watchNetwork(self._networkChanged)
        link.whenEnded().addCallback(lambda _: self._ignoreNetwork())
        self._isAdopting = False
        self._lacked = Want.NOTHING
        first.addErrback(self._failed).addBoth(self._begin)

    def _begin(self, result: object) -> None:
        self._first = None
        self.wantChanged()

    def wantChanged(self) -> None:
        """
        What the link lacks has changed, or the link has ended.
        """
        want = self._link.want
        worse = want is Want.ANOTHER and self._lacked is not want
        self._lacked = want
        if self._first is not None:
            if not self._link.connected or worse:
                self._first.cancel()
        elif want is Want.NOTHING:
            if self._running is not None and not self._isAdopting:
                self._running.cancel()
        elif self._running is None:
            self._start()
        elif worse and not self._isAdopting:
            self._running.cancel()

    def _retryNow(self) -> None:
        """
        Something has changed: end the pause, or the try that has begun before that.
        """
        if self._backoff.isAsleep:
            self._backoff.wake()
        elif self._running is not None and not self._isAdopting:
            self._running.cancel()

    def _networkChanged(self) -> None:
        """
        What did not work may work now, and the link's path may have died.
        """
        if self._link.want is not Want.NOTHING:
            self._retryNow()
        self._link.probe(self._link.getHost().host not in self._peer.addresses())

    def _start(self) -> None:
        self._running = running = Deferred.fromCoroutine(self._run())
        running.addErrback(self._failed).addCallback(self._stopped)

    def _failed(self, failure: Failure) -> float:
        """
        @return: seconds until it makes sense to try again.
        """
        if failure.check(CancelledError):
            return 0.0
        self._log.failure("A mistake of ours.", failure)
        return _PAUSE_AFTER_BUG

    def _stopped(self, pause: float | None) -> None:
        self._running = None
        if self._link.want is not Want.NOTHING and self._link.connected:
            self._clock.callLater(pause or 0.0, self.wantChanged)

    async def _run(self) -> None:
        tries = 0
        told: type[Exception] | None = None
        while self._link.want is not Want.NOTHING:
            try:
                await self._try(tries)
            except UnknownLink as unknown:
                # While the link has a path that answers, the other side knows it.
                if self._link.want is Want.ANOTHER:
                    self._link.refused(unknown)
                    return
            except (PunchError, TimeoutError) as wrong:
                error = wrong if isinstance(wrong, PunchError) else PeerSilent()
                # Told once for each reason, or there would be a line each second.
                say = self._log.debug if type(error) is told else self._log.info
                say("{error} Trying again.", error=error)
                told = type(error)
            await self._pause(tries)
            tries += 1

    async def _try(self, tries: int) -> None:
        """
        Dial, and give the link the path that wins.
        """
        policy = self._settings.relay
        if self._link.want is Want.BETTER:
            policy = RelayPolicy.NEVER
        dial = self._redial(self._rejoin, policy, tries)
        shortest, longest = _TRY_TIMEOUTS
        patience = min(shortest + 2 * tries, longest)
        reaching = Deferred.fromCoroutine(dial.dialOnce())
        try:
            selected = await reaching.addTimeout(patience, self._clock)
            self._isAdopting = True
            await self._link.addPath(selected).addTimeout(_ATTACH_TIMEOUT, self._clock)
        finally:
            self._isAdopting = False
            improve = dial.improve(self._link.addPath)
            if self._link.want is not Want.BETTER:
                improve.addErrback(self._failed).cancel()
        await improve

    async def _pause(self, tries: int) -> None:
        want = self._link.want
        if want is Want.NOTHING:
            return
        first, longest = _PAUSES[want]
        seconds = min(first * 2 ** min(tries, 20), longest)
        seconds *= self._settings.random.uniform(0.8, 1.2)
        await self._backoff.sleep(seconds)
