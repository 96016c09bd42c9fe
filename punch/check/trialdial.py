"""
The rehearsal: a dial that is to tell how two peers would meet, and makes no link.

It is a dial in earnest up to the instant at which the dialer would attach the path
that has won: so what it tells is what happened, not what was concluded.  It says by a
feature in its details what it is, so that the listener goes on waiting, and knows of no
failure.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.interfaces import IReactorTCP

from punch.check.probelog import ProbeLog
from punch.check.report import Evidence
from punch.check.trialresult import TrialResult
from punch.errors import PunchError
from punch.events import Attempted, Event, Introduced
from punch.ice.selected import SelectedPath
from punch.link.path import Path
from punch.net.address import formatAddress
from punch.net.connection import Origin
from punch.peer.dialer import Dialer
from punch.peer.peer import Peer, Rendezvous
from punch.peer.relaypolicy import RelayPolicy
from punch.peer.settings import Settings

TIMEOUT = 12.0
"""
Seconds from the introduction to giving up, if nothing else is said: as long as a search
for a port takes (L{punch.peer.porttraversal.THOROUGH}), and the other side's account.
"""


class TrialDial:
    """
    One.
    """

    def __init__(
        self,
        reactor: IReactorTCP,
        rendezvous: Rendezvous,
        name: str,
        secret: bytes,
        settings: Settings,
    ) -> None:
        """
        @param name: under which the other side waits.
        @param secret: what it knows too.
        """
        chosen = replace(settings, tell=self._tell, relay=RelayPolicy.NEVER)
        self._peer = Peer(reactor, chosen)
        self._clock = self._peer.clock
        self._dialer = Dialer(self._peer, rendezvous, name, secret, isTrial=True)
        self._name = name
        self._met = ""
        self._started: dict[str, float] = {}
        self._tried: dict[str, Evidence] = {}

    async def run(self) -> TrialResult:
        """
        Meet, and leave.  Cancelling it leaves nothing behind.
        """
        notes = ProbeLog(self._clock)
        asked = f"meeting whoever waits under {self._name}"
        way, why = "", None
        try:
            way = await notes.note(asked, self._meet(), lambda way: "direct")
        except PunchError as error:
            why = error
        evidence = (*self._tried.values(), *notes.evidence)
        return TrialResult(self._met, self._dialer.theirBehavior, way, why, evidence)

    async def _meet(self) -> str:
        """
        @return: how the path that won came about.  Nobody wants the path itself.
        """
        began = self._clock.seconds()
        selected = await self._dialer.dialOnce()
        selected.path.abort()
        way = wayOf(selected, self._clock.seconds() - began)
        await self._peer.close()
        return way

    def _tell(self, event: Event) -> None:
        if isinstance(event, Introduced):
            self._met = event.peer
        elif isinstance(event, Attempted):
            now = self._clock.seconds()
            since = self._started.setdefault(event.remote, now)
            if event.outcome == "started":
                return
            asked = f"connect to {event.remote} ({event.kind}), the peer's"
            lasted = round((now - since) * 1000, 1)
            self._tried[event.remote] = Evidence(asked, event.outcome, lasted)


def wayOf(selected: SelectedPath[Path], elapsed: float) -> str:
    """
    How a direct path came about, for a person.
    """
    towards = "to" if selected.how is Origin.CONNECTED else "from"
    return (
        f"direct after {elapsed * 1000:.0f} ms, {selected.how.value} {towards}"
        f" {formatAddress(selected.remote)}, {selected.kind.value}"
    )
