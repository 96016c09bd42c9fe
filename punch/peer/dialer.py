"""
The dialer: the role that asks the rendezvous for a name, and chooses the path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from punch import traceevents
from punch.errors import PunchError, RendezvousError
from punch.events import Introduced
from punch.ice.gate import Gate
from punch.ice.race import Race
from punch.ice.selected import SelectedPath
from punch.link.path import Path
from punch.link.transport import Link
from punch.nat.behavior import ObservedBehavior
from punch.net.address import formatAddress
from punch.peer.instancelock import InstanceLock
from punch.peer.introduction import DialedIntroduction
from punch.peer.peer import Peer, Rendezvous
from punch.peer.reconnect import Reconnector
from punch.peer.relaypolicy import RelayPolicy
from punch.reasons import Reason
from punch.rendezvous.client import ANSWER_TIMEOUT, CommandReceiver, IntroductionTerms
from punch.signaling.greeting import DialerGreeting
from punch.signaling.messages import TRIAL_DIAL
from punch.signaling.rejoin import Rejoin


class Dialer(CommandReceiver):
    """
    Dials one name once: connects to the rendezvous, is introduced, races, and answers
    with the path that won or with a link on it.

    L{punch.api}, L{punch.service} and the endpoints make one for each dial;
    L{punch.peer.reconnect} makes one for each further path of a link.  It is over when
    L{run}, or L{dialOnce} and L{improve}, have answered.  The rendezvous' client calls
    it as its L{punch.rendezvous.client.CommandReceiver}.
    """

    def __init__(
        self,
        peer: Peer,
        rendezvous: Rendezvous,
        name: str,
        secret: bytes,
        rejoin: Rejoin | None = None,
        policy: RelayPolicy | None = None,
        isTrial: bool = False,
    ) -> None:
        """
        @param peer: this side; it is closed when the dial is over.
        @param name: the name that the listener has published.
        @param secret: the secret that the listener knows too.
        @param rejoin: the link that wants another path; C{None} for a new link.
        @param policy: what the relay may be used for; C{None}: as the peer's settings
            say.
        @param isTrial: whether the dial only tells how the two would meet, and wants
            no link (L{punch.check.trialdial}).
        """
        told = (policy or peer.settings.relay).features
        self._features = frozenset({TRIAL_DIAL}) if isTrial else told
        # The listener need not wait for ATTACH on a path that a trial will drop.
        self._reasonAfterWin = Reason.CANCELLED if isTrial else Reason.DONE
        self._peer = peer
        self._rendezvous = rendezvous
        self._name = name
        self._policy = policy
        self._preface = b"" if rejoin is None else rejoin.preface
        self._greeting = (
            DialerGreeting(name, secret)
            if rejoin is None
            else DialerGreeting(rejoin.name, rejoin.secret)
        )
        self._terms: IntroductionTerms | None = None
        self._introduction: DialedIntroduction | None = None
        self._selected: SelectedPath[Path] | None = None
        self._tracer: traceevents.Tracer = traceevents.noTracer
        self._instanceLock = InstanceLock()
        self._gate = Gate(peer.clock, self._races)

    async def run(self) -> Link:
        """
        Dial, and make a link of the path that wins.  From then on the link's
        L{Reconnector} dials again whenever the link wants another path.  Cancelling
        leaves nothing behind.

        @raise PunchError: why there is no link.
        """
        started = self._peer.clock.seconds()
        lock = self._instanceLock = self._peer.settings.instanceLocks(self._name)
        try:
            selected = await self.dialOnce()
            link = self._peer.link(selected, DialedIntroduction.role, started)
            if not selected.isRelayed:
                await self._peer.closeBelow(link)
        except BaseException:
            lock.release()
            raise
        link.whenEnded().addCallback(lambda _: lock.release())

        def improve(selected: SelectedPath[Path]) -> Deferred[Any]:
            # Before the listener has confirmed the first path it does not know the
            # link, and cannot move it to another path.
            return link.whenConfirmed().addCallback(
                lambda isKnown: (
                    link.addPath(selected) if isKnown else selected.path.abort()
                )
            )

        link.whenConfirmed().addCallback(self._confirmed)
        link.setPathFinder(
            Reconnector(self._peer, link, self._redial, self.improve(improve))
        )
        return link

    @property
    def theirBehavior(self) -> ObservedBehavior | None:
        """
        What the other side's NATs do, as far as the other side has told.
        """
        met = self._introduction
        return None if met is None else met.theirBehavior

    def _confirmed(self, isKnown: bool) -> None:
        if isKnown:
            self._tracer(traceevents.AttachConfirmed())

    def _redial(self, rejoin: Rejoin, policy: RelayPolicy, tries: int) -> Dialer:
        """
        Make a dial for another path of the link.

        Most tries dial the name that the listener told for rejoining.  With a standing
        name every second try dials that: a listener that was restarted has forgotten
        the link, and can say so only there.
        """
        met = self._introduction
        name = met.rejoinName if met is not None and met.rejoinName else self._name
        if tries % 2 and not self._name.isdigit():
            name = self._name
        peer = self._peer.withOwnPort()
        return Dialer(peer, self._rendezvous, name, b"", rejoin, policy)

    async def dialOnce(self) -> SelectedPath[Path]:
        """
        Dial once, and answer with the path that wins.  The caller calls L{improve}
        afterwards, whatever came of it.

        @raise PunchError: why there is no path.
        """
        self._tracer = self._peer.settings.trace(
            DialedIntroduction.role.value, bool(self._preface)
        )
        return await self._peer.meet(self._gate.admit, self._introduce)

    def improve(
        self, adopt: Callable[[SelectedPath[Path]], Deferred[Any]]
    ) -> Deferred[None]:
        """
        After a relayed path has won, race on for a direct one; then close the shared
        port.  After a direct path only wait until the port is closed.

        @param adopt: gives the direct path to the link; its Deferred fires when the
            link has taken or refused it.
        @return: fires when the race is over and the port is closed.
        """
        return Deferred.fromCoroutine(self._improve(adopt))

    async def _improve(
        self, adopt: Callable[[SelectedPath[Path]], Deferred[Any]]
    ) -> None:
        met, selected = self._introduction, self._selected
        if met is None or selected is None:
            return
        if not selected.isRelayed:
            await self._peer.close()
            return
        reason = Reason.DONE
        try:
            if met.expectsDirect:
                await adopt(await met.better.wait())
        except PunchError as error:
            reason = error.reason
        except CancelledError:
            met.race.stop()
            self._leave(Reason.CANCELLED)
            self._peer.close()
            raise
        self._leave(reason)
        await self._peer.close()

    def _races(self) -> list[Race[Path]]:
        met = self._introduction
        return [met.race] if met is not None and met.expectsDirect else []

    async def _introduce(self) -> SelectedPath[Path]:
        """
        Be introduced and race, and leave the introduction when that is over.
        """
        reason = Reason.CANCELLED
        try:
            selected = self._selected = await self._meet()
            reason = self._reasonAfterWin
            return selected
        except PunchError as error:
            reason = error.reason
            if self._introduction is None:
                self._tracer(
                    traceevents.RaceFailed(reason.value, error.text, error.detail)
                )
            raise
        finally:
            if self._introduction is None:
                self._tracer(traceevents.RaceEnded())
            if self._selected is None or not self._selected.isRelayed:
                self._leave(reason)

    def _leave(self, reason: Reason) -> None:
        if self._terms is not None:
            self._terms.client.leave(self._terms.id, reason)

    async def _meet(self) -> SelectedPath[Path]:
        """
        Connect to the rendezvous, say hello and dial in one flight, and run the
        introduction that the rendezvous answers with.
        """
        self._tracer(traceevents.RendezvousConnecting())
        client = await self._peer.connect(self._rendezvous, self, mayMove=True)
        self._tracer(traceevents.RendezvousConnected())
        hello = Deferred.fromCoroutine(self._peer.sayHello(client, ANSWER_TIMEOUT))
        message = self._preface + self._greeting.message
        dialed = Deferred.fromCoroutine(client.dial(self._name, message))
        try:
            observed = await hello
            self._tracer(traceevents.AddressObserved(formatAddress(observed)))
            terms = self._terms = await dialed
        finally:
            dialed.addErrback(lambda failure: None)
        peer = formatAddress(terms.peer)
        self._peer.tell(Introduced(peer))
        self._tracer(traceevents.IntroductionReceived(terms.id.hex(), peer, terms.wait))
        self._introduction = DialedIntroduction(
            self._peer.context(self._rendezvous, self._tracer, self._policy),
            terms,
            self._greeting,
            partial(
                self._peer.details,
                observed,
                instanceToken=self._instanceLock.token.hex(),
                features=self._features,
            ),
        )
        return await self._introduction.selected

    # What the rendezvous says (L{punch.rendezvous.client.CommandReceiver}).

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        The listener sent a message through the rendezvous.
        """
        met = self._met(introduction)
        if met is not None:
            met.received(message)

    def left(self, introduction: bytes, reason: str) -> None:
        """
        The listener left the introduction.
        """
        met = self._met(introduction)
        if met is not None:
            met.left(reason)

    def _met(self, introduction: bytes) -> DialedIntroduction | None:
        isOurs = self._terms is not None and self._terms.id == introduction
        return self._introduction if isOurs else None

    def rendezvousLost(self, why: RendezvousError) -> None:
        """
        Fail, unless the other side's details are here: then the race needs the
        rendezvous no more.
        """
        if self._introduction is not None and not self._introduction.proven:
            self._introduction.race.fail(why)
