"""
The notebook: what was asked, what came of it, and how long that took.

The looks: as what vantages see our ports, noted down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import (
    Deferred,
    TimeoutError,
)
from twisted.internet.interfaces import Binding, IReactorTime

from punch.check.report import Evidence
from punch.errors import PunchError
from punch.nat.errors import STUNError
from punch.nat.stunclient import PortMapping, requestPortMapping
from punch.net.address import Address, formatAddress
from punch.util.deferreds import gatherAll

T = TypeVar("T")


class ProbeLog:
    """
    One, of one examination.

    C{evidence}: what it has, in the order in which it came.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.evidence: list[Evidence] = []
        self._clock = clock

    async def note(
        self, asked: str, waited: Awaitable[T], told: Callable[[T], str]
    ) -> T:
        """
        Wait, and keep what came, be it a result or an error.

        @param told: says what came.
        """
        began = self._clock.seconds()
        came = "cancelled"
        try:
            result = await waited
            came = told(result)
            return result
        except TimeoutError:
            came = "no answer"
            raise
        except PunchError as error:
            came = f"failed ({error.reason.value})"
            raise
        except Exception as error:
            came = f"failed ({error})"
            raise
        finally:
            elapsed = round((self._clock.seconds() - began) * 1000, 1)
            self.evidence.append(Evidence(asked, came, elapsed))


def seenAs(address: Address) -> str:
    """
    What somebody says who sees us.
    """
    return f"seen as {formatAddress(address)}"


PATIENCE = 5.0
"""
Seconds that a look may take.
"""


class Looks:
    """
    Those of one examination.
    """

    def __init__(self, reactor: Any, notes: ProbeLog) -> None:
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._notes = notes

    async def one(
        self, vantage: Address, binding: Binding, whence: str
    ) -> PortMapping | None:
        """
        Ask C{vantage}.

        @param whence: what C{binding} is, for a person.
        @return: C{None} if it does not tell.
        """
        looked = requestPortMapping(self._clock, self._reactor, vantage, binding)
        looked.addTimeout(PATIENCE, self._clock)
        asked = f"STUN at {formatAddress(vantage)} from {whence}"
        try:
            return await self._notes.note(asked, looked, _told)
        except (STUNError, TimeoutError):
            return None

    async def all(
        self, vantages: Sequence[Address], binding: Binding, whence: str
    ) -> list[PortMapping | None]:
        """
        Ask all of them at once.
        """
        looks = [
            Deferred.fromCoroutine(self.one(each, binding, whence)) for each in vantages
        ]
        return await gatherAll(looks)


def _told(seen: PortMapping) -> str:
    return f"port {seen.internalPort} {seenAs(seen.externalAddress)}"
