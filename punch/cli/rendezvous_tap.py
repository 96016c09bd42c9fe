"""
C{twist punch-rendezvous}: a rendezvous server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
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

from punch.cli.options import PlainOptions, dashed, endWith, giveUp
from punch.cli.rlimit import allowFiles
from punch.cli.sdnotify import SystemdNotifier
from punch.rendezvous.server.factory import RendezvousFactory
from punch.rendezvous.server.limits import Limits
from punch.rendezvous.server.probe import Prober

_log = Logger()

PROGRAM = "punch-rendezvous"

DEFAULT = "tcp:4040:backlog=1024"
"""
With Twisted's own backlog of 50, those who come in a crowd wait for a second.
"""

_SPARE_FILES = 64
"""
Open files that the process needs beside one for each connection.
"""


def optionName(limit: str) -> str:
    """
    The option that sets a field of L{Limits}.
    """
    return f"max-{dashed(limit)}"


def _whole(option: str, text: str) -> int:
    """
    Read the value of an option.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{option} takes a whole number, not {text!r}") from None


class Options(PlainOptions):
    """
    Where to listen, whether to relay, and one option for each limit.
    """

    program: ClassVar[str] = PROGRAM
    synopsis = "[options]"
    longdesc = (
        "Introduce peers behind NATs to each other, and relay between those who find "
        "no direct way."
    )

    optParameters = [
        [
            optionName(each.name),
            None,
            each.default,
            f"At most this many {each.metadata['meaning']}.",
            partial(_whole, optionName(each.name)),
        ]
        for each in fields(Limits)
    ]

    def __init__(self) -> None:
        PlainOptions.__init__(self)
        self["listen"] = []
        self["stun"] = []
        self["relay"] = True

    def opt_listen(self, description: str) -> None:
        """
        Listen on this server endpoint (default: tcp:4040:backlog=1024); may be
        given more than once.
        """
        self["listen"].append(description)

    def opt_stun(self, description: str) -> None:
        """
        Answer STUN over TCP on this server endpoint, tcp:3478 for example; may be
        given more than once (default: on the port after the first of --listen, if that
        is free).
        """
        self["stun"].append(description)

    def opt_no_stun(self) -> None:
        """
        Answer no STUN, and knock at nobody's: peers then can't tell whether their NATs
        keep ports, nor whom they let in.
        """
        self["stun"] = [None]

    def opt_relay(self) -> None:
        """
        Carry the bytes of peers who find no direct way to each other; it is the
        default.
        """
        self["relay"] = True

    def opt_no_relay(self) -> None:
        """
        Introduce only, and carry nobody's bytes.
        """
        self["relay"] = False

    def postOptions(self) -> None:
        """
        Gather the limits.
        """
        values = {each.name: self[optionName(each.name)] for each in fields(Limits)}
        try:
            self["limits"] = Limits(**values)
        except ValueError as mistake:
            name, _, rest = str(mistake).partition(" ")
            raise UsageError(f"--{optionName(name)} {rest}") from None
        self["listen"] = self["listen"] or [DEFAULT]
        self["vantage"] = not self["stun"]
        self["stun"] = [each for each in self["stun"] if each is not None]


@dataclass(frozen=True)
class Door:
    """
    Something to listen on.

    C{description}: what the user calls it.  C{who}: who listens there, for a person.
    C{opened}: is told of the port.
    """

    description: str
    endpoint: Any  # IStreamServerEndpoint
    factory: Factory
    who: str = "The rendezvous"
    opened: Callable[[IListeningPort], object] = lambda port: None


class ListeningService(Service):
    """
    Listens on several endpoints, or says why it cannot.
    """

    def __init__(
        self,
        doors: list[Door],
        failed: Callable[[str], None],
        supervisor: SystemdNotifier,
        next: Callable[[IListeningPort], Door | None] | None = None,
    ) -> None:
        """
        @param next: what else to listen on, if that is possible, beside the first.
        @param failed: called with a line for the user if one can't be listened on.
        @param supervisor: is told when all are listened on, and of the end.
        """
        self._doors = doors
        self._failed = failed
        self._supervisor = supervisor
        self._next = next
        self._listening: list[Deferred[None]] = []
        self._ports: list[IListeningPort] = []

    def startService(self) -> None:
        """
        Listen.
        """
        Service.startService(self)
        self._listening = [
            Deferred.fromCoroutine(self._listen(door)) for door in self._doors
        ]

    async def _listen(self, door: Door) -> None:
        """
        Listen on one endpoint.
        """
        try:
            port = await door.endpoint.listen(door.factory)
        except CancelledError:
            return
        except Exception as error:
            # Endpoints come from plugins too, and may fail in any way.
            self._failed(f"cannot listen on {door.description}: {_why(error)}")
            return
        self._opened(door, port)
        if len(self._ports) == len(self._doors):
            await self._openNext()
            self._supervisor.ready()

    def _opened(self, door: Door, port: IListeningPort) -> None:
        self._ports.append(port)
        _log.info(
            "{who} listens on {address} ({description}).",
            who=door.who,
            address=_place(port),
            description=door.description,
        )
        door.opened(port)

    async def _openNext(self) -> None:
        """
        Listen on what is good to have.
        """
        door = self._next(self._ports[0]) if self._next is not None else None
        if door is None:
            return
        try:
            port = await door.endpoint.listen(door.factory)
        except CannotListenError as error:
            _log.warn(
                "Peers can't be told whether their NATs keep ports: cannot listen on "
                "{description}: {why}.  See --stun.",
                description=door.description,
                why=_why(error),
            )
        else:
            self._opened(door, port)

    def stopService(self) -> Deferred[None]:
        """
        Stop listening, and close all connections.
        """
        Service.stopService(self)
        self._supervisor.stopping()
        for each in self._listening:
            each.cancel()
        ports, self._ports = self._ports, []
        stopped = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return stopped.addCallback(lambda _: None)


