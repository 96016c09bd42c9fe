"""
The command line: mistakes in one line, and an exit status that tells.

The options of C{twist punch} that may be given more than once.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore
from twisted.logger import LogLevel, textFileLogObserver
from twisted.python import usage

from punch.peer.settings import BadSetting, Settings
from punch.signaling.code import Code, parseCode

EX_USAGE = 64
"""
The exit status for a mistake in the command itself (sysexits.h).
"""


def giveUp(program: str, line: str, status: int = EX_USAGE) -> NoReturn:
    """
    End the process before its reactor runs.

    @param line: whose mistake, and what to do about it; no newline.
    """
    print(f"{program}: {line}", file=sys.stderr)
    raise SystemExit(status)


def number(option: str, kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """
    What reads the value of an option that takes a number.
    """

    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise usage.UsageError(f"--{option} takes a number, not {text!r}") from None

    # What usage.Options says in its own way, we say better.
    read.coerceDoc = ""  # type: ignore[attr-defined]
    return read


def dashed(name: str) -> str:
    """
    The option for a C{mixedCase} name: C{mixed-case}.
    """
    return re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name)


def peerSettings(**values: Any) -> Settings:
    """
    The settings that options of the same names ask for.

    @raise usage.UsageError: one of them cannot have its value.
    """
    try:
        return Settings(**values)
    except BadSetting as bad:
        raise usage.UsageError(bad.spelled(f"--{dashed(bad.name)}", " ")) from bad


def readCode(text: str) -> Code:
    """
    Read a code from the command line; C{-}: from standard input.

    @raise punch.errors.Misuse: it is none.
    """
    if text == "-":
        if sys.stdin.isatty():
            print("Code: ", end="", file=sys.stderr, flush=True)
        text = sys.stdin.readline()
    return parseCode(text)


class PlainOptions(usage.Options):
    """
    Options of a C{twist} plugin whose mistakes get one line; C{twist} would print a
    page of its own options beside it.

    @cvar program: by what name the program speaks.
    """

    program: ClassVar[str]

    def parseOptions(self, options: Any = None) -> None:
        """
        Parse, or end the process.

        @raise SystemExit: for a mistake, once it is told.
        """
        try:
            usage.Options.parseOptions(self, options)
        except usage.UsageError as mistake:
            giveUp(self.program, str(mistake))

    def parseArgs(self, *args: str) -> None:
        """
        Everything is an option.
        """
        if args:
            raise usage.UsageError(f"unexpected argument {args[0]!r}; see --help")

    def logIsSeen(self) -> bool:
        """
        Whether C{twist} logs errors to a terminal.
        """
        twist: dict[str, Any] = self.parent or {}
        isatty = getattr(twist.get("logFile"), "isatty", None)
        if isatty is None or twist.get("logLevel") is LogLevel.critical:
            return False
        return bool(isatty())

    def keepOffOutput(self) -> None:
        """
        Have C{twist} log to standard error what would go to standard output.
        """
        twist: dict[str, Any] | None = self.parent
        if twist is None or sys.stderr is None:
            return
        logFile = twist.get("logFile")
        if logFile is None or getattr(logFile, "name", "") in _STANDARD_OUTPUT:
            twist["logFile"] = sys.stderr
            if sys.stderr.isatty():
                # As twist does it where it goes to a terminal.
                twist["fileLogObserverFactory"] = textFileLogObserver


_STANDARD_OUTPUT = ("<stdout>", "/dev/stdout", "/dev/fd/1")


def endWith(
    reactor: IReactorCore, status: int, line: str = "", seen: bool = False
) -> None:
    """
    Stop the reactor, now or as soon as it runs, and exit with C{status} then.

    C{twist} and C{twistd} exit with 0 whatever happened: both return from
    C{reactor.run()} into code that ignores how it ended, and an exception raised
    inside the reactor is logged and forgotten.  What remains after them is
    L{atexit}, where the status can no longer be chosen except by C{os._exit}; so
    the last thing of all is that, after the other exit functions and a flush.

    @param line: why, to be printed on standard error.
    @param seen: the log, which has it too, goes to a terminal: don't print.
    """
    if line and not seen and sys.__stderr__ is not None:
        # twist has put the log in the place of sys.stderr.
        print(line, file=sys.__stderr__, flush=True)
    if status:
        # As late as can be: the last function registered is the first to run.
        reactor.addSystemEventTrigger(
            "after", "shutdown", atexit.register, _exit, status
        )
    reactor.callWhenRunning(_stop, reactor)


def _stop(reactor: IReactorCore) -> None:
    """
    Stop a reactor that may be stopping already.
    """
    with suppress(ReactorNotRunning):
        reactor.stop()


def _exit(status: int) -> None:
    """
    Run the exit functions that were registered before this one, flush, and exit.
    """
    atexit.unregister(_exit)
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()  # type: ignore[union-attr]
    os._exit(status)


class RepeatableOptions(PlainOptions):
    """
    Options of which each collects its values in a list.

    @cvar repeatable: what each means.
    """

    repeatable: ClassVar[dict[str, str]] = {
        "expose": "The other side may connect to this: [NAME=]CLIENT-ENDPOINT;"
        " repeatable.",
        "forward": "What connects to this gets what the other side exposes by that"
        " name: [NAME=]SERVER-ENDPOINT; repeatable.",
        "draw": "With --trace FILE.html: draw this FILE.json, or two sides' in one"
        " picture, and exit; repeatable.",
        "stun": "Ask this STUN server, too, over TCP, where it sees us, and tell the"
        " other side: HOST:PORT; repeatable.",
    }

    def __init__(self) -> None:
        PlainOptions.__init__(self)
        self.docs.update(self.repeatable)
        self.update({each: [] for each in self.repeatable})

    def opt_expose(self, endpoint: str) -> None:
        """
        One more.
        """
        self["expose"].append(endpoint)

    def opt_forward(self, endpoint: str) -> None:
        """
        One more.
        """
        self["forward"].append(endpoint)

    def opt_draw(self, path: str) -> None:
        """
        One more.
        """
        self["draw"].append(path)

    def opt_stun(self, server: str) -> None:
        """
        One more.
        """
        self["stun"].append(server)
