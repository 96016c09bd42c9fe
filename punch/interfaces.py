"""
What has, or will have, more than one provider.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from zope.interface import Interface


class IDirectory(Interface):
    """
    Which name is waited under, and by whom.

    A C{waiter} is opaque to the directory: what L{find} hands back.  An C{owner}
    is a secret of the waiting process, by which it takes its name over from a
    connection of its own that died unnoticed.  Answers are awaited, so that a
    directory may be shared by several rendezvous servers; one in memory answers
    without suspending.
    """

    def allocate(owner: bytes, waiter: object) -> Awaitable[str]:
        """
        Let C{waiter} wait under a free number, a small one if possible.
        """

    def claim(name: str, owner: bytes, waiter: object) -> Awaitable[Any]:
        """
        Let C{waiter} wait under C{name}.

        @return: the waiter from which the same owner takes the name over, or
            L{None}.
        @raise punch.errors.NameTaken: another owner has the name, or had this
            number a short while ago.
        """

    def release(name: str, waiter: object) -> Awaitable[None]:
        """
        C{waiter} no longer waits under C{name}; nothing happens if by now
        somebody else does.
        """

    def find(name: str) -> Awaitable[Any]:
        """
        Who waits under C{name}.

        @raise punch.errors.NoSuchName: nobody does.
        """
