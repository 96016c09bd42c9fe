"""
Mistakes in one line, and an exit status that tells.
"""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactor
from twisted.logger import LogLevel, jsonFileLogObserver, textFileLogObserver
from twisted.python import usage

from punch.cli.options import EX_USAGE, CommandOptions, exitNow, stopAndExit

ENDING = """
import atexit, sys
from twisted.internet import reactor
from punch.cli.options import stopAndExit
atexit.register(print, "the first exit function")
{before}
atexit.register(print, "the last exit function")
reactor.run()
print("the reactor has stopped")
"""


class Options(CommandOptions):
    """
    Options with one parameter.
    """

    def __init__(self) -> None:
        CommandOptions.__init__(self)

    program = "punch-test"
    optParameters = [["size", None, 1, "How much.", int]]

    def postOptions(self) -> None:
        """
        Even this may be a mistake.
        """
        if self["size"] > 9:
            raise usage.UsageError("that is too much")


def ending(before: str) -> subprocess.CompletedProcess[str]:
    """
    Run a process that ends.
    """
    code = ENDING.format(before=before)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )


def test_parsed() -> None:
    """
    Options that are right are parsed.
    """
    options = Options()
    options.parseOptions(["--size", "3"])
    assert options["size"] == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--colour"], "punch-test: option --colour not recognized"),
        (["--size", "10"], "punch-test: that is too much"),
        (["more"], "punch-test: unexpected argument 'more'; see --help"),
    ],
)
def test_mistake(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A mistake gets one line, and the status for misuse.
    """
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(arguments)
    assert ended.value.code == EX_USAGE
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", line + "\n")


def test_exitNow(capsys: pytest.CaptureFixture[str]) -> None:
    """
    So does one that is found later, with the status that it says.
    """
    with pytest.raises(SystemExit) as ended:
        exitNow("punch-test", "nothing works", 3)
    assert ended.value.code == 3
    assert capsys.readouterr().err == "punch-test: nothing works\n"


class Terminal(io.StringIO):
    """
    A file that says it is a terminal.
    """

    def isatty(self) -> bool:
        """
        It is.
        """
        return True


@pytest.mark.parametrize(
    ("parent", "seen"),
    [
        (None, False),
        ({}, False),
        ({"logFile": io.StringIO()}, False),
        ({"logFile": Terminal()}, True),
        ({"logFile": Terminal(), "logLevel": LogLevel.critical}, False),
    ],
)
def test_logIsSeen(parent: dict[str, Any] | None, seen: bool) -> None:
    """
    The person sees the log where twist writes it to a terminal.
    """
    options = Options()
    if parent is not None:
        options.parent = usage.Options()
        options.parent.update(parent)
    assert options.logsToTerminal() is seen


class Named(io.StringIO):
    """
    A file with a name.
    """

    def __init__(self, name: str) -> None:
        io.StringIO.__init__(self)
        self.name = name


@pytest.mark.parametrize("name", ["<stdout>", "/dev/stdout", "/dev/fd/1", None])
@pytest.mark.parametrize("error", [io.StringIO(), Terminal()])
def test_keepOffOutput(
    monkeypatch: pytest.MonkeyPatch, name: str | None, error: io.StringIO
) -> None:
    """
    What would be logged to standard output, however it is called and even if it is
    closed, goes to standard error; on a terminal, as text.
    """
    monkeypatch.setattr("sys.stderr", error)
    options = Options()
    options.logToStandardError()
    options.parent = usage.Options()
    options.parent["fileLogObserverFactory"] = jsonFileLogObserver
    options.parent["logFile"] = None if name is None else Named(name)
    options.logToStandardError()
    assert options.parent["logFile"] is error
    observer = textFileLogObserver if error.isatty() else jsonFileLogObserver
    assert options.parent["fileLogObserverFactory"] is observer


def test_logsElsewhere() -> None:
    """
    What is logged elsewhere stays there.
    """
    options = Options()
    options.parent = usage.Options()
    options.parent["logFile"] = elsewhere = Named("/var/log/punch")
    options.logToStandardError()
    assert options.parent["logFile"] is elsewhere


@pytest.mark.parametrize(
    "before",
    [
        "stopAndExit(reactor, 3, 'it is over')",
        "reactor.callLater(0, stopAndExit, reactor, 3, 'it is over')",
        "reactor.callWhenRunning(reactor.stop);"
        "reactor.addSystemEventTrigger('before', 'shutdown', stopAndExit, reactor, 3,"
        "'it is over')",
    ],
    ids=["before it runs", "as it runs", "as it stops"],
)
def test_stopAndExit(before: str) -> None:
    """
    The reactor stops, what follows it is done, every exit function runs once, and
    the status is what was said.
    """
    ended = ending(before)
    assert ended.returncode == 3
    assert ended.stderr == "it is over\n"
    assert ended.stdout.splitlines() == [
        "the reactor has stopped",
        "the last exit function",
        "the first exit function",
    ]


def test_endWell() -> None:
    """
    A status of 0 is the usual end.
    """
    ended = ending("stopAndExit(reactor, 0)")
    assert ended.returncode == 0
    assert ended.stderr == ""


def test_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A line that the person sees in the log is not said twice.
    """
    reactor = MemoryReactor()
    stopAndExit(reactor, 0, "well done", seen=True)
    assert len(reactor.whenRunningHooks) == 1
    assert capsys.readouterr().err == ""
