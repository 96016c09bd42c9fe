"""
C{twist punch --expose} and C{--forward} as a user meets them: real processes on
loopback.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.support.forwarding import (
    LOCAL,
    Pair,
    breakOff,
    connected,
    conversation,
    everything,
    forwarded,
    saying,
    serving,
)
from tests.support.processes import (
    Program,
    Start,
    assertRefused,
    facing,
    makePins,
    until,
)


@pytest.mark.parametrize(
    ("service", "answer"), [("default", b"first"), ("web", b"web"), ("ssh", b"unix")]
)
def test_forms(pair: Pair, service: str, answer: bytes) -> None:
    """
    Unnamed and named, TCP and UNIX sockets, several at once.
    """
    words = os.urandom(100_000)
    address = forwarded(pair.dialer, service)
    assert conversation(address, words) == answer + b": " + words


def test_back(pair: Pair) -> None:
    """
    The listener forwards too, what the dialer exposes.
    """
    assert conversation(forwarded(pair.listener, "back"), b"x") == b"back: x"


def test_answerFirst(pair: Pair) -> None:
    """
    A server may speak first, and finish first, and then hear the client out.
    """
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"welcome")
        connection.shutdown(socket.SHUT_WR)
        heard.append(everything(connection))

    with pair.joined(serve) as client:
        assert everything(client) == b"welcome"
        client.sendall(b"thanks")
        client.shutdown(socket.SHUT_WR)
        until(lambda: heard == [b"thanks"])


def test_clientAborts(pair: Pair) -> None:
    """
    A client's RST is one for the server.
    """
    heard: list[object] = []

    def serve(connection: socket.socket) -> None:
        heard.append(connection.recv(100))
        try:
            heard.append(connection.recv(100))
        except ConnectionResetError:
            heard.append("reset")

    client = pair.joined(serve)
    client.sendall(b"half of a")
    until(lambda: len(heard) == 1)
    breakOff(client)
    until(lambda: len(heard) == 2)
    assert heard == [b"half of a", "reset"]


def test_serverAborts(pair: Pair) -> None:
    """
    And the other way round.
    """

    def serve(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100))
        assert connection.recv(100) == b"enough"
        breakOff(connection)

    with pair.joined(serve) as client:
        client.sendall(b"half of a")
        assert client.recv(100) == b"half of a"
        client.sendall(b"enough")
        with pytest.raises(ConnectionResetError):
            client.recv(100)


@pytest.mark.parametrize(
    ("service", "reason"),
    [("ghost", "is it running there?"), ("nobody", "must --expose it")],
)
def test_refused(pair: Pair, service: str, reason: str) -> None:
    """
    What can't be had is an abort for the client, and a sentence in our log.
    """
    address = forwarded(pair.dialer, service)
    # It may come at once, or a little later.
    with pytest.raises(ConnectionResetError), connected(address) as client:
        everything(client)
    pair.dialer.awaitLine(f"A connection to '{service}' was refused")
    assert pair.dialer.heard(reason)
    # The cause is told where it is known.
    pair.listener.awaitLine(f"The other side was refused '{service}'")


# What ends, and comes back.


class Site:
    """
    Where two programs meet under a standing name.
    """

    def __init__(self, start: Start, rendezvous: str, place: Path) -> None:
        secret = place / "secret"
        secret.write_text("correct horse battery staple\n")
        secret.chmod(0o600)
        self._start = start
        self._where = (
            *("punch", "--rendezvous", rendezvous),
            *("--name", "home", "--secret-file", str(secret)),
        )

    def listen(self, *args: str) -> Program:
        """
        Start a listener; it is there when this returns.
        """
        program = self._start(*self._where, *args)
        program.await_("waiting")
        return program

    def dial(self, *args: str) -> Program:
        """
        Start a dialer.
        """
        return self._start(*self._where, "--dial", *args)


@pytest.fixture
def site(start: Start, rendezvous: str, tmp_path: Path) -> Site:
    """
    One.
    """
    return Site(start, rendezvous, tmp_path)


def repeat(connection: socket.socket) -> None:
    """
    Say everything again, at once.
    """
    while words := connection.recv(1000):
        connection.sendall(words)


def test_comesBack(site: Site) -> None:
    """
    A forward is there before the link and after it: its connections wait for the
    listener, break when that is killed, and are served by the next of its name.
    """
    dialer = site.dial("--forward", LOCAL)
    address = forwarded(dialer)
    dialer.await_("failed")
    with serving(repeat) as port:
        listener = None
        for _ in range(2):
            with connected(address) as client:
                client.sendall(b"hello")
                listener = listener or site.listen("--expose", f"tcp:localhost:{port}")
                assert client.recv(100) == b"hello"
                listener.process.kill()
                listener = site.listen("--expose", f"tcp:localhost:{port}")
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
    assert len(dialer.told("forwarding")) == 1


def test_manyDialers(site: Site) -> None:
    """
    Many dialers at once, each with a forward of its own.
    """
    with serving(saying(b"one for all")) as port:
        site.listen("--expose", f"tcp:localhost:{port}")
        dialers = [site.dial("--forward", LOCAL) for _ in range(3)]
        for number, dialer in enumerate(dialers):
            answer = conversation(forwarded(dialer), b"%d" % number)
            assert answer == b"one for all: %d" % number


@pytest.mark.parametrize("who", ["listener", "dialer"])
def test_stop(site: Site, who: str) -> None:
    """
    Who is stopped takes no more connections, lets those come to their end that soon
    do, and breaks the others; the other side has had a clean link.
    """
    with serving(repeat) as port:
        listener = site.listen("--expose", f"tcp:localhost:{port}")
        dialer = site.dial("--forward", LOCAL, "--once")
        address = forwarded(dialer)
        with connected(address) as quick, connected(address) as slow:
            for client in (quick, slow):
                client.sendall(b"before")
                assert client.recv(100) == b"before"
            stopped = {"listener": listener, "dialer": dialer}[who]
            stopped.process.terminate()
            stopped.awaitLine("Received SIGTERM")
            quick.sendall(b"after")
            quick.shutdown(socket.SHUT_WR)
            assert everything(quick) == b"after"
            with pytest.raises(ConnectionResetError):
                slow.recv(100)
    other = {"listener": dialer, "dialer": listener}[who]
    assert other.await_("closed")["reason"] == "done"
    if who == "listener":
        assert dialer.end()[0] == 0


def test_otherProtocol(start: Start, rendezvous: str) -> None:
    """
    If the other side runs something else on its link, that is told, with what may
    be the matter.
    """
    listener = start("punch", "--rendezvous", rendezvous)
    code = {"PUNCH_CODE": listener.await_("code")["code"]}
    dialer = start(
        *("punch", "--rendezvous", rendezvous, "--forward", LOCAL, "--once"),
        environment=code,
    )
    status, error = dialer.end()
    assert status == 1
    assert "does the other side use --expose or --forward too?" in error
    assert len(error.splitlines()) == 1
    assert dialer.told("closed")[0]["reason"] == "protocol-violation"
    assert not dialer.heard("Traceback")
    # Who comes back says it too, though the process goes on.
    dialer = start(
        *("punch", "--rendezvous", rendezvous, "--forward", LOCAL), environment=code
    )
    dialer.awaitLine("does the other side use --expose or --forward too?")
    listener.await_("closed", 2)
    assert not listener.heard("Traceback")


def test_withoutRendezvous(start: Start) -> None:
    """
    With keys and addresses instead of a rendezvous.
    """
    options, pins = facing(), makePins(start)

    def meet(own: int, *args: str) -> Program:
        trust = ("--identity", f"key{own}", "--trust", pins[1 - own])
        return start("punch", *options[own], *trust, *args)

    with serving(saying(b"direct")) as port:
        meet(0, "--expose", f"tcp:localhost:{port}")
        address = forwarded(meet(1, "--forward", LOCAL))
        assert conversation(address, b"x") == b"direct: x"


MISTAKES = {
    "no endpoint": (["--forward", "nonsense"], "Unknown endpoint type"),
    "no port": (["--forward", "tcp:"], "--forward ssh=tcp:2222"),
    "no target": (["--expose", "tcp:h"], "--expose ssh=tcp:localhost:22"),
    "no name": (["--expose", "=tcp:h:1"], "1 to 255 bytes"),
    "twice": (["--expose", "tcp:h:1", "--expose", "tcp:h:2"], "already"),
    "protocol": (["--expose", "tcp:h:1", "--protocol", "hello"], "one of them only"),
    "stdio": (["--forward", "tcp:1", "--protocol", "stdio"], "one of them only"),
    "plaintext": (
        ["--peer", "h:1", "--port", "2", "--plaintext", "--expose", "tcp:h:1"],
        "--plaintext",
    ),
}


def test_mistakes(start: Start) -> None:
    """
    Each mistake gets one line that says what to do, at start, and a status other
    than 0.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        mistakes = {
            **MISTAKES,
            "port in use": (["--forward", taken], "Address already in use"),
            "nowhere": (["--forward", "unix:/nowhere/s"], "No such file"),
        }
        environment = {"PUNCH_RENDEZVOUS": "tcp:localhost:1"}
        running = {
            name: start(
                "punch", *args, environment={} if "--peer" in args else environment
            )
            for name, (args, _) in mistakes.items()
        }
        for name, program in running.items():
            assertRefused(program, mistakes[name][1])
            # It has not even begun.
            assert not program.told("listening"), name
