"""
C{twist punch-check}: what our NATs do, and what that means for direct links.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.usage import UsageError

from punch.check.assessment import Findings, Reach, assess
from punch.check.idletimeout import LONGEST, MOST, silence
from punch.check.probes import CheckRun
from punch.check.report import Report, Value
from punch.check.trialdial import TIMEOUT, TrialDial
from punch.check.trialresult import TrialResult
from punch.cli.options import (
    PlainOptions,
    endWith,
    giveUp,
    number,
    peerSettings,
    readCode,
)
from punch.cli.rlimit import LEAST_FILES, roomForSearch
from punch.errors import BadOption, Bug, Misuse, PunchError
from punch.net.address import HostPort
from punch.peer.description import rendezvousEndpoint
from punch.signaling.secretfile import readSecret

_log = Logger(namespace="punch")

PROGRAM = "punch-check"

HOSTILE = 1
UNKNOWN = 2
"""
Exit statuses: direct links are unlikely, or what was asked could not be found out.
"""


class Options(PlainOptions):
    """
    The options of C{twist punch-check}.
    """

    program: ClassVar[str] = PROGRAM
    synopsis = "[options]"
    longdesc = (
        "Find out what the NATs before this host do, and print it.  Exit status: 0 if"
        " direct links are likely or possible, 1 if not, 2 if nobody could be asked;"
        " with --code or --name, links between the two."
    )

    optParameters = [
        [
            "rendezvous",
            None,
            None,
            "The rendezvous: tcp:HOST:PORT or tls:HOST:PORT (or $PUNCH_RENDEZVOUS).",
        ],
        ["port", None, 0, "The shared port (default: any).", number("port", int)],
        ["interface", None, "", "The local IP address to use (default: all)."],
        [
            "code",
            None,
            None,
            "Try how we would meet who waits under this code, which remains good;"
            " - asks for it (or $PUNCH_CODE).",
        ],
        ["name", None, None, "The same, under this standing name."],
        ["secret-file", None, None, "The file with the name's secret."],
        [
            "timeout",
            None,
            TIMEOUT,
            "Seconds that such a meeting may take.",
            number("timeout", float),
        ],
        [
            "longest",
            None,
            None,
            "As --long, but for silences of up to so many seconds; takes as long.",
            number("longest", int),
        ],
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
        self["stun"].append(server)

    def postOptions(self) -> None:
        """
        See that the options do, and keep the log off standard output.
        """
        where = self["rendezvous"] or os.environ.get("PUNCH_RENDEZVOUS")
        if not where:
            raise UsageError("--rendezvous (or $PUNCH_RENDEZVOUS) says whom to ask")
        self["rendezvous"] = where
        self["settings"] = peerSettings(
            port=self["port"],
            interface=self["interface"],
            timeout=self["timeout"],
            stun=tuple(self["stun"]),
        )
        if self["longest"] is None and self["long"]:
            self["longest"] = LONGEST
        if self["longest"] is not None and not 0 < self["longest"] <= MOST:
            raise UsageError(f"--longest takes seconds, 1 to {MOST}")
        try:
            self["whom"] = _whom(self)
        except Misuse as mistake:
            raise UsageError(str(mistake)) from mistake
        self.keepOffOutput()
        twist: dict[str, Any] | None = self.parent
        if twist is not None and twist.get("logLevel") is LogLevel.info:
            # Who wants lines about twist itself beside ours says --log-level debug.
            twist["logLevel"] = LogLevel.warn


def _whom(options: Options) -> tuple[str, bytes] | None:
    """
    The name under which the other side waits, and its secret, if we are to meet one.

    @raise Misuse: the options do not fit together.
    """
    for each in ("code", "name", "secret-file"):
        if options[each] == "":
            raise BadOption(f"--{each} is empty")
    name, file = options["name"], options["secret-file"]
    if options["code"] and name:
        raise BadOption("--code and --name: one of them only")
    if name and file:
        return name, readSecret(Path(file))
    if name or file:
        given, needed = ("name", "secret-file") if name else ("secret-file", "name")
        raise BadOption(f"--{given} needs --{needed}")
    text = options["code"] or os.environ.get("PUNCH_CODE")
    if not text:
        return None
    code = readCode(text)
    return code.name, code.secret


class CheckService(Service):
    """
    One check, which begins when the reactor runs.
    """

    def __init__(
        self,
        examination: CheckRun,
        rehearsal: TrialDial | None,
        ended: Callable[[Findings | PunchError], None],
    ) -> None:
        """
        @param rehearsal: with another peer, if there is one.
        @param ended: is told what was found, or why nothing was.
        """
        self._examination = examination
        self._rehearsal = rehearsal
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
            result: Findings | PunchError = await self._check()
        except CancelledError:
            return
        except PunchError as error:
            result = error
        except Exception:
            _log.failure("A mistake of ours.")
            result = Bug()
        self._ended(result)

    async def _check(self) -> Findings:
        found = await self._examination.run()
        if self._rehearsal is None:
            return found
        if found.reach is Reach.NOT:
            return replace(found, pair=Value.notTested("the rendezvous is not reached"))
        return replace(found, pair=await self._rehearsal.run())

    def stopService(self) -> Deferred[None] | None:
        """
        Stop; nothing is left behind.
        """
        Service.stopService(self)
        if self._running is not None:
            self._running.cancel()
        return self._running


def statusOf(report: Report, found: Findings) -> tuple[int, str]:
    """
    The exit status, by the pair's verdict if there was to be one; and, if nothing could
    be found out, why.
    """
    if found.reach is Reach.NOT:
        return UNKNOWN, found.why
    verdict = report.verdict
    if isinstance(found.pair, TrialResult):
        if found.pair.verdict is None:
            return UNKNOWN, str(found.pair.why)
        verdict = found.pair.verdict
    return (0 if verdict.isFriendly else HOSTILE), ""


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
        status, why = statusOf(report, result)
        endWith(reactor, status, f"{PROGRAM}: {why}" if why else "")

    settings = roomForSearch(options["settings"], LEAST_FILES)
    try:
        rendezvous = rendezvousEndpoint(reactor, options["rendezvous"])
    except Misuse as mistake:
        giveUp(PROGRAM, str(mistake))
    place = HostPort.parse(options["rendezvous"].partition(":")[2].replace("\\:", ":"))
    idle = None
    if options["longest"] is not None:
        idle = partial(silence, reactor, longest=options["longest"])
    examination = CheckRun(reactor, rendezvous, place, settings, idle)
    rehearsal = None
    if options["whom"] is not None:
        name, secret = options["whom"]
        rehearsal = TrialDial(reactor, rendezvous, name, secret, settings)
    return CheckService(examination, rehearsal, ended)
