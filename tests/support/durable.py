"""
A link in memory that outlives its paths: two hosts, and a path finder that makes
another path between them whenever the dialer's end wants one.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from punch.events import Event
from punch.ice.candidate import Kind
from punch.link.interfaces import Want
from punch.link.path import Path
from punch.link.transport import Link
from punch.role import Role
from punch.util.timers import RestartableTimer
from tests.support.doubles import DIALER_ID, LISTENER_ID, Pair
from tests.support.programs import HalfCloser, Recorder

PATIENCE = 4.0
"""
Seconds that the making of a path may take.
"""

PAUSE = 0.3
"""
Seconds from one try to the next.
"""


class Couple:
    """
    The two ends of a link that outlives its paths.

    @ivar findsPaths: whether the path finder finds anything.
    @ivar events: what each end told.
    """

    def __init__(
        self, kind: Kind = Kind.HOST, resumeFor: float = 600.0, **options: Any
    ) -> None:
        self.pair = Pair(**options)
        self.network = self.pair.network
        self.clock = self.network.clock
        self.findsPaths = True
        self.events: tuple[list[Event], list[Event]] = ([], [])
        self._finding: Deferred[None] | None = None
        paths = self.pair.spin(self.pair.meet())
        self.dialers = self._link(Role.DIALER, paths[0], kind, resumeFor)
        self.pair.spin(paths[1].whenAttached())
        self.listeners = self._link(Role.LISTENER, paths[1], kind, resumeFor)
        self.links = (self.dialers, self.listeners)
        for each in self.links:
            each.setPathFinder(self)

    def _link(self, role: Role, path: Path, kind: Kind, resumeFor: float) -> Link:
        isDialer = role is Role.DIALER
        own = (DIALER_ID if isDialer else LISTENER_ID).pin
        tell = self.events[0 if isDialer else 1].append
        selected = self.pair.selected(path, kind)
        return Link(self.clock, role, own, selected, resumeFor, tell)

    def start(self, kind: Callable[[], Recorder] = HalfCloser) -> list[Recorder]:
        """
        Start protocols of one kind on both ends.
        """
        protocols = [kind(), kind()]
        for link, protocol in zip(self.links, protocols, strict=True):
            link.start(protocol)
        return protocols

    def run(self, seconds: float = 1.0) -> None:
        """
        Let time pass.
        """
        self.network.run(seconds)

    # Finding paths.

    def wantChanged(self) -> None:
        """
        From either end (L{punch.link.interfaces.PathFinder}); but only the dialer's can
        do something about it.
        """
        if self.findsPaths and self._finding is None and self._isWanting:
            self._finding = Deferred.fromCoroutine(self._find())

    @property
    def _isWanting(self) -> bool:
        return self.dialers.want is Want.ANOTHER

    async def _find(self) -> None:
        while self.findsPaths and self._isWanting:
            await deferLater(self.clock, PAUSE)
            try:
                await self.join()
            except Exception:
                # There is no way now.
                continue
        self._finding = None

    async def paths(self) -> tuple[Path, Path]:
        """
        Another path, if it does not take too long.
        """
        meeting = Deferred.fromCoroutine(self.pair.meet())
        return await meeting.addTimeout(PATIENCE, self.clock)

    async def join(self, kind: Kind = Kind.HOST) -> bool:
        """
        Let the link go on by another path.

        @return: whether it does, as the dialer sees it.
        """
        paths = await self.paths()
        adopted = self.dialers.addPath(self.pair.selected(paths[0], kind))
        try:
            await paths[1].whenAttached().addTimeout(PATIENCE, self.clock)
        except Exception:
            paths[1].abort()
        else:
            self.listeners.addPath(self.pair.selected(paths[1], kind))
        return await adopted

    def joined(self, kind: Kind = Kind.HOST) -> bool:
        """
        L{join}, waited for.
        """
        result: bool = self.pair.spin(self.join(kind))
        return result

    def another(self, kind: Kind) -> None:
        """
        L{join}, in a while, if that can be.
        """
        joining = Deferred.fromCoroutine(self.join(kind))
        joining.addErrback(lambda failure: failure.trap(Exception))

    # What happens to paths.

    def current(self, end: int) -> Path | None:
        """
        The path that an end sends on.
        """
        return self.links[end]._paths.current

    def breaks(self) -> list[Callable[[], None]]:
        """
        The ways in which a path breaks at once.
        """
        return [
            self.pair.hosts[0].reset,
            self.pair.hosts[1].reset,
            lambda: self.abort(0),
            lambda: self.abort(1),
            lambda: self.truncate(0),
            lambda: self.truncate(1),
        ]

    def abort(self, end: int) -> None:
        """
        One end's path is reset.
        """
        current = self.current(end)
        if current is not None:
            current.abort()

    def truncate(self, end: int) -> None:
        """
        One end's TCP ends (FIN) without close_notify of TLS.
        """
        current = self.current(end)
        if current is not None:
            tls: Any = current.transport
            tls.transport.loseConnection()

    def cut(self, seconds: float) -> None:
        """
        Nothing passes for some time.
        """
        for host in self.pair.hosts:
            host.cut()
            self.clock.callLater(seconds, host.mend)

    # How it went.

    def ends(self) -> list[Any]:
        """
        How each end ended: C{None} for clean, C{...} if it has not.
        """
        found: list[Any] = []
        for each in self.links:
            ended: list[Any] = [...]
            each.whenEnded().addCallback(ended.append)
            found.append(ended[-1])
        return found

    def finish(self, limit: float = 60.0) -> None:
        """
        Let time pass until both ends have ended, and what they have left open.
        """
        assert self.network.runUntil(lambda: ... not in self.ends(), limit), (
            f"ends: {self.ends()}, leads: {[self.current(0), self.current(1)]},"
            f" wants: {[each.want for each in self.links]}"
        )
        self.findsPaths = False
        self.run(2 * PATIENCE)

    def isQuiet(self) -> bool:
        """
        Whether nothing is left of it.
        """
        return not self.network.openSockets() and not self.network.delayedCalls()

    def named(self, end: int) -> list[str]:
        """
        The names of the events that an end told.
        """
        return [each.event for each in self.events[end]]


class Talker(HalfCloser):
    """
    Sends a text, a little at a time or as fast as it may, and compares what it receives
    with another.

    C{isPrefix}: whether what it heard is how that begins.
    """

    def __init__(
        self, clock: IReactorTime, says: bytes, hears: bytes, piece: int = 20_000
    ) -> None:
        HalfCloser.__init__(self)
        self.heard = 0
        self.isPrefix = True
        self._says = says
        self._hears = hears
        self._piece = piece
        self._said = 0
        self._next = RestartableTimer(clock)

    def connectionMade(self) -> None:
        self._next.set(0, self._say)
        self.transport.registerProducer(self, True)

    def _say(self) -> None:
        piece = self._says[self._said : self._said + self._piece]
        if not piece:
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()
            return
        self._said += len(piece)
        self._next.set(0.01, self._say)
        self.transport.write(piece)

    def pauseProducing(self) -> None:
        """
        Send no more for now.
        """
        self._next.clear()

    def resumeProducing(self) -> None:
        """
        Send on.
        """
        self._next.set(0, self._say)

    def stopProducing(self) -> None:
        """
        Send no more.
        """
        self._next.clear()

    def dataReceived(self, data: bytes) -> None:
        """
        Compare it.
        """
        self.isPrefix = self.isPrefix and self._hears.startswith(data, self.heard)
        self.heard += len(data)

    @property
    def hasHeardAll(self) -> bool:
        """
        Whether it has heard all, once, in order, and then the end.
        """
        isAll = self.isPrefix and self.heard == len(self._hears)
        return isAll and self.ended.count("read") == 1


# zope.interface.implementer would hide Protocol's own declarations from mypy.
implementer(IPushProducer)(Talker)


def talkers(
    couple: Couple, random: Random, least: int, most: int, piece: int = 20_000
) -> list[Talker]:
    """
    Let both ends send at once.
    """
    texts = [random.randbytes(random.randint(least, most)) for _ in range(2)]
    made = [
        Talker(couple.clock, texts[0], texts[1], piece),
        Talker(couple.clock, texts[1], texts[0], piece),
    ]
    for link, talker in zip(couple.links, made, strict=True):
        link.start(talker)
    return made
