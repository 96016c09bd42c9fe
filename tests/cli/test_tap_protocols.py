"""
C{twist punch --protocol} as a user meets it: real processes on loopback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import IO, Any

import pytest

from tests.support.processes import PATIENCE, Program, Start, assertRefused, facing

CHAT = Path(__file__).parents[2] / "examples" / "chat"

TEXT = ("--log-format", "text")


class Netcat(Program):
    """
    A running C{twist punch --protocol stdio}; its log is what it writes to standard
    error.
    """

    def __init__(self, directory: Path, name: str, *args: str, **more: Any) -> None:
        self.log = directory / f"{name}.log"
        self.events = directory / f"{name}.events"
        environment = {k: v for k, v in os.environ.items() if "PUNCH_" not in k}
        environment.update(more.pop("environment", {}))
        twist = more.pop("twist", TEXT)
        protocol = more.pop("protocol", "stdio")
        command = [sys.executable, "-m", "twisted", *twist, "punch"]
        command += ["--protocol", protocol, "--events", str(self.events), *args]
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **more}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stderr=log, env=environment, cwd=directory, **options
            )

    def end(self) -> tuple[int, str]:
        """
        Wait for it to end by itself: its status, its standard error.
        """
        status = self.process.wait(timeout=PATIENCE)
        return status, self.log.read_text()

    def stop(self) -> None:
        """
        Stop it, if it runs.
        """
        for each in (self.process.stdin, self.process.stdout):
            if each is not None and not each.closed:
                each.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=PATIENCE)

    def says(self, data: bytes) -> None:
        """
        Write to its stdin.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def finishes(self) -> None:
        """
        End its stdin.
        """
        assert self.process.stdin is not None
        self.process.stdin.close()

    def hears(self, data: bytes) -> None:
        """
        See that its stdout has this next; C{b""}: its end.
        """
        assert self.process.stdout is not None
        heard = self.process.stdout.read(len(data) or 1)
        assert heard == data, self.log.read_text()


Meet = Callable[..., tuple[Netcat, Netcat]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Netcat]]:
    """
    Starts one, which ends with the test.
    """
    with ExitStack() as stack:
        names = iter("abcdefgh")

        def begin(*args: str, **more: Any) -> Netcat:
            netcat = Netcat(tmp_path, next(names), *args, **more)
            stack.callback(netcat.stop)
            return netcat

        yield begin


@pytest.fixture
def meet(begin: Callable[..., Netcat], rendezvous: str) -> Meet:
    """
    Starts two that have met.
    """

    def meet(
        ours: dict[str, Any], theirs: dict[str, Any], *options: str
    ) -> tuple[Netcat, Netcat]:
        listener = begin("--rendezvous", rendezvous, *options, **ours)
        listener.await_("waiting")
        code = listener.told("code")[0]["code"]
        environment = {"PUNCH_RENDEZVOUS": rendezvous, "PUNCH_CODE": code}
        return listener, begin(*options, environment=environment, **theirs)

    return meet


def feed(netcat: Netcat, data: bytes) -> None:
    """
    Write all to its stdin, and end it.
    """
    netcat.says(data)
    netcat.finishes()


def carry(source: Netcat, target: Netcat, data: bytes) -> None:
    """
    See that C{target} writes what C{source} is fed.
    """
    assert target.process.stdout is not None
    feeder = Thread(target=feed, args=(source, data))
    feeder.start()
    assert target.process.stdout.read() == data
    feeder.join()


def assertClean(*netcats: Netcat) -> None:
    """
    See that they end well.
    """
    for each in netcats:
        status, log = each.end()
        assert status == 0, log


def test_conversation(meet: Meet) -> None:
    """
    Each has at once what the other is told; one direction may end before the other;
    then both processes end by themselves, without --once.  The code is in the log,
    which has no part in the data.
    """
    ours, theirs = meet({}, {})
    for data in (b"hello\n", b"\0\xff\r"):
        ours.says(data)
        theirs.hears(data)
        theirs.says(data)
        ours.hears(data)
    ours.finishes()
    theirs.hears(b"")
    theirs.says(b"the last word")
    theirs.finishes()
    ours.hears(b"the last word")
    ours.hears(b"")
    assertClean(ours, theirs)
    assert ours.heard(f"The code is {ours.told('code')[0]['code']}")


def test_bothDirections(meet: Meet) -> None:
    """
    Much, both ways at once.
    """
    ours, theirs = meet({}, {})
    data = os.urandom(16 << 20)
    back = Thread(target=carry, args=(theirs, ours, data[::-1]))
    back.start()
    carry(ours, theirs, data)
    back.join()
    assertClean(ours, theirs)
    for each in (ours, theirs):
        closed = each.told("closed")[0]
        assert (closed["sent"], closed["received"]) == (len(data), len(data))


