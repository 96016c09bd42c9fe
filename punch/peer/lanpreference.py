"""
The LAN's preference: between two peers behind one NAT the path on the LAN wins, though
the path through the NAT may be ready first.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from punch.ice.candidate import Candidate, Kind
from punch.link.path import Path
from punch.net.address import Address

HEAD_START = 0.1
"""
Seconds that the LAN's path has to itself, from when the other side's own addresses are
known: enough for a connection and TLS on a local network.
"""


class LANPreference:
    """
    Holds paths through the common NAT back, in one introduction, until the LAN's path
    has had its chance.

    Each introduction makes one.  It matters to the dialer alone, which chooses the
    path.
    """

    def __init__(self, clock: IReactorTime, own: Address, peer: Address) -> None:
        """
        @param own: our address as the rendezvous sees it.
        @param peer: the other side's address as the rendezvous sees it.
        """
        self._clock = clock
        self._shared = own.host if own.host == peer.host else ""
        self._endsAt = clock.seconds()

    @property
    def isBehindSameNAT(self) -> bool:
        """
        Whether the rendezvous sees both sides at one address.
        """
        return bool(self._shared)

    def candidatesKnown(
        self, ours: Iterable[Candidate], theirs: Iterable[Candidate]
    ) -> None:
        """
        The candidates of both sides are known: the head start begins now.  There is
        none if the address that both have belongs to a host's own interface, since
        then no NAT is between them.
        """
        hosts = [each.kind is Kind.HOST for each in theirs]
        isOurs = self._shared in {each.address.host for each in ours}
        if any(hosts) and self._shared and not isOurs:
            self._endsAt = self._clock.seconds() + HEAD_START

    def delay(self, path: Path) -> Path | Deferred[Path]:
        """
        Answer with the path as soon as it may win.
        """
        left = self._endsAt - self._clock.seconds()
        if path.remote.host != self._shared or left <= 0:
            return path
        return Deferred.fromCoroutine(self._hold(path, left))

    async def _hold(self, path: Path, seconds: float) -> Path:
        try:
            # Only we attach paths, so this cannot fire; but it fails if the path is
            # lost.
            await path.whenAttached().addTimeout(seconds, self._clock)
        except TimeoutError:
            return path
        except BaseException:
            path.abort()
            raise
        return path
