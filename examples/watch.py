"""
Watch the visits of C{visits.tac}: C{python watch.py ENDPOINT} prints each new count,
and stays connected whatever happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver


class Watcher(LineOnlyReceiver):
    """
    Hears the count.
    """

    def __init__(self, counted: Callable[[int], None]) -> None:
        self._counted = counted

    def lineReceived(self, line: bytes) -> None:
        """
        It is this now.
        """
        self._counted(int(line))


def watching(
    reactor: Any, endpoint: IStreamClientEndpoint, counted: Callable[[int], None]
) -> ClientService:
    """
    A service that connects, and again when the connection was lost.

    @param counted: is told each count.
    """
    factory = Factory.forProtocol(lambda: Watcher(counted))
    return ClientService(endpoint, factory, clock=reactor)


def main(reactor: Any, description: str) -> Deferred[None]:
    """
    Watch until interrupted.
    """
    service = watching(reactor, clientFromString(reactor, description), print)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    return Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
