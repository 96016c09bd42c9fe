"""
C{twist punch-check}: what our NATs do, and what that means for direct links.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.usage import UsageError

from punch.assessment import Findings, Reach, assess
from punch.commandline import PlainOptions, endWith, giveUp
from punch.descriptions import rendezvousEndpoint
from punch.errors import Bug, Misuse, PunchError
from punch.examination import Examination
from punch.hostport import HostPort
from punch.report import Report
from punch.settings import Settings
from punch.silence import silence

_log = Logger(namespace="punch")

PROGRAM = "punch-check"

HOSTILE = 1
UNKNOWN = 2
"""
Exit statuses: direct links are unlikely, or nothing could be found out.
"""


class Options(PlainOptions):
    """
    The options of C{twist punch-check}.
    """

    program: ClassVar[str] = PROGRAM
    synopsis = "[options]"
    longdesc = (
        "Find out what the NATs before this host do, and print it.  Exit status: 0 if"
        " direct links are likely or possible, 1 if not, 2 if nothing could be found"
        " out."
    )

    optParameters = [
        [
            "rendezvous",
            None,
            None,
            "The rendezvous: tcp:HOST:PORT or tls:HOST:PORT (or $PUNCH_RENDEZVOUS).",
        ],
        ["port", None, "0", "The shared port (default: any)."],
        ["interface", None, "", "The local IP address to use (default: all)."],
    ]

    optFlags = [
        ["json", None, "Print one JSON object instead of lines."],
        ["long", None, "Test for how long silence is borne, too; takes a minute."],
    ]

    def __init__(self) -> None:
        PlainOptions.__init__(self)
        self["stun"] = []
        self.docs["stun"] = (
            "Ask this STUN server, too, over TCP: HOST:PORT.  One elsewhere tells of"
            " mappings that depend on the address; repeatable."
        )

    def opt_stun(self, server: str) -> None:
        """
        One more.
        """
        try:
            HostPort.parse(server)
        except ValueError as bad:
            raise UsageError(f"--stun {server}: {bad}") from bad
        self["stun"].append(server)

    def postOptions(self) -> None:
        """
        See that the options do, and keep the log off standard output.
        """
        where = self["rendezvous"] or os.environ.get("PUNCH_RENDEZVOUS")
        if not where:
            raise UsageError("--rendezvous (or $PUNCH_RENDEZVOUS) says whom to ask")
        self["rendezvous"] = where
        port = self["port"]
        if not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise UsageError(f"--port takes a number below 65536, not {port!r}")
        self["port"] = int(port)
        self.keepOffOutput()
        twist: dict[str, Any] | None = self.parent
        if twist is not None and twist.get("logLevel") is LogLevel.info:
            # Who wants lines about twist itself beside ours says --log-level debug.
            twist["logLevel"] = LogLevel.warn


class CheckService(Service):
    """
    One check, which begins when the reactor runs.
    """

    def __init__(
        self,
        examination: Examination,
        ended: Callable[[Findings | PunchError], None],
    ) -> None:
        """
        @param ended: is told what was found, or why nothing was.
        """
        self._examination = examination
        self._ended = ended
        self._running: Deferred[None] | None = None

    def startService(self) -> None:
        """
        Begin.
        """
        Service.startService(self)
        self._running = Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        try:
            result: Findings | PunchError = await self._examination.run()
        except CancelledError:
            return
        except PunchError as error:
            result = error
        except Exception:
            _log.failure("A mistake of ours.")
            result = Bug()
        self._ended(result)

    def stopService(self) -> Deferred[None] | None:
        """
        Stop; nothing is left behind.
        """
        Service.stopService(self)
        if self._running is not None:
            self._running.cancel()
        return self._running


def statusOf(report: Report, found: Findings) -> int:
    """
    The exit status.
    """
    if found.reach is Reach.NOT:
        return UNKNOWN
    return 0 if report.verdict.isFriendly else HOSTILE


def makeService(options: Options) -> IService:
    """
    The check, as a service that ends the process.
    """
    from twisted.internet import reactor

    # Not the log, in whose place twist has put sys.stdout by then.
    output = sys.stdout

    def ended(result: Findings | PunchError) -> None:
        if isinstance(result, PunchError):
            endWith(reactor, UNKNOWN, f"{PROGRAM}: {result}")
            return
        report = assess(result)
        text = report.toJSON() if options["json"] else report.toText()
        print(text, file=output, flush=True)
        status = statusOf(report, result)
        line = f"{PROGRAM}: {result.why}" if status == UNKNOWN else ""
        endWith(reactor, status, line)

    settings = Settings(
        port=options["port"],
        interface=options["interface"],
        stun=tuple(options["stun"]),
    )
    try:
        rendezvous = rendezvousEndpoint(reactor, options["rendezvous"])
    except Misuse as mistake:
        giveUp(PROGRAM, str(mistake))
    place = HostPort.parse(options["rendezvous"].partition(":")[2].replace("\\:", ":"))
    idle = partial(silence, reactor) if options["long"] else None
    examination = Examination(reactor, rendezvous, place, settings, idle)
    return CheckService(examination, ended)
