"""
C{twist punch}: its options, and the service that they ask for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from punch.cli.options import (
    CommandOptions,
    exitNow,
    number,
    peerSettings,
    stopAndExit,
)
from punch.cli.rlimit import limitSearch
from punch.errors import BadOption, Bug, LinkError, Misuse, PunchError
from punch.eventlog import EventLog, openEvents
from punch.forwarding.service import ForwardingService, LocalSide
from punch.interfaces import IOutcome, IStandardStreamsProtocol
from punch.nat.portsearch import DEFAULT_SOCKETS
from punch.net.identity import Identity, loadOrMakeIdentity, parsePin
from punch.peer.description import peerEndpoint, rendezvousEndpoint
from punch.peer.dialer import Dialer
from punch.peer.direct import Direct
from punch.peer.instancelock import fileInstanceLocks
from punch.peer.peer import Peer
from punch.peer.relaypolicy import RelayPolicy
from punch.peer.settings import RESUME_FOR, Settings
from punch.protocols.registry import describeProtocols, findProtocol
from punch.service import DialingService, ListeningService, PunchService
from punch.signaling.meetingpoint import MeetingPoint
from punch.trace.file import traceFile, traceOption

_log = Logger(namespace="punch")

PROGRAM = "punch"

_FILES = 4096
"""
Open files that a process wants in addition to those of a search.  Each connection of a
forward needs two.
"""


class Options(CommandOptions):
    """
    The options of C{twist punch}.  (Twisted finds the class by this name.)
    """

    program: ClassVar[str] = PROGRAM
    synopsis = "[options]"
    longdesc = (
        "Connect to a program behind another NAT.  Without --code, --name or --peer:"
        " wait for the other side, under a code that is printed."
    )

    optParameters = [
        [
            "rendezvous",
            None,
            None,
            "The rendezvous: tcp:HOST:PORT or tls:HOST:PORT (or $PUNCH_RENDEZVOUS).",
        ],
        [
            "code",
            None,
            None,
            "Dial this code; - asks for it (or $PUNCH_CODE).",
        ],
        ["name", None, None, "Meet under this standing name (with --secret-file)."],
        ["secret-file", None, None, "The file with the name's secret."],
        ["peer", None, None, "No rendezvous: the other side is at HOST:PORT."],
        ["identity", None, None, "With --peer: our key's file, made on first use."],
        ["trust", None, None, "With --peer: the other side's pin."],
        ["port", None, 0, "The shared port (default: any).", number("port", int)],
        ["interface", None, "", "The local IP address to use (default: all)."],
        [
            "protocol",
            None,
            None,
            "What runs on the link: NAME[:ARGS]; see --help-protocols"
            " (default: hello).",
        ],
        [
            "timeout",
            None,
            30.0,
            "Seconds from the introduction to giving up.",
            number("timeout", float),
        ],
        [
            "relay",
            None,
            "fallback",
            "What the rendezvous' relay may be used for: fallback, only or never.",
        ],
        [
            "search",
            None,
            DEFAULT_SOCKETS,
            "Sockets that a search for a port of a random NAT may use; 0: no search.",
            number("search", int),
        ],
        [
            "resume-for",
            None,
            RESUME_FOR,
            "Seconds that a link whose path has died waits for another one.",
            number("resume-for", float),
        ],
        ["events", None, None, "Append events to this file, one JSON object a line."],
        ["trace", None, None, "Draw each meeting: in FILE.html, or FILE.json."],
    ]

    optFlags = [
        ["dial", None, "With --name: be the one who dials."],
        ["plaintext", None, "With --peer: no TLS; whoever is there is trusted."],
        ["show-pin", None, "Print the pin of --identity and exit."],
        ["help-protocols", None, "List what --protocol knows and exit."],
        ["once", None, "One link, then exit: 0 if it ended cleanly, else 1."],
    ]

    repeatable = {
        "expose": "The other side may connect to this: [NAME=]CLIENT-ENDPOINT;"
        " repeatable.",
        "forward": "What connects to this gets what the other side exposes by that"
        " name: [NAME=]SERVER-ENDPOINT; repeatable.",
        "draw": "With --trace FILE.html: draw this FILE.json, or two sides' in one"
        " picture, and exit; repeatable.",
        "stun": "Ask this STUN server, too, over TCP, for our address, and tell the"
        " other side: HOST:PORT; repeatable.",
    }

    def postOptions(self) -> None:
        """
        Check that the options fit together, and read what they name.
        """
        if self["help-protocols"]:
            print(describeProtocols())
            raise SystemExit(0)
        self["trace-path"] = traceOption(self["trace"], self["draw"])
        _checkOptions(self)
        if self["show-pin"]:
            print(self["own-identity"].pin.hex())
            raise SystemExit(0)


_NEEDS = {
    "secret-file": "name",
    "dial": "name",
    "plaintext": "peer",
    "trust": "peer",
    "name": "secret-file",
}


def _checkOptions(options: Options) -> None:
    """
    Check the options, and read what they name.

    @raise Misuse: a value is wrong, or two options do not fit together.
    """
    values = ("code", "name", "peer", "secret-file", "identity", "trust")
    options.checkTogether(values, ("code", "name", "peer"), _NEEDS)
    options["settings"] = peerSettings(
        port=options["port"],
        interface=options["interface"],
        timeout=options["timeout"],
        search=options["search"],
        resumeFor=options["resume-for"],
        relay=RelayPolicy.named(options["relay"]),
        instanceLocks=fileInstanceLocks,
        stun=tuple(options["stun"]),
    )
    _checkProtocol(options)
    if options["show-pin"] or options["peer"]:
        _checkDirect(options)
    else:
        _checkIntroduced(options)


def _checkProtocol(options: Options) -> None:
    """
    Find the protocol.  If it uses the standard streams, nothing else may.
    """
    for each in ("expose", "forward"):
        if options[each]:
            _checkForwarding(options, each)
            return
    plugin, options["protocol-args"] = findProtocol(options["protocol"] or "hello")
    options["protocol-plugin"] = plugin
    if not IStandardStreamsProtocol.providedBy(plugin):
        return
    if "-" in (options["code"], os.environ.get("PUNCH_CODE")):
        raise BadOption(
            f"--protocol {plugin.name} reads standard input itself, so --code -"
            " cannot: put the code in $PUNCH_CODE"
        )
    options["once"] = True
    options.logToStandardError()


def _checkForwarding(options: Options, given: str) -> None:
    """
    Check what does not go with C{--expose} and C{--forward}.
    """
    if options["protocol"]:
        raise BadOption(f"--protocol and --{given}: one of them only")
    if options["plaintext"]:
        raise BadOption(f"--{given} cannot be had in --plaintext")


def _checkDirect(options: Options) -> None:
    """
    Check the options of C{--peer}, and read our key.
    """
    if options["stun"]:
        raise BadOption("--stun needs a rendezvous: --peer tells nobody our address")
    if options["show-pin"] and not options["identity"]:
        raise BadOption("--show-pin needs --identity")
    if not options["show-pin"]:
        _completeWhere(options)
    if options["identity"]:
        options["own-identity"] = loadOrMakeIdentity(Path(options["identity"]))


def _completeWhere(options: Options) -> None:
    options["peer-endpoint"] = peerEndpoint(options["peer"])
    if not options["port"]:
        raise BadOption("--peer needs --port: the other side must know ours")
    _checkTrust(options)


def _checkTrust(options: Options) -> None:
    secured = [each for each in ("identity", "trust") if options[each]]
    if options["plaintext"] and secured:
        raise BadOption(f"--plaintext and --{secured[0]}: one of them only")
    if not options["plaintext"] and len(secured) < 2:
        raise BadOption("--peer needs --identity and --trust, or --plaintext")
    if options["trust"]:
        try:
            options["trusted"] = parsePin(options["trust"])
        except ValueError as bad:
            raise BadOption("--trust: a pin has 64 hexadecimal digits") from bad


def _checkIntroduced(options: Options) -> None:
    """
    Check the options for a rendezvous, and read the code or the secret.
    """
    if options["identity"]:
        raise BadOption("--identity needs --peer")
    options.readRendezvous("meet")
    options["meeting"] = options.nameAndSecret()


def makeService(options: Options) -> IService:
    """
    Make the service that the options ask for.  When it is done, the process exits, with
    the status 0 after a clean end and 1 otherwise.
    """
    from twisted.internet import reactor

    options["settings"] = limitSearch(options["settings"], _FILES)
    try:
        local = LocalSide(reactor, options["expose"], options["forward"])
        # First, since it may take the standard streams, which --events may name.
        factory = _factoryFor(reactor, options, local)
        settings = replace(
            options["settings"],
            tell=EventLog(time.time, openEvents(options["events"])),
            trace=traceFile(reactor, options["trace-path"], time.time),
        )
        peer = _serviceFor(reactor, options, factory, settings)
    except Misuse as mistake:
        exitNow(PROGRAM, str(mistake))
    service: PunchService | ForwardingService = peer
    if factory is local.pool:
        service = ForwardingService(reactor, peer, local, settings.tell)

    def ended(error: PunchError | None) -> None:
        if error is None:
            stopAndExit(reactor, 0)
            return
        if isinstance(error, LinkError):
            # The event has the reason only.
            _log.error("{error}", error=error)
        stopAndExit(reactor, 1, f"{PROGRAM}: {error}", options.logsToTerminal())

    Deferred.fromCoroutine(_outcome(service, factory)).addCallback(ended)
    return service


def _factoryFor(reactor: Any, options: Options, local: LocalSide) -> IProtocolFactory:
    """
    Make the factory of what runs on each link.
    """
    if options["expose"] or options["forward"]:
        return local.pool
    plugin = options["protocol-plugin"]
    factory: IProtocolFactory = plugin.factory(reactor, options["protocol-args"])
    return factory


async def _outcome(
    service: PunchService | ForwardingService, factory: IProtocolFactory
) -> PunchError | None:
    error = await service.whenDone()
    if not IOutcome.providedBy(factory):
        return error
    try:
        return await IOutcome(factory).outcome(error)
    except Exception:
        _log.failure("The protocol's plugin does not know what to end with.")
        return error or Bug()


def _serviceFor(
    reactor: Any, options: Options, factory: IProtocolFactory, settings: Settings
) -> PunchService:
    once = bool(options["once"])
    identity: Identity | None = options.get("own-identity")
    peer = Peer(reactor, settings, identity)
    if options["peer"]:
        return DialingService(peer, _direct(reactor, peer, options), factory, once)
    rendezvous = rendezvousEndpoint(reactor, options["rendezvous"])
    meeting: tuple[str, bytes] | None = options["meeting"]
    if meeting is not None and (options["dial"] or not options["name"]):
        name, secret = meeting
        return DialingService(
            peer,
            lambda: Dialer(peer, rendezvous, name, secret).run(),
            factory,
            once,
            lasting=bool(options["dial"]),
        )
    meetingPoint = None if meeting is None else MeetingPoint.standing(*meeting)
    return ListeningService(peer, rendezvous, meetingPoint, factory, once)


def _direct(reactor: Any, peer: Peer, options: Options) -> Callable[[], Any]:
    where = options["peer-endpoint"]
    if options["plaintext"]:
        return lambda: Direct(reactor, peer, where).plain()
    pin = options["trusted"]
    return lambda: Direct(reactor, peer, where).secured(pin)
