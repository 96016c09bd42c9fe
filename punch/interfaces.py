"""
What has, or will have, more than one provider.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from zope.interface import Attribute, Interface

from punch.errors import PunchError


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


class IPunchProtocol(Interface):
    """
    What C{twist punch --protocol NAME[:ARGS]} can run on a link.

    Its providers are plugins: instances in modules of C{twisted/plugins}, which
    provide L{twisted.plugin.IPlugin} too.
    """

    name = Attribute("The C{NAME}: a string without a colon.")

    help = Attribute("What it does and what its C{ARGS} are: one line.")

    def factory(reactor: Any, args: str) -> Any:
        """
        An C{IProtocolFactory}, which may provide L{IOutcome} too; it builds a
        protocol for each link.

        @param reactor: the reactor, which does not run yet.
        @param args: what stands after the first colon; C{""} if there is none.
        @raise punch.errors.BadOption: these C{args} do not do.
        """


class IStandardStreamsProtocol(IPunchProtocol):
    """
    A protocol that has the process's standard input and output to itself.

    There is one of each, so it gets one link, as by C{--once}; C{twist}'s log keeps
    off standard output, and no code is read from standard input.
    """


class IFarewell(Interface):
    """
    For a protocol's factory: its protocols may need some time before their links end.
    """

    def goAway() -> Awaitable[Any]:
        """
        Begin nothing new.

        @return: a C{Deferred} that fires when nothing goes on.
        """

    def leave() -> None:
        """
        End the links, whatever goes on.
        """


class IOutcome(Interface):
    """
    For a protocol's factory: the link is not all that counts.
    """

    def outcome(error: PunchError | None) -> Awaitable[PunchError | None]:
        """
        There will be no more links.

        @param error: why the last one ended early, or did not come about; L{None}
            if it ended cleanly.
        @return: once the rest is done too: what the process is to end with.
        """
