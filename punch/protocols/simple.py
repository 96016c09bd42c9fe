"""
Plugins for C{twist punch --protocol}: the base for other programs, and our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.plugin import IPlugin
from zope.interface import implementer

from punch.errors import BadOption
from punch.interfaces import IPunchProtocol, IStandardStreamsProtocol


@implementer(IPlugin, IPunchProtocol)
class SimpleProtocol:
    """
    A plugin for C{twist punch --protocol}: makes one protocol that takes no arguments.
    An instance of it in C{twisted/plugins} is all that such a protocol needs.
    """

    def __init__(self, name: str, help: str, build: Callable[[], IProtocol]) -> None:
        """
        @param name: what users write after C{--protocol}; no colon.
        @param help: what the protocol does, in one line.
        @param build: makes the protocol for one link.
        """
        self.name = name
        self.help = help
        self._build = build

    def factory(self, reactor: object, args: str) -> IProtocolFactory:
        """
        Make a factory of the protocol (L{IPunchProtocol}).

        @raise BadOption: there are arguments.
        """
        refuseArguments(self.name, args)
        build: Any = self._build
        factory: Any = Factory.forProtocol(build)
        factory.noisy = False
        made: IProtocolFactory = factory
        return made


@implementer(IPlugin, IStandardStreamsProtocol)
class StdioPlugin:
    """
    The plugin of the protocol C{stdio} (L{punch.protocols.stdio}), which has standard
    input and output to itself.
    """

    name = "stdio"
    help = "Standard input to the link, the link to standard output."

    def factory(self, reactor: Any, args: str) -> IProtocolFactory:
        """
        Take the standard streams from this process (L{IStandardStreamsProtocol}).

        @raise BadOption: there are arguments, or no standard output.
        """
        refuseArguments(self.name, args)
        # It needs fcntl, which not every platform has, and twist always imports us.
        from punch.protocols.stdio import StdioFactory, takeStreams

        made: IProtocolFactory = StdioFactory(reactor, *takeStreams())
        return made


def refuseArguments(name: str, args: str) -> None:
    """
    Check that a protocol that takes no arguments gets none.

    @raise BadOption: there are C{args}.
    """
    if args:
        raise BadOption(f"--protocol {name} takes no arguments, not {args!r}")
