"""
C{twist punch-check}: its options, and the service that runs one check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from punch.check.assessment import Findings, Reachability, assess
from punch.check.idletimeout import DEFAULT_LONGEST, MOST_SECONDS, measureIdleTimeout
from punch.check.probes import CheckRun
from punch.check.report import Report, Value
from punch.check.trialdial import TIMEOUT, TrialDial
from punch.check.trialresult import TrialResult
from punch.cli.options import (
    CommandOptions,
    exitNow,
    number,
    peerSettings,
    stopAndExit,
)
from punch.cli.rlimit import LEAST_FILES, limitSearch
from punch.errors import Misuse, PunchError
from punch.net.address import HostPort
from punch.peer.description import rendezvousEndpoint
from punch.service import reportedError

PROGRAM = "punch-check"

UNLIKELY = 1
UNKNOWN = 2
"""
Exit statuses: direct links are unlikely, or what was asked could not be found out.
"""


class Options(CommandOptions):
    """
    The options of C{twist punch-check}.  (Twisted finds the class by this name.)
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

    repeatable = {
        "stun": "Ask this STUN server, too, over TCP: HOST:PORT.  One elsewhere tells"
        " of mappings that depend on the address; repeatable."
    }

    def postOptions(self) -> None:
        """
        Check the options, and have the log kept off standard output.
        """
        self.readRendezvous("ask")
        self["settings"] = peerSettings(
            port=self["port"],
            interface=self["interface"],
            timeout=self["timeout"],
            stun=tuple(self["stun"]),
        )
        if self["longest"] is None and self["long"]:
            self["longest"] = DEFAULT_LONGEST
        if self["longest"] is not None and not 0 < self["longest"] <= MOST_SECONDS:
            raise UsageError(f"--longest takes seconds, 1 to {MOST_SECONDS}")
        needs = {"name": "secret-file", "secret-file": "name"}
        self.checkTogether(("code", *needs), ("code", "name"), needs)
        self["trial-peer"] = self.nameAndSecret()
        self.logToStandardError()
        twist: dict[str, Any] | None = self.parent
        if twist is not None and twist.get("logLevel") is LogLevel.info:
            # With --log-level debug there are lines about twist itself, too.
            twist["logLevel"] = LogLevel.warn


class CheckService(Service):
    """
    Runs one check, and after it a trial with another peer if there is to be one.

    L{makeService} makes it.  When it is done it calls C{ended}, which ends the process.
    """

    def __init__(
        self,
        check: CheckRun,
        trial: TrialDial | None,
        ended: Callable[[Findings | PunchError], None],
    ) -> None:
        """
        @param trial: a trial dial to another peer.
        @param ended: is called with what was found, or with why nothing was.
        """
        self._check = check
        self._trial = trial
        self._ended = ended
        self._running: Deferred[None] | None = None

    def startService(self) -> None:
        """
        Start the check.
        """
        Service.startService(self)
        self._running = Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        result: Findings | PunchError | None
        try:
            result = await self._find()
        except Exception:
            result = reportedError(Failure())
        if result is not None:
            self._ended(result)

    async def _find(self) -> Findings:
        found = await self._check.run()
        if self._trial is None:
            return found
        if found.reachability is Reachability.NOT:
            return replace(found, pair=Value.notTested("the rendezvous is not reached"))
        return replace(found, pair=await self._trial.run())

    def stopService(self) -> Deferred[None] | None:
        """
        Cancel the check, if it still runs.
        """
        Service.stopService(self)
        if self._running is not None:
            self._running.cancel()
        return self._running


def statusOf(report: Report, found: Findings) -> tuple[int, str]:
    """
    Choose the exit status: by the verdict on the pair if there was a trial, else by the
    report.

    @return: the status, and a reason where nothing could be found out.
    """
    if found.reachability is Reachability.NOT:
        return UNKNOWN, found.why
    verdict = report.verdict
    if isinstance(found.pair, TrialResult):
        if found.pair.verdict is None:
            return UNKNOWN, str(found.pair.why)
        verdict = found.pair.verdict
    return (0 if verdict.isFavorable else UNLIKELY), ""


def makeService(options: Options) -> IService:
    """
    Make the service of the check, which ends the process when it is done.
    """
    from twisted.internet import reactor

    # By the time of the report twist has replaced sys.stdout by the log.
    output = sys.stdout

    def ended(result: Findings | PunchError) -> None:
        if isinstance(result, PunchError):
            stopAndExit(reactor, UNKNOWN, f"{PROGRAM}: {result}")
            return
        report = assess(result)
        text = report.toJSON() if options["json"] else report.toText()
        print(text, file=output, flush=True)
        status, why = statusOf(report, result)
        stopAndExit(reactor, status, f"{PROGRAM}: {why}" if why else "")

    settings = limitSearch(options["settings"], LEAST_FILES)
    try:
        rendezvous = rendezvousEndpoint(reactor, options["rendezvous"])
    except Misuse as mistake:
        exitNow(PROGRAM, str(mistake))
    _, _, address = options["rendezvous"].replace("\\:", ":").partition(":")
    idle = None
    if options["longest"] is not None:
        idle = partial(measureIdleTimeout, reactor, longest=options["longest"])
    check = CheckRun(reactor, rendezvous, HostPort.parse(address), settings, idle)
    trial = None
    if options["trial-peer"] is not None:
        name, secret = options["trial-peer"]
        trial = TrialDial(reactor, rendezvous, name, secret, settings)
    return CheckService(check, trial, ended)
