"""
The looks: as what vantages see our ports, noted down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import (
    Deferred,
    TimeoutError,
)
from twisted.internet.interfaces import Binding, IReactorTime

from punch.address import Address, formatAddress
from punch.arrival import together
from punch.notebook import Notebook, seenAs
from punch.stunclient import Sighting, sight
from punch.stunerrors import STUNError

PATIENCE = 5.0
"""
Seconds that a look may take.
"""


class Looks:
    """
    Those of one examination.
    """

    def __init__(self, reactor: Any, notes: Notebook) -> None:
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._notes = notes

    async def one(
        self, vantage: Address, binding: Binding, whence: str
    ) -> Sighting | None:
        """
        Ask C{vantage}.

        @param whence: what C{binding} is, for a person.
        @return: C{None} if it does not tell.
        """
        looked = sight(self._clock, self._reactor, vantage, binding)
        looked.addTimeout(PATIENCE, self._clock)
        asked = f"STUN at {formatAddress(vantage)} from {whence}"
        try:
            return await self._notes.note(asked, looked, _told)
        except (STUNError, TimeoutError):
            return None

    async def all(
        self, vantages: Sequence[Address], binding: Binding, whence: str
    ) -> list[Sighting | None]:
        """
        Ask all of them at once.
        """
        looks = [
            Deferred.fromCoroutine(self.one(each, binding, whence)) for each in vantages
        ]
        return await together(looks)


def _told(seen: Sighting) -> str:
    return f"port {seen.inside} {seenAs(seen.outside)}"
