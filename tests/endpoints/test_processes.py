"""
C{punch:} endpoint strings in programs that know nothing of them: real processes on
loopback.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.endpointprograms import LAST_WORDS
from tests.support.processes import PATIENCE, Program, Start, freePort, until

ROOT = Path(__file__).parents[2]
PROGRAMS = str(ROOT / "tests" / "support" / "endpointprograms.py")


@pytest.fixture
def where(rendezvous: str, tmp_path: Path) -> str:
    """
    An endpoint string, without a service.
    """
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    quoted = rendezvous.replace(":", "\\:")
    return f"punch:name=home:secretfile={secret}:rendezvous={quoted}"


def run(name: str, *args: str) -> str:
    """
    Run one of L{tests.support.endpointprograms} to its end.

    @return: what it prints.
    """
    ended = subprocess.run(
        [sys.executable, PROGRAMS, name, *args],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.decode()


def site(start: Start, tmp_path: Path, string: str) -> Program:
    """
    C{twist web}, which serves a file.
    """
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "hello.txt").write_text("Hello from afar.\n")
    program = start("web", "--listen", string, "--path", "site")
    program.awaitLine("Waiting for the other side.")
    return program


def test_web(start: Start, where: str, tmp_path: Path) -> None:
    """
    C{twist web} serves a directory at a C{punch:} endpoint, and an HTTP client that was
    given another fetches from it; stopped, it leaves the rendezvous.
    """
    program = site(start, tmp_path, f"{where}:service=web")
    assert run("get", f"{where}:service=web", "hello.txt") == (
        "200 Hello from afar.\n200 Hello from afar.\n"
    )
    program.awaitLine("Closed (done)")
    program.process.terminate()
    assert program.end() == (-signal.SIGTERM, "")
    assert not program.heard("Traceback")
    again = start("web", "--listen", where, "--path", "site")
    again.awaitLine("Waiting for the other side.")


def test_webByCode(
    start: Start, rendezvous: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Without a name, the log has the code.
    """
    quoted = rendezvous.replace(":", "\\:")
    program = site(start, tmp_path, f"punch:rendezvous={quoted}")
    [line] = [
        each for each in program.log.read_text().splitlines() if "The code is" in each
    ]
    code = line.partition("The code is ")[2].split()[0]
    monkeypatch.setenv("PUNCH_RENDEZVOUS", rendezvous)
    assert "Hello from afar." in run("get", f"punch:code={code}", "hello.txt")


def test_curl(start: Start, rendezvous: str, where: str, tmp_path: Path) -> None:
    """
    C{curl}, which knows nothing at all, comes through a forward.
    """
    site(start, tmp_path, f"{where}:service=web")
    port = freePort()
    forward = start(
        *("punch", "--rendezvous", rendezvous),
        *("--name", "home", "--secret-file", "secret", "--dial"),
        *("--forward", f"web=tcp:{port}:interface=127.0.0.1"),
    )
    forward.await_("connected")
    fetched = subprocess.run(
        ["curl", "-sS", f"http://127.0.0.1:{port}/hello.txt"],
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert fetched.stdout == b"Hello from afar.\n"


MISTAKES = {
    "punch:name=home:rendezvous=tls:rv.example.org:4040": (
        r"write \: for a colon inside a value: rendezvous=tls\:rv.example.org\:4040"
    ),
    "punch:nmae=home": "there is no nmae=",
    "punch:name=home:secretfile=nowhere:rendezvous=x": "nowhere: No such file",
}


def test_mistakes(start: Start) -> None:
    """
    A mistake in the string keeps C{twist} from starting, and the last line that it
    prints says what to write.
    """
    running = {each: start("web", "--listen", each) for each in MISTAKES}
    for string, program in running.items():
        status, error = program.end()
        assert status == 1
        last = error.splitlines()[-1]
        assert last.startswith("punch.endpoints.strings.BadEndpointString: punch: ")
        assert MISTAKES[string] in last


def test_noRendezvous(start: Start, tmp_path: Path) -> None:
    """
    A server that can't reach its rendezvous says so in its log.
    """
    string = rf"punch:rendezvous=tcp\:localhost\:{freePort()}"
    program = start("web", "--listen", string, "--path", ".")
    program.awaitLine("The rendezvous refuses connections")


def test_examples(
    start: Start, rendezvous: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The how-to's application runs, and so does who watches it.
    """
    secret = tmp_path / "punch.secret"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    monkeypatch.setenv("PUNCH_RENDEZVOUS", rendezvous)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "examples"))
    with ExitStack() as stack:

        def example(*args: str) -> Program:
            program = background(tmp_path, args[-1].rpartition("/")[2], *args)
            stack.callback(program.stop)
            return program

        twistd = ("-c", "from twisted.scripts.twistd import run; run()")
        tac = str(ROOT / "examples" / "visits.tac")
        visits = example(*twistd, "-n", "--pidfile", "", "-y", tac)
        visits.awaitLine("Waiting for the other side.")
        feed = f"punch:name=attic:secretfile={secret}:service=feed"
        watch = example("-u", str(ROOT / "examples" / "watch.py"), feed)
        watch.awaitLine("0\n")
        web = feed.replace("feed", "web")
        assert "You are visitor 2." in run("get", web, "")
        watch.awaitLine("2\n")


def background(directory: Path, name: str, *args: str) -> Program:
    """
    A Python program that runs, with all that it prints in its log.
    """
    program = Program.__new__(Program)
    program.log = directory / f"{name}.log"
    with program.log.open("wb") as log:
        program.process = subprocess.Popen(
            [sys.executable, *args], cwd=directory, stdout=log, stderr=log
        )
    return program


@pytest.fixture
def served(start: Start, where: str, tmp_path: Path) -> Iterator[Program]:
    """
    C{serve} of L{tests.support.endpointprograms}: three services of one process.
    """
    strings = [f"{where}:service={each}" for each in ("last", "pb", "amp")]
    program = background(tmp_path, "serve", PROGRAMS, "serve", *strings)
    program.awaitLine("listening")
    yield program
    program.stop()


def test_calls(served: Program, where: str) -> None:
    """
    Perspective Broker and AMP, two services of a process, are called by another.
    """
    called = run("call", f"{where}:service=pb", f"{where}:service=amp")
    assert called == "Hello.\n{'total': 3}\n"


def test_lastWord(served: Program, where: str) -> None:
    """
    A program that ends as soon as its connection is over has said all that it wrote.
    """
    run("last", f"{where}:service=last")
    until(lambda: served.heard("heard "), served)
    assert served.heard(f"heard {LAST_WORDS}\n")
