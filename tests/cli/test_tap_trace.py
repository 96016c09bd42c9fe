"""
C{twist punch --trace} as a user meets it: real processes on loopback.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.support.processes import PATIENCE, Start, assertRefused, facing, freePort


def soon(path: Path) -> Path:
    """
    Wait for a file, which is there whole or not at all.
    """
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path


def first(path: Path) -> dict[str, Any]:
    """
    The first meeting in a JSON file.  (Its link may soon have wanted a better path.)
    """
    meeting: dict[str, Any] = json.loads(path.read_text())["meetings"][-1]
    return meeting


def test_meeting(start: Start, rendezvous: str, tmp_path: Path) -> None:
    """
    Both sides of a meeting are drawn, and then both in one picture.
    """
    ours, theirs = tmp_path / "dialer.json", tmp_path / "listener.json"
    listener = start("punch", "--rendezvous", rendezvous, "--trace", str(theirs))
    listener.await_("waiting")
    code = listener.told("code")[0]["code"]
    dialer = start(
        *("punch", "--rendezvous", rendezvous, "--code", code, "--once"),
        *("--trace", str(ours)),
    )
    dialer.await_("connected")
    listener.await_("connected")
    soon(theirs)
    dialer.awaitLine("Heard: hello world!", 2)
    dialer.stop()
    both = first(ours), first(theirs)
    assert [each["role"] for each in both] == ["dialer", "listener"]
    assert both[0]["introduction"] == both[1]["introduction"] != ""
    for meeting in both:
        assert meeting["state"] == "connected"
        assert code not in json.dumps(meeting)
        [winner] = [each for each in meeting["lanes"] if each["hasWon"]]
        assert winner["stages"][-1]["what"] == "link"
    page = tmp_path / "both.html"
    draw = [part for each in (ours, theirs) for part in ("--draw", str(each))]
    status, error = start("punch", "--trace", str(page), *draw).end()
    assert (status, error) == (0, "")
    found = ElementTree.fromstring(page.read_text())
    assert [each.text for each in found.iter("h2")][-1] == both[0]["verdict"]


def test_failure(start: Start, tmp_path: Path) -> None:
    """
    What fails is drawn before the process has ended.
    """
    page = tmp_path / "page.html"
    status, _ = start(
        *("punch", "--rendezvous", f"tcp:localhost:{freePort()}"),
        *("--code", "7-zoo-zoo", "--once", "--trace", str(page)),
    ).end()
    assert status == 1
    found = ElementTree.fromstring(page.read_text())
    [heading] = found.iter("h2")
    assert (heading.text or "").startswith("Failed (rendezvous-refused).")


def test_plaintext(start: Start, tmp_path: Path) -> None:
    """
    Two who meet without a rendezvous are drawn, too.
    """
    pages = [tmp_path / "0.json", tmp_path / "1.json"]
    both = [
        start("punch", *options, "--plaintext", "--once", "--trace", str(page))
        for options, page in zip(facing(), pages, strict=True)
    ]
    for each, page in zip(both, pages, strict=True):
        each.await_("connected")
        meeting = first(soon(page))
        assert meeting["role"] == "peer"
        assert meeting["verdict"].startswith("Direct in ")


MISTAKES = {
    "x.png": "the name ends in .html or .json",
    "nowhere/x.html": "cannot write in nowhere: No such file or directory",
    ".": "the name ends in .html or .json",
}


def test_mistakes(start: Start) -> None:
    """
    A file that cannot be drawn in gets one line, at the start, and status 64.
    """
    there = ("--rendezvous", "tcp:localhost:1")
    running = {name: start("punch", *there, "--trace", name) for name in MISTAKES}
    lone = start("punch", "--draw", "x.json")
    none = start("punch", "--trace", "x.html", "--draw", "x.json")
    for name, program in running.items():
        assert assertRefused(program, f"--trace {name}: {MISTAKES[name]}") == 64
    assert (lone.end()[0], none.end()[0]) == (64, 64)
