"""
C{twist punch} as a user meets it: real processes on loopback.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from punch.cli.tap import Options
from tests.support.processes import (
    FEW_FILES,
    PATIENCE,
    Program,
    Start,
    assertRefused,
    facing,
    freePort,
    makePins,
    openFiles,
)

HELLO = b"hello world!\n"


@contextmanager
def boundSocket(port: int) -> Iterator[socket.socket]:
    """
    A blocking socket on a shared port, as any program would make it.
    """
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.settimeout(PATIENCE)
        made.bind(("127.0.0.1", port))
        yield made


OPTION_MISTAKES = {
    "nothing to do": ([], "--rendezvous"),
    "malformed code": (["--rendezvous", "tcp:h:1", "--code", "7"], "not a code"),
    "unknown word": (["--rendezvous", "tcp:h:1", "--code", "7-zoo-zoz"], "in no code"),
    "plaintext alone": (["--rendezvous", "tcp:h:1", "--plaintext"], "needs --peer"),
    "name alone": (["--rendezvous", "tcp:h:1", "--name", "n"], "needs --secret-file"),
    "no secret": (
        ["--rendezvous", "tcp:h:1", "--name", "n", "--secret-file", "nowhere"],
        "nowhere: No such file",
    ),
    "empty secret": (
        ["--rendezvous", "tcp:h:1", "--name", "n", "--secret-file", os.devnull],
        "is empty",
    ),
    "two ways": (["--code", "7-zoo-zoo", "--peer", "h:1"], "one of them only"),
    "peer without port": (["--peer", "h:1", "--plaintext"], "needs --port"),
    "peer without trust": (["--peer", "h:1", "--port", "2"], "--identity and --trust"),
    "bad pin": (
        ["--peer", "h:1", "--port", "2", "--identity", "i", "--trust", "xyz"],
        "64 hexadecimal digits",
    ),
    "no such protocol": (["--rendezvous", "tcp:h:1", "--protocol", "x"], "hello"),
    "no number": (["--rendezvous", "tcp:h:1", "--port", "x"], "takes a number"),
    "no sockets": (["--rendezvous", "tcp:h:1", "--search", "-1"], "--search"),
    "no time": (["--rendezvous", "tcp:h:1", "--timeout", "-1"], "--timeout"),
}


@pytest.mark.parametrize(
    ("options", "text"), OPTION_MISTAKES.values(), ids=OPTION_MISTAKES
)
def test_optionMistake(
    options: list[str],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """
    Each mistake in the options gets one line that says what to do, and a status other
    than 0.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("PUNCH_RENDEZVOUS", "PUNCH_CODE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(options)
    assert ended.value.code not in (0, None)
    error = capsys.readouterr().err
    assert text in error
    assert len(error.splitlines()) == 1


MISTAKES = {
    "no endpoint": (["--rendezvous", "nonsense"], "not an endpoint"),
    "another kind": (["--rendezvous", "udp:localhost:1"], "not an endpoint"),
    "refused": (["--rendezvous", "tcp:localhost:1"], "refuses connections"),
    "not found": (["--rendezvous", "tcp:nobody.invalid:1"], "name is not known"),
    "no such option": (["--nonsense"], "--nonsense"),
}


def test_mistakes(start: Start) -> None:
    """
    So does each that is found later, and in a real process.
    """
    running = {name: start("punch", *args) for name, (args, _) in MISTAKES.items()}
    for name, program in running.items():
        assertRefused(program, MISTAKES[name][1])


def test_meeting(start: Start, rendezvous: str) -> None:
    """
    Two programs meet by a code, hold the conversation, and end cleanly.
    """
    # On one machine the relay is so near that it sometimes wins.
    direct = ("--relay", "never")
    listener = start("punch", "--rendezvous", rendezvous, "--once", *direct)
    code = listener.await_("code")["code"]
    listener.await_("waiting")
    environment = {"PUNCH_RENDEZVOUS": rendezvous, "PUNCH_CODE": code.upper()}
    dialer = start("punch", *direct, environment=environment)
    connected = dialer.await_("connected")
    assert connected["path"] == "direct"
    assert connected["how"] in ("connected", "accepted")
    assert listener.await_("connected")["elapsed"] < connected["elapsed"] + 1
    for each in (listener, dialer):
        each.await_("introduced")
        each.awaitLine("Heard: hello world!", 2)
    dialer.stop()
    assert listener.end()[0] == 0
    closed = listener.told("closed")[0]
    assert (closed["reason"], closed["sent"], closed["received"]) == ("done", 26, 26)
    assert code not in dialer.log.read_text()


def test_codeFromInput(start: Start, rendezvous: str) -> None:
    """
    C{--code -} reads the code, which need not stand in a process list.
    """
    listener = start("punch", "--rendezvous", rendezvous)
    listener.await_("waiting")
    code = listener.told("code")[0]["code"]
    dialer = start("punch", "--rendezvous", rendezvous, "--code", "-", "--once")
    assert dialer.process.stdin is not None
    dialer.process.stdin.write(code.replace("-", " ").encode() + b"\n")
    dialer.process.stdin.flush()
    dialer.await_("connected")


def test_wrongCode(start: Start, rendezvous: str) -> None:
    """
    A wrong code kills it: both sides are told, and the code is unknown after that.
    """
    listener = start("punch", "--rendezvous", rendezvous, "--once")
    listener.await_("waiting")
    number, first, second = listener.told("code")[0]["code"].split("-")
    wrong = f"{number}-{first}-{'zoo' if second != 'zoo' else 'zone'}"
    status, error = start("punch", "--rendezvous", rendezvous, "--code", wrong).end()
    assert status == 1
    assert "do not have the same words" in error
    status, error = listener.end()
    assert status == 1
    assert "do not have the same words" in error
    status, error = start("punch", "--rendezvous", rendezvous, "--code", wrong).end()
    assert status == 1
    assert "Nobody waits" in error


def test_standingName(start: Start, rendezvous: str, tmp_path: Path) -> None:
    """
    A standing name serves many dialers; another listener is told it is taken, and
    a secret that others can read is warned of.
    """
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o644)
    args = ["--rendezvous", rendezvous, "--name", "home", "--secret-file", str(secret)]
    listener = start("punch", *args)
    listener.await_("waiting")
    assert listener.heard("Others can read")
    status, error = start("punch", *args).end()
    assert status == 1
    assert "Somebody else waits under this name" in error
    dialers = [start("punch", *args, "--dial", "--once") for _ in range(2)]
    for dialer in dialers:
        dialer.await_("connected")
    listener.await_("connected", 2)


