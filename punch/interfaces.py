"""
The interfaces that programs and plugins may provide.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from zope.interface import Attribute, Interface

from punch.errors import PunchError


class IDirectory(Interface):
    """
    A rendezvous' directory: who waits under which name.

    A C{waiter} is any object, which L{find} hands back.  An C{owner} is a secret of the
    waiting process.  With it the process takes its name over from an earlier connection
    of its own that has died unnoticed.  The methods are awaited, so that several
    rendezvous servers can share a directory; one in memory answers without suspending.
    """

    def allocate(owner: bytes, waiter: object) -> Awaitable[str]:
        """
        Let C{waiter} wait under a free number, a small one if possible.

        @return: the number, as the name to find it by.
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
        Let C{waiter} no longer wait under C{name}.  Nothing happens if somebody else
        waits under it by now.
        """

    def find(name: str) -> Awaitable[Any]:
        """
        Find who waits under C{name}.

        @return: the waiter.
        @raise punch.errors.NoSuchName: nobody does.
        """


class IPunchProtocol(Interface):
    """
    What C{twist punch --protocol NAME[:ARGS]} can run on a link.

    Its providers are plugins: instances in modules of C{twisted/plugins}, which
    provide L{twisted.plugin.IPlugin} too.
    """

    name = Attribute("The C{NAME}, without a colon, as a string.")

    help = Attribute("One line that says what it does and what its C{ARGS} are.")

    def factory(reactor: Any, args: str) -> Any:
        """
        Make an C{IProtocolFactory}, which builds a protocol for each link.  It may
        provide L{IOutcome} and L{IFarewell} as well.

        @param reactor: the reactor, which does not run yet.
        @param args: the text after the first colon; C{""} if there is none.
        @raise punch.errors.BadOption: C{args} are wrong.
        """


class IStandardStreamsProtocol(IPunchProtocol):
    """
    A protocol that has the process's standard input and output to itself.

    It gets one link only, as with C{--once}.  C{twist} does not log to standard output
    then, and does not read a code from standard input.
    """


class IFarewell(Interface):
    """
    A protocol factory whose protocols may need time before their links end.
    """

    def goAway() -> Awaitable[Any]:
        """
        Start nothing new, and let what is in progress finish.

        @return: a C{Deferred} that fires when nothing is in progress any more.
        """

    def leave() -> None:
        """
        End the links now, whatever is in progress.
        """


class IOutcome(Interface):
    """
    A protocol factory that decides, after the last link, how the process ends.
    """

    def outcome(error: PunchError | None) -> Awaitable[PunchError | None]:
        """
        Finish what is left to do, now that there will be no more links.

        @param error: why the last link ended early, or could not be made; L{None} if it
            ended cleanly.
        @return: the error that the process is to end with, or L{None}.
        """
