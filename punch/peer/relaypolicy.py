"""
The policy: what the relay may be used for.
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
    Values are those that users write.
    """

    FALLBACK = "fallback"
    """
    Until there is a direct path, and where there is none.
    """
    ONLY = "only"
    """
    Always: no direct path is tried, or let in.
    """
    NEVER = "never"

    @classmethod
    def named(cls, text: str) -> RelayPolicy:
        """
        The policy that a user wrote.

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
        What the other side is told of it.
        """
        if self is RelayPolicy.FALLBACK:
            return frozenset()
        return frozenset({DIRECT_ONLY if self is RelayPolicy.NEVER else RELAYED_ONLY})

    def beside(self, features: Container[str]) -> RelayPolicy | None:
        """
        What is left of it beside the other side's features; C{None} if nothing is.
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
