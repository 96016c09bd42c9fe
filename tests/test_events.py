"""
Tests for L{punch.events}.
"""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest

from punch import events
from punch.events import (
    Attempted,
    Closed,
    CodeAllotted,
    Connected,
    Event,
    Failed,
    Forwarding,
    Introduced,
    Judged,
    Listening,
    Observed,
    PathChanged,
    Rehearsed,
    Resumed,
    Searched,
    Suspended,
    Waiting,
    fieldsOf,
)

EXAMPLES: list[tuple[Event, str, dict[str, Any], str]] = [
    (
        Listening(4040),
        "listening",
        {"port": 4040},
        "Listening on TCP port 4040, and connecting from it.",
    ),
    (
        Observed("192.0.2.1:4040"),
        "observed",
        {"address": "192.0.2.1:4040", "by": "rendezvous"},
        "The rendezvous sees us as 192.0.2.1:4040.",
    ),
    (
        Observed("192.0.2.1:4040", "stun.example.org:3478"),
        "observed",
        {"address": "192.0.2.1:4040", "by": "stun.example.org:3478"},
        "The STUN server stun.example.org:3478 sees us as 192.0.2.1:4040.",
    ),
    (
        CodeAllotted("7-orbit-lemon"),
        "code",
        {"code": "7-orbit-lemon"},
        "The code is 7-orbit-lemon  (type it on the other side)",
    ),
    (Waiting(), "waiting", {}, "Waiting for the other side."),
    (
        Introduced("[2001:db8::1]:1"),
        "introduced",
        {"peer": "[2001:db8::1]:1"},
        "Introduced to a peer at [2001:db8::1]:1.",
    ),
    (
        Attempted("192.0.2.1:1", "host", "started"),
        "attempted",
        {"remote": "192.0.2.1:1", "kind": "host", "outcome": "started"},
        "Trying 192.0.2.1:1 (host).",
    ),
    (
        Attempted("192.0.2.1:1", "host", "timed out"),
        "attempted",
        {"remote": "192.0.2.1:1", "kind": "host", "outcome": "timed out"},
        "Tried 192.0.2.1:1 (host): timed out.",
    ),
    (
        Searched(600),
        "searched",
        {"connects": 600},
        "Searched for a port with 600 connects.",
    ),
    (Searched(1), "searched", {"connects": 1}, "Searched for a port with 1 connect."),
    (
        Connected(
            path="direct",
            kind="host",
            how="accepted",
            local="192.0.2.2:2",
            remote="192.0.2.1:1",
            elapsed=0.3216,
        ),
        "connected",
        {
            "path": "direct",
            "kind": "host",
            "how": "accepted",
            "local": "192.0.2.2:2",
            "remote": "192.0.2.1:1",
            "elapsed": 0.3216,
            "why": "",
        },
        "Connected, direct: accepted 192.0.2.2:2 - 192.0.2.1:1 (host) in 322 ms.",
    ),
    (
        Connected(
            path="relayed",
            kind="relayed",
            how="connected",
            local="192.0.2.2:2",
            remote="192.0.2.1:1",
            elapsed=0.4,
            why="no-answer",
        ),
        "connected",
        {
            "path": "relayed",
            "kind": "relayed",
            "how": "connected",
            "local": "192.0.2.2:2",
            "remote": "192.0.2.1:1",
            "elapsed": 0.4,
            "why": "no-answer",
        },
        "Connected, relayed (no-answer):"
        " connected 192.0.2.2:2 - 192.0.2.1:1 (relayed) in 400 ms.",
    ),
    (
        PathChanged("relayed", "direct", "better"),
        "path",
        {"from": "relayed", "to": "direct", "why": "better"},
        "The link moved from a relayed to a direct path (better).",
    ),
    (
        Suspended("path-lost"),
        "suspended",
        {"reason": "path-lost"},
        "The path is gone (path-lost). Looking for another.",
    ),
    (
        Resumed("direct", "server-reflexive", 0.083),
        "resumed",
        {"path": "direct", "kind": "server-reflexive", "elapsed": 0.083},
        "The link goes on, direct (server-reflexive), after 83 ms.",
    ),
    (
        Forwarding("web", "127.0.0.1:8080"),
        "forwarding",
        {"service": "web", "address": "127.0.0.1:8080"},
        "Forwarding 127.0.0.1:8080 to the other side's 'web'.",
    ),
    (
        Judged("search-failed", "It was not met.", "try again"),
        "verdict",
        {
            "reason": "search-failed",
            "message": "It was not met.",
            "advice": "try again",
        },
        "No direct path (search-failed). It was not met. To help: try again.",
    ),
    (
        Rehearsed("192.0.2.1:4040"),
        "rehearsed",
        {"peer": "192.0.2.1:4040"},
        "The peer at 192.0.2.1:4040 only tried how it would meet us, and left.",
    ),
    (
        Failed("refused", "Nobody there."),
        "failed",
        {"reason": "refused", "message": "Nobody there."},
        "Failed (refused). Nobody there.",
    ),
    (
        Closed("done", 13, 26),
        "closed",
        {"reason": "done", "sent": 13, "received": 26},
        "Closed (done): 13 bytes sent, 26 received.",
    ),
]

everyExample = pytest.mark.parametrize(
    ("event", "name", "values", "sentence"),
    EXAMPLES,
    ids=[example[1] for example in EXAMPLES],
)


@everyExample
def test_event(event: Event, name: str, values: dict[str, Any], sentence: str) -> None:
    """
    Each event has its name and fields for scripts, ready for JSON, and its
    sentence for people.
    """
    assert event.event == name
    shown: Any = event
    assert json.loads(json.dumps(fieldsOf(shown))) == values
    assert event.sentence() == sentence


@everyExample
def test_frozen(event: Any, name: str, values: dict[str, Any], sentence: str) -> None:
    """
    What has happened does not change.
    """
    for field in fields(event):
        with pytest.raises(FrozenInstanceError):
            setattr(event, field.name, None)
    values = {field.name: values[field.name.rstrip("_")] for field in fields(event)}
    assert {event} == {type(event)(**values)}


def test_allOfThem() -> None:
    """
    No event is without its example here.
    """
    defined: set[Any] = {each for each in vars(events).values() if is_dataclass(each)}
    assert {type(example[0]) for example in EXAMPLES} == defined
