"""
The notebook: what was asked, what came of it, and how long that took.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from punch.address import Address, formatAddress
from punch.errors import PunchError
from punch.report import Evidence

T = TypeVar("T")


class Notebook:
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
