"""
The listener: the role that publishes a name and waits for dialers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch import errors
from punch.events import CodeAllotted, Waiting
from punch.link.transport import Link
from punch.peer.incoming import IncomingIntroductions
from punch.peer.peer import Peer, Rendezvous
from punch.rendezvous.client import ANSWER_TIMEOUT, RendezvousClient
from punch.signaling.code import Code, chooseWords
from punch.signaling.meetingpoint import MeetingPoint
from punch.util.deferreds import SharedResult
from punch.util.timers import InterruptibleSleep

_PAUSES = (0.5, 30.0)
_LINKED_PAUSES = (0.1, 1.0)
"""
Seconds from one try to come back to the rendezvous to the next, at first and at most:
usually, and while the dialers of our links may look for us there.
"""

_LINKED_TIMEOUT = 2.0
"""
Seconds that the rendezvous may take to answer, while the dialers of our links may look
for us there.
"""


class Listener:
    """
    Publishes a name, and again whenever the rendezvous was lost or the network has
    changed; meets any number of dialers, each in an introduction of its own.

    The services, the endpoints and L{listenOnce} make one.  L{run} is its whole life.
    """

    _log = Logger()

    def __init__(
        self,
        peer: Peer,
        rendezvous: Rendezvous,
        meetingPoint: MeetingPoint | None,
        linked: Callable[[Link], None],
        failed: Callable[[errors.PunchError], None],
    ) -> None:
        """
        @param meetingPoint: the name and the secret to wait under; C{None}: a code
            that is made when the rendezvous is reached.
        @param linked: is given each link.
        @param failed: is given the error of each introduction that failed with a
            dialer that knew our secret, or whose wrong guess has used up the code.
            Other failures are told as an event only.
        """
        self._peer = peer
        self._rendezvous = rendezvous
        self._owner = secrets.token_bytes(16)
        self._backoff = InterruptibleSleep(peer.clock)
        self._publishing: Deferred[None] | None = None
        self._isRetryWanted = False
        self._incoming = IncomingIntroductions(
            peer, rendezvous, linked, failed, self._renewCode
        )
        self._incoming.meetingPoint = meetingPoint
        if peer.settings.resumeFor:
            self._incoming.rejoinName = f"again-{secrets.token_hex(16)}"

    async def run(self) -> None:
        """
        Listen until this is cancelled, which leaves nothing behind but the links.

        @raise PunchError: why we cannot begin, or go on.
        """
        await self._peer.open(self._incoming.gate.admit, self._peer.settings.port)
        changes = self._peer.watchNetwork(self._networkChanged)
        try:
            await self._publish()
            while True:
                why = await self._incoming.rendezvousGone.wait()
                self._log.warn("{why} Coming back.", why=why)
                await self._republish()
        except Exception:
            # Not "finally": a coroutine that is collected half-done may not wait.
            changes()
            self._incoming.close()
            await self._peer.close()
            raise

    def retire(self) -> Deferred[None]:
        """
        Make no more links, but go on to help those that live to another path.

        @return: fires when no link is left.
        """
        self._incoming.isRetired = True
        return self._incoming.whenEmpty()

    def _networkChanged(self) -> None:
        """
        Our address may be another: ask whether the rendezvous still has us, and do not
        wait with what was to be tried again.
        """
        client = self._incoming.client
        if client is not None:
            client.checkNow(client.localHost not in self._peer.addresses())
        self._peer.askSTUNServers()
        self._incoming.probeLinks()
        self._backoff.wake()
        if self._publishing is not None:
            self._isRetryWanted = True
            self._publishing.cancel()

    async def _publish(self) -> None:
        """
        Connect to the rendezvous and publish our name there.
        """
        client = await self._peer.connect(self._rendezvous, self._incoming)
        self._incoming.rendezvousGone = SharedResult()
        try:
            observed = await self._peer.sayHello(client, self._timeout())
            self._incoming.observed = observed
            self._incoming.client = client
            await self._claimName(client)
        except BaseException:
            self._incoming.client = None
            client.disconnect()
            raise
        client.keepAlive()
        self._peer.tell(Waiting())
        if self._incoming.rejoinName:
            published = client.publish(self._incoming.rejoinName, self._owner)
            Deferred.fromCoroutine(published).addErrback(self._unpublished)

    def _unpublished(self, failure: Failure) -> None:
        """
        Without a name for rejoining, the dialers of our links find us under our usual
        name only.
        """
        self._log.debug("no name for those who come back: {why}", why=failure.value)

    async def _claimName(self, client: RendezvousClient) -> None:
        meetingPoint = self._incoming.meetingPoint
        if meetingPoint is not None:
            try:
                await client.publish(meetingPoint.name, self._owner)
                return
            except errors.NameTaken:
                if meetingPoint.isLasting:
                    raise
                # While we were gone our number was given to somebody else.
        if not self._incoming.isRetired:
            await self._allocateCode(client)

    async def _allocateCode(self, client: RendezvousClient) -> None:
        code = Code(await client.allocate(self._owner), chooseWords())
        self._incoming.meetingPoint = MeetingPoint.coded(code)
        self._peer.tell(CodeAllotted(str(code)))

    async def _republish(self) -> None:
        """
        Publish again, however many tries that takes.
        """
        shortest, longest = self._pauses()
        pause = shortest
        while True:
            try:
                await self._publishInTime()
                return
            except (errors.NameTaken, errors.BadName, errors.UnsupportedVersion):
                raise
            except errors.RendezvousError as error:
                self._log.info("{error} Trying again.", error=error)
                if isinstance(error, (errors.PortHeld, errors.RendezvousTimedOut)):
                    # The system, or our NAT, may hold the shared port for the
                    # connection that was lost.
                    await self._changePort()
            except CancelledError:
                if not self._isRetryWanted:
                    raise
                self._isRetryWanted = False
                continue
            await self._backoff.sleep(
                pause * self._peer.settings.random.uniform(0.8, 1.2)
            )
            pause = min(pause * 2, longest)

    def _timeout(self) -> float:
        """
        Seconds that the rendezvous may take to answer our hello.
        """
        return _LINKED_TIMEOUT if self._incoming.hasLinks else ANSWER_TIMEOUT

    def _pauses(self) -> tuple[float, float]:
        return _LINKED_PAUSES if self._incoming.hasLinks else _PAUSES

    async def _publishInTime(self) -> None:
        """
        Publish again.  While the dialers of our links may look for us, give up early
        on an answer that may not come.
        """
        self._publishing = trying = Deferred.fromCoroutine(self._publish())
        if self._incoming.hasLinks:
            trying.addTimeout(2 * _LINKED_TIMEOUT, self._peer.clock)
        try:
            await trying
        except TimeoutError:
            raise errors.RendezvousTimedOut() from None
        finally:
            self._publishing = None

    async def _changePort(self) -> None:
        """
        Take another shared port, unless the settings name it or an introduction is
        in progress on it.
        """
        if self._peer.settings.port or self._incoming.isBusy:
            return
        try:
            await self._peer.open(self._incoming.gate.admit, 0)
        except errors.PunchError as error:
            self._log.info("{error}", error=error)

    def _renewCode(self, name: str) -> None:
        """
        A wrong guess has used up the code of C{name}: make another.
        """
        client = self._incoming.client
        if client is not None and not self._incoming.isRetired:
            renewed = Deferred.fromCoroutine(self._renew(client, name))
            renewed.addErrback(lambda failure: None)

    async def _renew(self, client: RendezvousClient, name: str) -> None:
        await client.withdraw(name)
        await self._allocateCode(client)


async def listenOnce(
    peer: Peer, rendezvous: Rendezvous, meetingPoint: MeetingPoint | None
) -> Link:
    """
    Listen for one link.

    @return: the first link; the listener lives on behind it, to help it to other paths.
    @raise PunchError: the first failure that counts (see L{Listener}).
    """
    first: Deferred[Link] = Deferred()

    def failed(error: errors.PunchError) -> None:
        if not first.called:
            first.errback(error)

    def linked(link: Link) -> None:
        if first.called:
            link.abortConnection()
        else:
            first.callback(link)

    listener = Listener(peer, rendezvous, meetingPoint, linked, failed)
    running = Deferred.fromCoroutine(listener.run())
    running.addErrback(lambda failure: None if first.called else first.errback(failure))
    try:
        link = await first
    except BaseException:
        running.cancel()
        raise
    if peer.settings.resumeFor:
        listener.retire().addCallback(lambda _: running.cancel())
        return link
    running.cancel()
    try:
        await running
    except BaseException:
        link.abortConnection()
        raise
    return link
