"""
The relay policy: what the rendezvous' relay may be used for.
"""

from __future__ import annotations

from collections.abc import Container
from enum import Enum

from punch.errors import BadOption

RELAYED_ONLY = "relayed-only"
DIRECT_ONLY = "direct-only"
"""
The features (L{punch.signaling.messages.Details}) by which a peer says that nothing
else will do.
"""


class RelayPolicy(Enum):
    """
    What the relay may be used for; the values are what users write after C{--relay}.
    """

    FALLBACK = "fallback"
    """
    A link may begin on the relay, and stays there while there is no direct path.
    """
    ONLY = "only"
    """
    Only relayed paths will do: no direct one is tried, or let in.
    """
    NEVER = "never"
    """
    Only direct paths will do.
    """

    @classmethod
    def named(cls, text: str) -> RelayPolicy:
        """
        Read the policy that a user wrote.

        @raise BadOption: there is none of that name.
        """
        for each in cls:
            if each.value == text:
                return each
        names = ", ".join(each.value for each in cls)
        raise BadOption(f"relay: {text!r} is none of {names}")

    @property
    def features(self) -> frozenset[str]:
        """
        The features by which the other side is told.
        """
        if self is RelayPolicy.FALLBACK:
            return frozenset()
        return frozenset({DIRECT_ONLY if self is RelayPolicy.NEVER else RELAYED_ONLY})

    def beside(self, features: Container[str]) -> RelayPolicy | None:
        """
        The policy that does for both sides, or C{None} if none does.

        @param features: the other side's.
        """
        if RELAYED_ONLY in features:
            return RelayPolicy.ONLY if self.mayRelay else None
        return self if self.mayMeet or DIRECT_ONLY not in features else None

    @property
    def mayRelay(self) -> bool:
        """
        Whether a relayed path will do.
        """
        return self is not RelayPolicy.NEVER

    @property
    def mayMeet(self) -> bool:
        """
        Whether a direct path will do.
        """
        return self is not RelayPolicy.ONLY
