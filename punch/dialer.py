"""
The dialer: from a name and a secret to a link.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from punch.address import Address, formatAddress
from punch.errors import PunchError, RendezvousError
from punch.events import Introduced, Observed
from punch.gate import Gate
from punch.greeting import DialersGreeting
from punch.introduction import Dialed, Meeting
from punch.link import Link
from punch.path import Path
from punch.peer import Peer, Rendezvous
from punch.race import Win
from punch.reasons import Reason
from punch.rendezvous.client import RendezvousClient


class Dialer:
    """
    One dial.  (To the rendezvous it is a L{punch.rendezvous.client.Guest}.)
    """

    def __init__(
        self, peer: Peer, rendezvous: Rendezvous, name: str, secret: bytes
    ) -> None:
        """
        @param name: the published name.
        @param secret: what the listener knows too.
        """
        self._peer = peer
        self._rendezvous = rendezvous
        self._name = name
        self._greeting = DialersGreeting(name, secret)
        self._client: RendezvousClient | None = None
        self._id = b""
        self._introduction: Dialed | None = None
        self._gate = Gate(
            peer.clock,
            lambda: [self._introduction.race] if self._introduction else [],
        )

    async def run(self) -> Link:
        """
        Dial.  Cancelling it leaves nothing behind.

        @raise PunchError: why there is no link.
        """
        started = self._peer.clock.seconds()
        return await self._peer.meet(
            self._gate.admit,
            self._introduce,
            lambda win: self._peer.link(win, Dialed.role, started),
        )

    async def _introduce(self) -> Win[Path]:
        """
        Go to the rendezvous, race, and leave the introduction.
        """
        reason = Reason.CANCELLED
        try:
            win = await self._meet()
            reason = Reason.DONE
            return win
        except PunchError as error:
            reason = error.reason
            raise
        finally:
            if self._client is not None and self._id:
                self._client.leave(self._id, reason)

    async def _meet(self) -> Win[Path]:
        """
        Be introduced, and race.
        """
        client = self._client = await self._peer.connect(self._rendezvous, self)
        hello = Deferred.fromCoroutine(client.hello())
        dialed = Deferred.fromCoroutine(client.dial(self._name, self._greeting.message))
        try:
            observed = await hello
            self._peer.tell(Observed(formatAddress(observed)))
            self._id, peer, wait = await dialed
        finally:
            dialed.addErrback(lambda failure: None)
        self._peer.tell(Introduced(formatAddress(peer)))
        self._introduction = Dialed(
            self._peer.means,
            Meeting(
                peer, wait, client.overLoopback, lambda m: client.relay(self._id, m)
            ),
            self._greeting,
            self._peer.details(observed),
        )
        return await self._introduction.won

    # What the rendezvous says.

    def introduced(
        self, introduction: bytes, peer: Address, wait: float, message: bytes
    ) -> None:
        """
        We published nothing: a rendezvous that introduces others to us errs.
        """

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        The listener sent its message.
        """
        if self._introduction is not None and introduction == self._id:
            self._introduction.received(message)

    def left(self, introduction: bytes, reason: str) -> None:
        """
        The listener gave up.
        """
        if self._introduction is not None and introduction == self._id:
            self._introduction.left(reason)

    def rendezvousLost(self, why: RendezvousError) -> None:
        """
        Once the other side's details are here, we can do without.
        """
        if self._introduction is not None and not self._introduction.proven:
            self._introduction.race.fail(why)