def _why(error: Exception) -> str:
    """
    The end of a sentence about why nothing listens.
    """
    if isinstance(error, CannotListenError):
        return getattr(error.socketError, "strerror", None) or str(error.socketError)
    return str(error) or type(error).__name__


def _place(port: IListeningPort) -> str:
    """
    Where a port listens, for a person.
    """
    host: Any = port.getHost()
    if not hasattr(host, "port"):
        return str(host)
    return (
        f"[{host.host}]:{host.port}" if ":" in host.host else f"{host.host}:{host.port}"
    )


def _makeRoom(connections: int) -> None:
    """
    Ask the system for as many open files as there may be connections.
    """
    wanted = connections + _SPARE_FILES
    allowed = allowFiles(wanted)
    if allowed < wanted:
        _log.warn(
            "The system allows {files} open files, so about {room} connections; "
            "see ulimit -n, or lower --max-connections.",
            files=allowed,
            room=allowed - _SPARE_FILES,
        )


def _doors(reactor: Any, options: Options, option: str, kind: Door) -> list[Door]:
    """
    What an option says to listen on.

    @param kind: what they are, but for where.
    """
    doors = []
    for description in options[option]:
        try:
            endpoint = serverFromString(reactor, description)
        except Exception as error:
            # Any endpoint plugin may read the description, and fail in any way.
            giveUp(PROGRAM, f"--{option} {description}: {str(error).splitlines()[0]}")
        doors.append(replace(kind, description=description, endpoint=endpoint))
    return doors


class _STUN:
    """
    What answers STUN beside the rendezvous.
    """

    def __init__(self, reactor: Any, options: Options, factory: Any) -> None:
        # It brings much with it that nobody else needs.
        from punch.rendezvous.server.stunserver import STUNFactory

        self._reactor = reactor
        self._observers: list[str] = factory.state.observers
        self._prober: Prober | None = factory.state.prober
        stun = STUNFactory(reactor, options["limits"], factory.state.statistics)
        self.kind = Door("", None, stun, "The STUN server", self._opened)

    def _opened(self, port: IListeningPort) -> None:
        """
        Peers are told of it.
        """
        host: Any = port.getHost()
        if hasattr(host, "port"):
            isAny = host.host in ("0.0.0.0", "::")
            self._observers.append(f":{host.port}" if isAny else _place(port))
            if self._prober is not None and not isAny:
                self._prober.addresses.append(host.host)

    def _openedBeside(self, port: IListeningPort) -> None:
        """
        Peers are told that it is where we are, which they know better: there may be a
        NAT before us, too.
        """
        host: Any = port.getHost()
        self._observers.append(f":{host.port}")

    def next(self, port: IListeningPort) -> Door | None:
        """
        A door on the port after this one.
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
    The rendezvous, as a service.
    """
    from twisted.internet import reactor

    limits: Limits = options["limits"]
    factory = RendezvousFactory(reactor, limits, relays=options["relay"])
    if options["stun"] or options["vantage"]:
        factory.state.prober = Prober(reactor)
    doors = _doors(reactor, options, "listen", Door("", None, factory))
    stun = _STUN(reactor, options, factory)
    doors += _doors(reactor, options, "stun", stun.kind)
    # What peers ask by themselves takes a moment each.
    _makeRoom(limits.connections * (2 if options["stun"] else 1))

    def failed(line: str) -> None:
        _log.error("{line}", line=line)
        endWith(reactor, 1, f"{PROGRAM}: {line}", options.logIsSeen())

    next = stun.next if options["vantage"] else None
    return ListeningService(doors, failed, SystemdNotifier(reactor), next)
