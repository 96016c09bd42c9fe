"""
Command lines: options whose mistakes are told in one line, and exit statuses.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore
from twisted.logger import LogLevel, textFileLogObserver
from twisted.python import usage

from punch.errors import BadOption, Misuse
from punch.peer.settings import BadSetting, Settings
from punch.signaling.code import Code, parseCode
from punch.signaling.secretfile import readSecret

EX_USAGE = 64
"""
The exit status for a mistake in the command itself (sysexits.h).
"""


def exitNow(program: str, line: str, status: int = EX_USAGE) -> NoReturn:
    """
    End the process before its reactor runs.

    @param program: the name that the message begins with.
    @param line: what is wrong and what to do about it, in one line.
    """
    print(f"{program}: {line}", file=sys.stderr)
    raise SystemExit(status)


def number(
    option: str, kind: Callable[[str], Any], what: str = "a number"
) -> Callable[[str], Any]:
    """
    Make the parser of the values of an option that takes a number.

    @param what: what it takes, for the message about anything else.
    """

    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            message = f"--{option} takes {what}, not {text!r}"
            raise usage.UsageError(message) from None

    # This keeps usage.Options from adding its own text to ours.
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
    Parse a code from the command line; for C{-} read it from standard input.

    @raise punch.errors.Misuse: this is not a code.
    """
    if text == "-":
        if sys.stdin.isatty():
            print("Code: ", end="", file=sys.stderr, flush=True)
        text = sys.stdin.readline()
    return parseCode(text)


def _collector(option: str, help: str) -> Callable[[usage.Options, str], None]:
    """
    Make the method that L{usage.Options} calls with each value of an option.
    """

    def collect(self: usage.Options, value: str) -> None:
        self[option].append(value)

    collect.__doc__ = help
    return collect


class CommandOptions(usage.Options):
    """
    The base of our commands' options: a mistake is told in one line.  By itself
    C{twist} would print a page of its own options with it.

    @cvar program: the name that error messages begin with.
    @cvar repeatable: the options that may be given more than once, and the help for
        each.  The values of each are collected in a list.
    """

    program: ClassVar[str]
    repeatable: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        for name, help in cls.repeatable.items():
            setattr(cls, f"opt_{name}", _collector(name, help))

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.docs = {
            name: text and " ".join(text.split()) for name, text in self.docs.items()
        }
        self.update({each: [] for each in self.repeatable})

    def parseOptions(self, options: Any = None) -> None:
        """
        Parse the options, or print the mistake and end the process.

        @raise SystemExit: there is a mistake.
        """
        try:
            usage.Options.parseOptions(self, options)
        except (usage.UsageError, Misuse) as mistake:
            exitNow(self.program, str(mistake))

    def parseArgs(self, *args: str) -> None:
        """
        Refuse arguments that are not options.
        """
        if args:
            raise usage.UsageError(f"unexpected argument {args[0]!r}; see --help")

    def readRendezvous(self, purpose: str) -> None:
        """
        Take the rendezvous from C{$PUNCH_RENDEZVOUS}, if the option is not given.

        @param purpose: what it is needed for.
        @raise BadOption: there is none.
        """
        where = self["rendezvous"] or os.environ.get("PUNCH_RENDEZVOUS")
        if not where:
            option = "--rendezvous (or $PUNCH_RENDEZVOUS)"
            raise BadOption(f"{option} says where to {purpose}")
        self["rendezvous"] = where

    def nameAndSecret(self) -> tuple[str, bytes] | None:
        """
        Read the name to meet under and its secret: from C{--name} and C{--secret-file},
        or from a code in C{--code} or C{$PUNCH_CODE}.

        @return: C{None} if there is neither a name nor a code.
        @raise Misuse: the file holds no secret, or the code is none.
        """
        if self["name"]:
            return self["name"], readSecret(Path(self["secret-file"]))
        text = self["code"] or os.environ.get("PUNCH_CODE")
        if not text:
            return None
        code = readCode(text)
        return code.name, code.secret

    def checkTogether(
        self,
        values: Sequence[str],
        alternatives: Sequence[str],
        needs: Mapping[str, str],
    ) -> None:
        """
        Check which options are given together.

        @param values: those that may be left out, but not empty.
        @param alternatives: those of which one may be given.
        @param needs: for an option, another one that has to be given, too.
        @raise BadOption: they are not.
        """
        for each in values:
            if self[each] == "":
                raise BadOption(f"--{each} is empty")
        given = [each for each in alternatives if self[each]]
        if len(given) > 1:
            raise BadOption(f"--{given[0]} and --{given[1]}: one of them only")
        for option, needed in needs.items():
            if self[option] and not self[needed]:
                raise BadOption(f"--{option} needs --{needed}")

    def logsToTerminal(self) -> bool:
        """
        Whether errors that are logged appear on a terminal.
        """
        twist: dict[str, Any] = self.parent or {}
        isatty = getattr(twist.get("logFile"), "isatty", None)
        if isatty is None or twist.get("logLevel") is LogLevel.critical:
            return False
        return bool(isatty())

    def logToStandardError(self) -> None:
        """
        Have C{twist} log to standard error, if it would log to standard output.
        """
        twist: dict[str, Any] | None = self.parent
        if twist is None or sys.stderr is None:
            return
        logFile = twist.get("logFile")
        if logFile is None or getattr(logFile, "name", "") in _STANDARD_OUTPUT:
            twist["logFile"] = sys.stderr
            if sys.stderr.isatty():
                # As twist does for a log on a terminal.
                twist["fileLogObserverFactory"] = textFileLogObserver


_STANDARD_OUTPUT = ("<stdout>", "/dev/stdout", "/dev/fd/1")


def stopAndExit(
    reactor: IReactorCore, status: int, line: str = "", seen: bool = False
) -> None:
    """
    Stop the reactor, now or as soon as it runs, and then exit with C{status}.

    C{twist} and C{twistd} exit with 0 whatever happened: they ignore how
    C{reactor.run()} ended, and the reactor logs exceptions and goes on.  After them
    only exit functions (L{atexit}) run, and there the status can be set by C{os._exit}
    alone.  So our exit function runs all others, flushes, and calls that.

    @param line: the reason, to print on standard error.
    @param seen: the reason is logged, too, to a terminal, so do not print it.
    """
    if line and not seen and sys.__stderr__ is not None:
        # twist has put the log in the place of sys.stderr.
        print(line, file=sys.__stderr__, flush=True)
    if status:
        # As late as possible: the exit function that was registered last runs first.
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