def test_files(meet: Meet, tmp_path: Path) -> None:
    """
    From a file into a file, though no reactor waits for those; and back comes
    nothing, from the null device.
    """
    data = os.urandom(64 << 20)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    with source.open("rb") as reading, target.open("wb") as writing:
        ours, theirs = meet(
            {"stdin": reading},
            {"stdin": subprocess.DEVNULL, "stdout": writing},
        )
        ours.hears(b"")
        assertClean(ours, theirs)
    assert target.read_bytes() == data


def test_slowReader(meet: Meet) -> None:
    """
    A reader who takes his time has everything, though the link's other end has long
    finished; and the process waits for him.
    """
    data = os.urandom(3 << 20)
    ours, theirs = meet({}, {"stdin": subprocess.DEVNULL})
    feeder = Thread(target=feed, args=(ours, data))
    feeder.start()
    ours.hears(b"")
    heard = b""
    assert theirs.process.stdout is not None
    while piece := os.read(theirs.process.stdout.fileno(), 10_000):
        heard += piece
    assert heard == data
    feeder.join()
    assertClean(ours, theirs)


def test_terminal(meet: Meet) -> None:
    """
    At a terminal a line goes when it is entered, and Ctrl-D is the end; the terminal
    itself, which the log and the shell use too, is left as it was.
    """
    outside, inside = os.openpty()
    ours, theirs = meet({"stdin": inside, "stdout": inside}, {})
    os.write(outside, b"typed\n")
    theirs.hears(b"typed\n")
    assert os.get_blocking(inside)
    theirs.says(b"printed\n")
    theirs.finishes()
    shown = b""
    while b"printed" not in shown:
        shown += os.read(outside, 1000)
    os.write(outside, b"\x04")
    theirs.hears(b"")
    assertClean(ours, theirs)
    os.close(inside)
    os.close(outside)


def closedInput() -> None:
    """
    As C{<&-} does.
    """
    os.close(0)


def test_closedInput(meet: Meet) -> None:
    """
    A standard input that is closed is one that has ended.
    """
    ours, theirs = meet({"preexec_fn": closedInput, "stdin": None}, {})
    theirs.hears(b"")
    theirs.says(b"one way")
    theirs.finishes()
    ours.hears(b"one way")
    assertClean(ours, theirs)


def closedOutput() -> None:
    """
    As C{>&-} does.
    """
    os.close(1)


def test_closedOutput(begin: Callable[..., Netcat], rendezvous: str) -> None:
    """
    A standard output that is closed is a mistake.
    """
    closed = begin("--rendezvous", rendezvous, preexec_fn=closedOutput)
    status, said = closed.end()
    assert (status, len(said.splitlines())) == (64, 1)
    assert "standard output is closed" in said


