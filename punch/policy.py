"""
The policy: what the relay may be used for.
"""

from __future__ import annotations

from enum import Enum

from punch.errors import BadOption


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
