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

US, PEER, STUN = "192.0.2.2:2", "192.0.2.1:1", "stun.example.org:3478"

EXAMPLES: list[tuple[Any, str, dict[str, Any], str]] = [
    (
        Listening,
        "listening",
        {"port": 4040},
        "Listening on TCP port 4040, and connecting from it.",
    ),
    (
        Observed,
        "observed",
        {"address": PEER, "by": "rendezvous"},
        f"The rendezvous sees us as {PEER}.",
    ),
    (
        Observed,
        "observed",
        {"address": PEER, "by": STUN},
        f"The STUN server {STUN} sees us as {PEER}.",
    ),
    (
        CodeAllotted,
        "code",
        {"code": "7-orbit-lemon"},
        "The code is 7-orbit-lemon  (type it on the other side)",
    ),
    (Waiting, "waiting", {}, "Waiting for the other side."),
    (
        Introduced,
        "introduced",
        {"peer": "[2001:db8::1]:1"},
        "Introduced to a peer at [2001:db8::1]:1.",
    ),
    (
        Attempted,
        "attempted",
        {"remote": PEER, "kind": "host", "outcome": "started"},
        f"Trying {PEER} (host).",
    ),
    (
        Attempted,
        "attempted",
        {"remote": PEER, "kind": "host", "outcome": "timed out"},
        f"Tried {PEER} (host): timed out.",
    ),
    (
        Searched,
        "searched",
        {"connects": 600},
        "Searched for a port with 600 connects.",
    ),
    (Searched, "searched", {"connects": 1}, "Searched for a port with 1 connect."),
    (
        Connected,
        "connected",
        {
            "path": "direct",
            "kind": "host",
            "how": "accepted",
            "local": US,
            "remote": PEER,
            "elapsed": 0.3216,
            "why": "",
        },
        f"Connected, direct: accepted {US} - {PEER} (host) in 322 ms.",
    ),
    (
        Connected,
        "connected",
        {
            "path": "relayed",
            "kind": "relayed",
            "how": "connected",
            "local": US,
            "remote": PEER,
            "elapsed": 0.4,
            "why": "no-answer",
        },
        f"Connected, relayed (no-answer): connected {US} - {PEER} (relayed) in 400 ms.",
    ),
    (
        PathChanged,
        "path",
        {"from": "relayed", "to": "direct", "why": "better"},
        "The link moved from a relayed to a direct path (better).",
    ),
    (
        Suspended,
        "suspended",
        {"reason": "path-lost"},
        "The path is gone (path-lost). Looking for another.",
    ),
    (
        Resumed,
        "resumed",
        {"path": "direct", "kind": "server-reflexive", "elapsed": 0.083},
        "The link goes on, direct (server-reflexive), after 83 ms.",
    ),
    (
        Forwarding,
        "forwarding",
        {"service": "web", "address": "127.0.0.1:8080"},
        "Forwarding 127.0.0.1:8080 to the other side's 'web'.",
    ),
    (
        Judged,
        "verdict",
        {"reason": "search-failed", "message": "Not {met}.", "advice": "try again"},
        "No direct path (search-failed). Not {met}. To help: try again.",
    ),
    (
        Rehearsed,
        "rehearsed",
        {"peer": PEER},
        f"The peer at {PEER} only tried how it would meet us, and left.",
    ),
    (
        Failed,
        "failed",
        {"reason": "refused", "message": "Nobody there."},
        "Failed (refused). Nobody there.",
    ),
    (
        Closed,
        "closed",
        {"reason": "done", "sent": 13, "received": 26},
        "Closed (done): 13 bytes sent, 26 received.",
    ),
]

everyExample = pytest.mark.parametrize(
    ("kind", "name", "values", "sentence"),
    EXAMPLES,
    ids=[example[1] for example in EXAMPLES],
)


def make(kind: Any, values: dict[str, Any]) -> Any:
    """
    An event with these fields, by the names that scripts see.
    """
    return kind(**{each.name: values[each.name.rstrip("_")] for each in fields(kind)})


@everyExample
def test_event(kind: Any, name: str, values: dict[str, Any], sentence: str) -> None:
    """
    Each event has its name and fields for scripts, ready for JSON, and its sentence for
    people.
    """
    event = make(kind, values)
    assert event.event == name
    assert json.loads(json.dumps(fieldsOf(event))) == values
    assert event.sentence() == sentence


@everyExample
def test_frozen(kind: Any, name: str, values: dict[str, Any], sentence: str) -> None:
    """
    An event does not change, and equals one with the same fields.
    """
    event = make(kind, values)
    for field in fields(event):
        with pytest.raises(FrozenInstanceError):
            setattr(event, field.name, None)
    assert {event} == {make(kind, values)}


def test_defaults() -> None:
    """
    The rendezvous observes us, and there is a reason only for a relayed path.
    """
    assert Observed(PEER).by == "rendezvous"
    assert Connected("direct", "host", "accepted", US, PEER, 0.1).why == ""


def test_allOfThem() -> None:
    """
    No event is without its example here.
    """
    defined: set[Any] = {each for each in vars(events).values() if is_dataclass(each)}
    assert {example[0] for example in EXAMPLES} == defined