def head(source: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """
    Take ten bytes.
    """
    return subprocess.Popen(["head", "-c", "10"], stdin=source, stdout=subprocess.PIPE)


def test_readerGoes(meet: Meet) -> None:
    """
    When the reader of its stdout goes, it ends with an error that says so, and the
    other side with one too.
    """
    ours, theirs = meet({}, {})
    assert theirs.process.stdout is not None
    reader = head(theirs.process.stdout)
    theirs.process.stdout.close()
    ours.says(b"0123456789 and more")
    assert reader.communicate(timeout=PATIENCE)[0] == b"0123456789"
    status, said = theirs.end()
    assert status == 1
    assert "standard output. (its reader has gone)" in said.splitlines()[-2]
    status, said = ours.end()
    assert (status, "broke before both" in said) == (1, True)


def test_diskFull(meet: Meet) -> None:
    """
    So does one whose disk is full.
    """
    with open("/dev/full", "wb") as full:
        ours, theirs = meet({}, {"stdout": full})
        ours.says(b"data")
        status, said = theirs.end()
    assert (status, "(No space left on device)" in said) == (1, True)
    assert ours.end()[0] == 1


def test_killed(meet: Meet) -> None:
    """
    When one is killed the other has what came before, and ends with an error when
    it has waited for it in vain.
    """
    ours, theirs = meet({}, {}, "--resume-for", "1")
    ours.says(b"before")
    theirs.hears(b"before")
    ours.process.kill()
    theirs.hears(b"")
    assert theirs.end()[0] == 1


def test_interrupted(meet: Meet) -> None:
    """
    One that is stopped halfway stops at once, and the other does not take it for the
    end of the data.
    """
    ours, theirs = meet({}, {})
    ours.says(b"before")
    theirs.hears(b"before")
    ours.process.terminate()
    assert ours.process.wait(timeout=PATIENCE) == -15
    theirs.hears(b"")
    assert theirs.end()[0] == 1


def test_onlyData(begin: Callable[..., Netcat]) -> None:
    """
    Whatever is to go to standard output beside the data goes to standard error.
    """
    both = [
        begin(
            *(*options, "--plaintext", "--events", "/dev/stdout"),
            twist=("--log-file", log),
        )
        for options, log in zip(facing(), ("-", "/dev/stdout"), strict=True)
    ]
    carry(both[0], both[1], b"data")
    both[1].finishes()
    both[0].hears(b"")
    assertClean(*both)
    for each in both:
        assert each.heard('"event": "connected"')
        assert each.heard("Starting reactor")


def test_logElsewhere(meet: Meet, tmp_path: Path) -> None:
    """
    A log that has a place of its own stays there.
    """
    twist = (*TEXT, "--log-file", str(tmp_path / "elsewhere"))
    ours, theirs = meet({"twist": twist}, {})
    for each in (ours, theirs):
        each.finishes()
    assertClean(ours, theirs)
    assert "The code is" in (tmp_path / "elsewhere").read_text()
    assert ours.end()[1] == ""


MISTAKES: list[tuple[list[str], dict[str, str], str]] = [
    (["stdio", "--code", "-"], {}, "put the code in $PUNCH_CODE"),
    (["stdio"], {"PUNCH_CODE": "-"}, "put the code in $PUNCH_CODE"),
    (["stdio:x"], {}, "stdio takes no arguments, not 'x'"),
    (["echo:x"], {}, "echo takes no arguments, not 'x'"),
    (["chat"], {}, "your name"),
    (["nonsense"], {}, "nonsense: there are chat, echo, hello, stdio"),
]


def test_mistakes(begin: Callable[..., Netcat], chat: str) -> None:
    """
    Each mistake gets one line, and the status for misuse.
    """
    running = [
        begin(
            *("--rendezvous", "tcp:h:1", *args),
            protocol=protocol,
            environment={"PYTHONPATH": chat, **environment},
        )
        for [protocol, *args], environment, _ in MISTAKES
    ]
    for program, (_, _, line) in zip(running, MISTAKES, strict=True):
        assert assertRefused(program, line) == 64


@pytest.fixture
def chat(tmp_path: Path) -> str:
    """
    A C{PYTHONPATH} where the example of a plugin is found, and its cache can be
    written.
    """
    shutil.copytree(CHAT, tmp_path / "chat")
    paths = [str(tmp_path / "chat"), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, paths))


def test_listed(start: Start, chat: str, tmp_path: Path) -> None:
    """
    All are listed with a line of help; a plugin that is broken spoils nothing.
    """
    broken = tmp_path / "chat" / "twisted" / "plugins" / "broken_plugin.py"
    broken.write_text("import nonsense\n")
    program = start("punch", "--help-protocols", environment={"PYTHONPATH": chat})
    status, said = program.end()
    assert status == 0
    assert "No module named 'nonsense'" in said
    names = [line.split()[0] for line in program.log.read_text().splitlines()[1:]]
    assert names == ["chat", "echo", "hello", "stdio"]


def test_chat(begin: Callable[..., Netcat], chat: str) -> None:
    """
    Two that have the example's plugin talk to each other.
    """
    ann, bob = (
        begin(
            *(*options, "--plaintext"),
            protocol=f"chat:{name}",
            environment={"PYTHONPATH": chat},
        )
        for options, name in zip(facing(), ("ann", "bob"), strict=True)
    )
    ann.hears(b"* bob is here\n")
    bob.hears(b"* ann is here\n")
    ann.says("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}\xdf dich\n".encode())
    bob.hears("ann: gr\N{LATIN SMALL LETTER U WITH DIAERESIS}\xdf dich\n".encode())
    bob.says(b"hello: ann\n")
    ann.hears(b"bob: hello: ann\n")
    bob.finishes()
    assertClean(ann, bob)


ILL = """
from twisted.internet.protocol import Factory
from twisted.plugin import IPlugin
from zope.interface import implementer

from punch.interfaces import IOutcome, IPunchProtocol


@implementer(IOutcome)
class IllFactory(Factory):
    def outcome(self, error):
        raise RuntimeError("it has its ways")


@implementer(IPlugin, IPunchProtocol)
class Ill:
    name = "ill"
    help = "Fails at the end."

    def factory(self, reactor, args):
        return IllFactory()


ill = Ill()
"""


def test_illAtTheEnd(begin: Callable[..., Netcat], chat: str, tmp_path: Path) -> None:
    """
    A plugin that fails at the end does not keep the process from its own.
    """
    plugins = tmp_path / "chat" / "twisted" / "plugins"
    (plugins / "ill_plugin.py").write_text(ILL)
    ill = begin(
        *("--rendezvous", "tcp:localhost:1"),
        protocol="ill",
        environment={"PYTHONPATH": chat},
        stdout=subprocess.DEVNULL,
    )
    status, said = ill.end()
    assert status == 1
    assert "refuses connections" in said
