"""
The trial dial: it finds out how two peers would meet, and makes no link.

It is a real dial up to the instant at which the dialer would attach the path that has
won, so its result is what happened, and not what was concluded.  A feature in its
details tells the listener what it is; so the listener goes on waiting, and reports no
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
Seconds from the introduction to giving up, if nothing else is asked for: as long as a
port search takes (L{punch.peer.porttraversal.THOROUGH}), and then the peer's report.
"""


class TrialDial:
    """
    Runs one trial dial, and answers with its L{TrialResult}.

    C{punch.cli.check_tap} makes it.  It has a L{Peer} of its own, which C{run} closes.
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
        @param name: the name under which the peer waits.
        @param secret: the secret that the peer knows, too.
        @param settings: as for a dial; C{tell} and C{relay} are replaced.
        """
        chosen = replace(settings, tell=self._tell, relay=RelayPolicy.NEVER)
        self._peer = Peer(reactor, chosen)
        self._clock = self._peer.clock
        self._dialer = Dialer(self._peer, rendezvous, name, secret, isTrial=True)
        self._name = name
        self._probeLog = ProbeLog(reactor)
        self._peerAddress = ""
        self._started: dict[str, float] = {}
        self._attempts: dict[str, Evidence] = {}

    async def run(self) -> TrialResult:
        """
        Dial, and give up the path that has won.  Cancelling leaves nothing behind.
        """
        asked = f"meeting whoever waits under {self._name}"
        path, why = "", None
        try:
            path = await self._probeLog.record(asked, self._dial(), lambda _: "direct")
        except PunchError as error:
            why = error
        evidence = (*self._attempts.values(), *self._probeLog.evidence)
        behavior = self._dialer.theirBehavior
        return TrialResult(self._peerAddress, behavior, path, why, evidence)

    async def _dial(self) -> str:
        """
        @return: the path that won, described.
        """
        began = self._clock.seconds()
        selected = await self._dialer.dialOnce()
        selected.path.abort()
        path = described(selected, self._clock.seconds() - began)
        await self._peer.close()
        return path

    def _tell(self, event: Event) -> None:
        if isinstance(event, Introduced):
            self._peerAddress = event.peer
        elif isinstance(event, Attempted):
            now = self._clock.seconds()
            since = self._started.setdefault(event.remote, now)
            if event.outcome == "started":
                return
            asked = f"connect to {event.remote} ({event.kind}), the peer's"
            lasted = round((now - since) * 1000, 1)
            self._attempts[event.remote] = Evidence(asked, event.outcome, lasted)


def described(selected: SelectedPath[Path], elapsed: float) -> str:
    """
    A direct path as a person reads of it: how it came about, and after how long.

    @param elapsed: seconds since the start of the dial.
    """
    towards = "to" if selected.how is Origin.CONNECTED else "from"
    return (
        f"direct after {elapsed * 1000:.0f} ms, {selected.how.value} {towards}"
        f" {formatAddress(selected.remote)}, {selected.kind.value}"
    )
