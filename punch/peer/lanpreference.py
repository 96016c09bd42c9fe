"""
The head start: on one network the other side is reached at an address of its own, and
perhaps by way of the NAT before both as well, which is ready first.
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
Seconds, from when the other side's own addresses are known: a connection and TLS, on
any network that a room has.
"""


class LANPreference:
    """
    One, in one introduction, for the dialer's choice.
    """

    def __init__(self, clock: IReactorTime, own: Address, peer: Address) -> None:
        """
        @param own: our address as the rendezvous sees it.
        @param peer: likewise the other side's.
        """
        self._clock = clock
        self._shared = own.host if own.host == peer.host else ""
        self._endsAt = clock.seconds()

    @property
    def isBehindOne(self) -> bool:
        """
        Whether the rendezvous sees both at one address.
        """
        return bool(self._shared)

    def begin(self, ours: Iterable[Candidate], theirs: Iterable[Candidate]) -> None:
        """
        The two sides know each other's addresses.  There is nothing to overtake where
        the address that both have is a machine's own.
        """
        hosts = [each.kind is Kind.HOST for each in theirs]
        isOurs = self._shared in {each.address.host for each in ours}
        if any(hosts) and self._shared and not isOurs:
            self._endsAt = self._clock.seconds() + HEAD_START

    def over(self, path: Path) -> Path | Deferred[Path]:
        """
        The path, as soon as it may win.
        """
        left = self._endsAt - self._clock.seconds()
        if path.remote.host != self._shared or left <= 0:
            return path
        return Deferred.fromCoroutine(self._hold(path, left))

    async def _hold(self, path: Path, seconds: float) -> Path:
        try:
            # Nobody attaches what we have not chosen; but it may be lost.
            await path.whenAttached().addTimeout(seconds, self._clock)
        except TimeoutError:
            return path
        except BaseException:
            path.abort()
            raise
        return path