@pytest.mark.parametrize("pause", [0.0, 5.0])
@pytest.mark.parametrize("first", [0, 1])
def test_article(start: Start, first: int, pause: float) -> None:
    """
    Two programs on one host, in plain text and without a rendezvous, whichever
    starts first; three times on the same ports.
    """
    options = facing()
    for _ in range(3 if not pause else 1):
        both = {}
        for own in (first, 1 - first):
            both[own] = start("punch", *options[own], "--plaintext", "--once")
            if own == first:
                both[own].await_("listening")
                # How long the first is alone is what this is about.
                time.sleep(pause)
        for program in both.values():
            program.await_("connected")
            program.awaitLine("Heard:", 2)
        both[first].stop()
        assert both[1 - first].end()[0] == 0


@pytest.mark.parametrize("how", ["connects", "accepts"])
def test_blockingSockets(start: Start, how: str) -> None:
    """
    A program that is not ours, with plain blocking sockets, holds the conversation.
    """
    ours, theirs = freePort(), freePort()
    with ExitStack() as stack:
        listening = stack.enter_context(boundSocket(theirs))
        listening.listen()
        program = start(
            *("punch", "--peer", f"127.0.0.1:{theirs}", "--port", str(ours)),
            *("--plaintext", "--once"),
        )
        if how == "accepts":
            connection, (_, port) = listening.accept()
            assert port == ours
        else:
            # It reaches us first; then we connect from the port we listen on.
            connection = stack.enter_context(boundSocket(theirs))
            listening.close()
            program.await_("listening")
            connectFrom(connection, ours)
        stack.enter_context(connection)
        conversation = connection.makefile("rwb")
        assert conversation.readline() == HELLO
        conversation.write(b"good day\n")
        conversation.flush()
        assert conversation.readline() == b"good day\n"
        conversation.close()
        connection.close()
    assert program.end()[0] == 0
    assert program.heard("Heard: good day")


