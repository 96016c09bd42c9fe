"""
Tests of L{tests.lab.run}: what it makes of programs that behave in some way.

The programs are played by a script on loopback, so none of this needs root.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import run
from .eventfile import EventFile
from .run import Meeting, NotStarted, Outcome
from .topology import Loopback

_CONNECTED = (
    '{"event": "connected", "path": "direct", "kind": "host", "how": "accepted",'
    ' "local": "192.0.2.1:1", "remote": "192.0.2.2:2", "elapsed": 0.25}'
)
_FAILED = '{"event": "failed", "reason": "no-answer", "message": "Nobody there."}'
_LISTENING = '{"event": "listening", "port": 1}'
_CODE = '{"event": "code", "code": "7-otter-lantern"}'

# What a program does is in its environment: it writes lines to its events file.
# The listener says its second line when it is dialed; the dialer tells it by a file.
_PLAYER = r"""
import os, pathlib, socket, sys, time
args = sys.argv[1:]
if args[0] == "punch-rendezvous":
    port = int(args[args.index("--listen") + 1].split(":")[1])
    server = socket.create_server(("127.0.0.1", port))
    while True:
        server.accept()[0].close()
events = pathlib.Path(args[args.index("--events") + 1])
dialed = events.parent / "dialed"
part = "DIALER" if "--code" in args else "LISTENER"
if part == "DIALER":
    assert args[args.index("--code") + 1] == "7-otter-lantern", args
    dialed.touch()
print(part, "plays")
for line in os.environ[part].splitlines():
    if line == "wait":
        while not dialed.exists():
            time.sleep(0.01)
    elif line == "stay":
        time.sleep(60)
    else:
        with events.open("a") as file:
            file.write(line + "\n")
"""


@pytest.fixture(autouse=True)
def players(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Programs played by the script, and less patience with what they do not say.
    """
    monkeypatch.setattr(run, "TWIST", (sys.executable, "-S", "-c", _PLAYER))
    monkeypatch.setattr(run, "_GOODBYE", 0.5)


def dial(
    monkeypatch: pytest.MonkeyPatch, directory: Path, listener: str, dialer: str
) -> Outcome:
    """
    The outcome of one dial between two players.
    """
    monkeypatch.setenv("LISTENER", f"{_CODE}\nwait\n{listener}\nstay")
    monkeypatch.setenv("DIALER", dialer)
    with Meeting(Loopback(), directory, timeout=0.5) as meeting:
        return meeting.dial()


def test_connected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A dialer that connected to a listener that says so too is a success.
    """
    outcome = dial(monkeypatch, tmp_path, _CONNECTED, f"{_CONNECTED}\nstay")
    assert outcome == Outcome(True, "host", "accepted", "direct", 0.25)


def test_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A dialer that failed gives its reason and its message.
    """
    outcome = dial(monkeypatch, tmp_path, _FAILED, _FAILED)
    assert not outcome.connected
    assert (outcome.reason, outcome.explanation) == ("no-answer", "Nobody there.")


@pytest.mark.parametrize("dialer", ["", f"{_LISTENING}\nstay"])
def test_wordless(dialer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A dialer that ends, or stays, without an event is a failure with logs.
    """
    monkeypatch.setattr(run, "_SLACK", 0.5)
    outcome = dial(monkeypatch, tmp_path, _FAILED, dialer)
    assert (outcome.connected, outcome.reason) == (False, "ended-without-a-word")
    assert "DIALER plays" in outcome.explanation
    assert "LISTENER plays" in outcome.explanation


def test_disagreement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A dialer that claims a link of which the listener knows nothing is a failure.
    """
    outcome = dial(monkeypatch, tmp_path, _FAILED, f"{_CONNECTED}\nstay")
    assert (outcome.connected, outcome.reason) == (False, "listener-not-connected")


def test_noListener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    A listener that ends at once is found out at once.
    """
    monkeypatch.setenv("LISTENER", "")
    with pytest.raises(NotStarted, match="LISTENER plays"):
        Meeting(Loopback(), tmp_path).__enter__()


def test_noRendezvous(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    So is a rendezvous.
    """
    monkeypatch.setattr(run, "TWIST", (sys.executable, "-c", "print('Not I')"))
    with pytest.raises(NotStarted, match="Not I"):
        Meeting(Loopback(), tmp_path).__enter__()


def test_echo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Each line of each program is passed on with the program's name.
    """
    heard: list[tuple[str, str]] = []
    monkeypatch.setenv("LISTENER", f"{_CODE}\nwait\nstay")
    monkeypatch.setenv("DIALER", _FAILED)

    def echo(name: str, text: str) -> None:
        heard.append((name, text))

    with Meeting(Loopback(), tmp_path, 0.5, echo) as meeting:
        meeting.dial()
    assert heard == [("listener", "LISTENER plays"), ("dialer", "DIALER plays")]


def test_tornLine(tmp_path: Path) -> None:
    """
    A line of an events file counts when it is whole.
    """
    file = EventFile(tmp_path / "events")
    assert file.read() == []
    file.path.write_text(f"{_CODE}\n{_FAILED[:20]}")
    assert [event["event"] for event in file.read()] == ["code"]
    assert file.wait({"failed"}, 0.05) is None
    file.path.write_text(f"{_CODE}\n{_FAILED}\n")
    assert file.wait({"failed"}, 0.05) is not None
    assert file.wait({"code"}, 0.05, after=1) is None
