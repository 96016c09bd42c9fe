"""
C{twist punch-rendezvous}: the options and the service of a rendezvous server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from twisted.application.service import IService, Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    gatherResults,
    maybeDeferred,
)
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.usage import UsageError

from punch.cli.options import CommandOptions, dashed, exitNow, number, stopAndExit
from punch.cli.rlimit import raiseFileLimit
from punch.cli.sdnotify import SystemdNotifier
from punch.net.address import formatAddress
from punch.rendezvous.server.factory import RendezvousFactory
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.probe import Prober

_log = Logger()

PROGRAM = "punch-rendezvous"

DEFAULT = "tcp:4040:backlog=1024"
"""
Where to listen by default.  With Twisted's own backlog of 50, some clients wait for a
second when many connect at once.
"""

_SPARE_FILES = 64
"""
Open files that the process needs beside one for each connection.
"""


def optionName(limit: str) -> str:
    """
    Name the option that sets a field of L{Limits}.
    """
    return f"max-{dashed(limit)}"


class Options(CommandOptions):
    """
    The options of C{twist punch-rendezvous}: where to listen, whether to relay, and one
    option for each limit.  (Twisted finds the class by this name.)
    """

    program: ClassVar[str] = PROGRAM
    synopsis = "[options]"
    longdesc = (
        "Introduce peers behind NATs to each other, and relay between those that find "
        "no direct path."
    )

    optParameters = [
        [
            optionName(each.name),
            None,
            each.default,
            f"At most this many {each.metadata['meaning']}.",
            number(optionName(each.name), int, "a whole number"),
        ]
        for each in fields(Limits)
    ]

    repeatable = {
        "listen": "Listen on this server endpoint (default: tcp:4040:backlog=1024); may"
        " be given more than once.",
        "stun": "Answer STUN over TCP on this server endpoint, tcp:3478 for example;"
        " may be given more than once (default: on the port after the first of"
        " --listen, if that is free).",
    }

    def __init__(self) -> None:
        CommandOptions.__init__(self)
        self["relay"] = True

    def opt_no_stun(self) -> None:
        """
        Do not answer STUN, and do not probe the peers' ports: peers then cannot find
        out whether their NATs keep ports, nor whom they let in.
        """
        self["stun"] = [None]

    def opt_relay(self) -> None:
        """
        Relay between peers that find no direct path; this is the default.
        """
        self["relay"] = True

    def opt_no_relay(self) -> None:
        """
        Only introduce peers; do not relay.
        """
        self["relay"] = False

    def postOptions(self) -> None:
        """
        Collect the limits, and fill in the defaults.
        """
        values = {each.name: self[optionName(each.name)] for each in fields(Limits)}
        try:
            self["limits"] = Limits(**values)
        except ValueError as mistake:
            name, _, rest = str(mistake).partition(" ")
            raise UsageError(f"--{optionName(name)} {rest}") from None
        self["listen"] = self["listen"] or [DEFAULT]
        self["stun-beside"] = not self["stun"]
        self["stun"] = [each for each in self["stun"] if each is not None]


@dataclass(frozen=True)
class ListeningEndpoint:
    """
    An endpoint to listen on, and what listens there.

    @ivar description: the endpoint's string, as the user wrote it.
    @ivar endpoint: the endpoint itself.
    @ivar factory: makes the protocols of the connections.
    @ivar who: who listens there, for the log.
    @ivar opened: is called with the port.
    """

    description: str
    endpoint: Any  # IStreamServerEndpoint
    factory: Factory
    who: str = "The rendezvous"
    opened: Callable[[IListeningPort], object] = lambda port: None


class RendezvousService(Service):
    """
    Listens on several endpoints, or reports why it cannot.

    L{makeService} makes it, and the application starts and stops it.  When it stops it
    closes the ports, and with the rendezvous' port all connections.
    """

    def __init__(
        self,
        endpoints: list[ListeningEndpoint],
        failed: Callable[[str], None],
        notifier: SystemdNotifier,
        beside: Callable[[IListeningPort], ListeningEndpoint | None] | None = None,
    ) -> None:
        """
        @param failed: is called with a line for the user if it cannot listen on one of
            C{endpoints}.
        @param notifier: is called when all ports are open, and when the service stops.
        @param beside: makes one more endpoint from the first port.  If that one cannot
            be listened on, there is a warning only.
        """
        self._endpoints = endpoints
        self._failed = failed
        self._notifier = notifier
        self._beside = beside
        self._listening: list[Deferred[None]] = []
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        """
        Listen.
        """
        Service.startService(self)
        self._listening = [
            Deferred.fromCoroutine(self._listen(each)) for each in self._endpoints
        ]

    async def _listen(self, which: ListeningEndpoint) -> None:
        try:
            port = await which.endpoint.listen(which.factory)
        except CancelledError:
            return
        except Exception as error:
            # Plugins make endpoints, too, and theirs may raise anything.
            self._failed(f"cannot listen on {which.description}: {_why(error)}")
            return
        self._opened(which, port)
        if len(self._ports) == len(self._endpoints):
            await self._listenBeside()
            self._notifier.ready()

    def _opened(self, which: ListeningEndpoint, port: IListeningPort) -> None:
        self._ports.append(port)
        _log.info(
            "{who} listens on {address} ({description}).",
            who=which.who,
            address=_addressText(port),
            description=which.description,
        )
        which.opened(port)

    async def _listenBeside(self) -> None:
        """
        Listen on one more endpoint, if that is possible.
        """
        which = self._beside(self._ports[0]) if self._beside is not None else None
        if which is None:
            return
        try:
            port = await which.endpoint.listen(which.factory)
        except CannotListenError as error:
            _log.warn(
                "Peers can't be told whether their NATs keep ports: cannot listen on "
                "{description}: {why}.  See --stun.",
                description=which.description,
                why=_why(error),
            )
        else:
            self._opened(which, port)

    def stopService(self) -> Deferred[None]:
        """
        Stop listening, and close all connections.
        """
        Service.stopService(self)
        self._notifier.stopping()
        for each in self._listening:
            each.cancel()
        ports, self._ports = self._ports, []
        stopped = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return stopped.addCallback(lambda _: None)


def _why(error: Exception) -> str:
    """
    Say why an endpoint cannot be listened on, as the end of a sentence.
    """
    if isinstance(error, CannotListenError):
        return getattr(error.socketError, "strerror", None) or str(error.socketError)
    return str(error) or type(error).__name__


def _addressText(port: IListeningPort) -> str:
    """
    Write the address of a port, for people.
    """
    host: Any = port.getHost()
    return formatAddress(host) if hasattr(host, "port") else str(host)


def _checkFileLimit(connections: int) -> None:
    """
    Raise the limit of open files to the number of connections, or warn.
    """
    wanted = connections + _SPARE_FILES
    allowed = raiseFileLimit(wanted)
    if allowed < wanted:
        _log.warn(
            "The system allows {files} open files, so about {room} connections; "
            "see ulimit -n, or lower --max-connections.",
            files=allowed,
            room=allowed - _SPARE_FILES,
        )


def _endpointsOf(
    reactor: Any, options: Options, option: str, kind: ListeningEndpoint
) -> list[ListeningEndpoint]:
    """
    Parse the endpoints that an option names.

    @param kind: the rest of what each of them is.
    """
    endpoints = []
    for description in options[option]:
        try:
            endpoint = serverFromString(reactor, description)
        except Exception as error:
            # Plugins parse endpoints, too, and theirs may raise anything.
            exitNow(PROGRAM, f"--{option} {description}: {str(error).splitlines()[0]}")
        endpoints.append(replace(kind, description=description, endpoint=endpoint))
    return endpoints


class STUNEndpoints:
    """
    The endpoints that answer STUN for the rendezvous, whose addresses clients are told.
    """

    def __init__(self, reactor: Any, options: Options, factory: Any) -> None:
        # It imports much that nothing else here needs.
        from punch.rendezvous.server.stunserver import STUNFactory

        self._reactor = reactor
        self._observers: list[str] = factory.state.observers
        self._prober: Prober | None = factory.state.prober
        stun = STUNFactory(reactor, options["limits"], factory.state.statistics)
        self.kind = ListeningEndpoint("", None, stun, "The STUN server", self._opened)

    def _opened(self, port: IListeningPort) -> None:
        """
        Have clients told of a port that the user has chosen.
        """
        host: Any = port.getHost()
        if hasattr(host, "port"):
            isAny = host.host in ("0.0.0.0", "::")
            self._observers.append(f":{host.port}" if isAny else _addressText(port))
            if self._prober is not None and not isAny:
                self._prober.addresses.append(host.host)

    def _openedBeside(self, port: IListeningPort) -> None:
        """
        Have clients told of the port beside the rendezvous.  They hear of the port
        only: a NAT may stand before us, so they know our address better.
        """
        host: Any = port.getHost()
        self._observers.append(f":{host.port}")

    def beside(self, port: IListeningPort) -> ListeningEndpoint | None:
        """
        Make the endpoint for the port number after this port's.
        """
        host: Any = port.getHost()
        number = getattr(host, "port", 65535) + 1
        if number > 65535:
            return None
        interface = host.host.replace(":", "\\:")
        description = f"tcp:{number}:interface={interface}"
        endpoint = serverFromString(self._reactor, description)
        return replace(
            self.kind,
            description=description,
            endpoint=endpoint,
            opened=self._openedBeside,
        )


def makeService(options: Options) -> IService:
    """
    Make the service of the rendezvous.
    """
    from twisted.internet import reactor

    limits: Limits = options["limits"]
    factory = RendezvousFactory(reactor, limits, relays=options["relay"])
    if options["stun"] or options["stun-beside"]:
        factory.state.prober = Prober(reactor)
    endpoints = _endpointsOf(
        reactor, options, "listen", ListeningEndpoint("", None, factory)
    )
    stun = STUNEndpoints(reactor, options, factory)
    endpoints += _endpointsOf(reactor, options, "stun", stun.kind)
    # Each STUN query is a short connection of its own.
    _checkFileLimit(limits.connections * (2 if options["stun"] else 1))

    def failed(line: str) -> None:
        _log.error("{line}", line=line)
        stopAndExit(reactor, 1, f"{PROGRAM}: {line}", options.logsToTerminal())

    beside = stun.beside if options["stun-beside"] else None
    return RendezvousService(endpoints, failed, SystemdNotifier(reactor), beside)