def connectFrom(connection: socket.socket, port: int) -> None:
    """
    Connect, unless the other side has just done so.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.connect(("127.0.0.1", port))
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_trust(start: Start, tmp_path: Path) -> None:
    """
    Without a rendezvous, with keys: the right pins meet, and a stranger's does not.
    """
    options, pins = facing(), makePins(start)
    for own in (0, 1):
        assert stat.S_IMODE((tmp_path / f"key{own}").stat().st_mode) == 0o600

    def meet(own: int, pin: str, *more: str) -> Program:
        trust = ("--identity", f"key{own}", "--trust", pin)
        return start("punch", *options[own], "--once", *trust, *more)

    both = [meet(0, pins[1]), meet(1, pins[0])]
    for program in both:
        program.await_("connected")
    both[0].stop()
    assert both[1].end()[0] == 0
    # The lower pin is the TLS client: one as wrong as can be keeps that order.
    wrong = (pins[1], ("f" if pins[1] < pins[0] else "0") * 64)
    strangers = [meet(each, pin, "--timeout", "3") for each, pin in enumerate(wrong)]
    assert "does not hold the key that we trust" in strangers[1].end()[1]
    status, error = strangers[0].end()
    assert status == 1
    assert strangers[0].told("failed")[0]["reason"] == "not-attached", error
    assert not any(each.told("connected") for each in strangers)


def test_portInUse(start: Start) -> None:
    """
    A port that another program listens on is found out, though it would share it.
    """
    port = freePort()
    with boundSocket(port) as other:
        other.listen()
        status, error = start(
            "punch", "--rendezvous", "tcp:localhost:1", "--port", str(port)
        ).end()
    assert status == 1
    assert "Another program uses this port" in error
    assert f"port {port}" in error


def test_rendezvousRestarted(start: Start) -> None:
    """
    A listener whose rendezvous was restarted comes back under its code.
    """
    listen = f"tcp:{freePort()}:interface=127.0.0.1"
    description = f"tcp:127.0.0.1:{listen.split(':')[1]}"
    rendezvous = start("punch-rendezvous", "--listen", listen)
    rendezvous.awaitLine("listens on")
    options = ("--rendezvous", description, "--once", "--resume-for", "1")
    listener = start("punch", *options)
    listener.await_("waiting")
    rendezvous.process.kill()
    rendezvous.process.wait()
    rendezvous = start("punch-rendezvous", "--listen", listen)
    listener.await_("waiting", 2)
    assert len(listener.told("code")) == 1
    code = listener.told("code")[0]["code"]
    dialer = start("punch", "--rendezvous", description, "--code", code, "--once")
    dialer.await_("connected")
    listener.await_("connected")
    dialer.process.kill()
    status, error = listener.end()
    assert status == 1
    assert "was not to be met again in time" in error


def test_strangersOnThePort(start: Start, rendezvous: str) -> None:
    """
    A thousand silent strangers on the shared port, and rubbish, delay nothing and
    are told nothing.
    """
    with openFiles(FEW_FILES):
        listener = start("punch", "--rendezvous", rendezvous, "--once")
        listener.await_("waiting")
    port = listener.told("listening")[0]["port"]
    code = listener.told("code")[0]["code"]
    with ExitStack() as stack:
        stack.enter_context(openFiles(2048))
        strangers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(1000)
        ]
        for stranger in strangers[:10]:
            with suppress(OSError):
                stranger.sendall(b"rubbish")
        dialer = start("punch", "--rendezvous", rendezvous, "--code", code, "--once")
        assert dialer.await_("connected")["elapsed"] < 2
        for stranger in strangers[10:20]:
            stranger.settimeout(PATIENCE)
            with pytest.raises(ConnectionResetError):
                stranger.recv(100)
