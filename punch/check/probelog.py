"""
The probe log: what was asked, what came of it, and how long that took.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import Binding, IReactorTime

from punch.check.report import Evidence
from punch.errors import PunchError
from punch.nat.errors import STUNError
from punch.nat.stunclient import MappedPort, requestMappedPort
from punch.net.address import Address, formatAddress
from punch.util.deferreds import gatherAll

T = TypeVar("T")

STUN_TIMEOUT = 5.0
"""
Seconds that a STUN server may take, the connect included.
"""


class ProbeLog:
    """
    Waits for the probes of one check, and records what came of each.

    A L{punch.check.probes.CheckRun} or a L{punch.check.trialdial.TrialDial} makes and
    owns it.  It waits for nothing by itself, so it need not be closed.

    @ivar evidence: the records, in the order in which the probes ended.
    """

    def __init__(self, reactor: Any) -> None:
        self.evidence: list[Evidence] = []
        self._reactor = reactor
        self._clock = IReactorTime(reactor)

    async def record(
        self, asked: str, answer: Awaitable[T], describe: Callable[[T], str]
    ) -> T:
        """
        Wait for an answer, and record it or the error that came instead.

        @param asked: what is asked, for a person.
        @param describe: says in a few words what the answer is.
        """
        began = self._clock.seconds()
        came = "cancelled"
        try:
            result = await answer
            came = describe(result)
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

    async def askSTUN(
        self, server: Address, binding: Binding, whence: str
    ) -> MappedPort | None:
        """
        Ask a STUN server at which address it sees C{binding}, and record the answer.

        @param whence: what C{binding} is, for a person.
        @return: C{None} if the server does not tell.
        """
        sighting = requestMappedPort(self._clock, self._reactor, server, binding)
        sighting.addTimeout(STUN_TIMEOUT, self._clock)
        asked = f"STUN at {formatAddress(server)} from {whence}"
        try:
            return await self.record(
                asked,
                sighting,
                lambda seen: f"port {seen.internalPort} {seenAs(seen.externalAddress)}",
            )
        except (STUNError, TimeoutError):
            return None

    async def askAllSTUN(
        self, servers: Sequence[Address], binding: Binding, whence: str
    ) -> list[MappedPort | None]:
        """
        Ask STUN servers as L{askSTUN} does, all of them at once.
        """
        asked = (self.askSTUN(each, binding, whence) for each in servers)
        return await gatherAll([Deferred.fromCoroutine(each) for each in asked])


def seenAs(address: Address) -> str:
    """
    In words, that somebody sees us at C{address}.
    """
    return f"seen as {formatAddress(address)}"
