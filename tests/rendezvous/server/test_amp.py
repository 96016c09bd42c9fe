"""
Our boxes are AMP's.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.protocols import amp

from punch.rendezvous import commands
from punch.rendezvous.server.amp import MAX_KEYS, BadBox, codecOf, errorBox, readBox

LONGEST = 16_384

keys = st.binary(min_size=1, max_size=255)
boxes = st.dictionaries(keys, st.binary(max_size=300), max_size=8)

addresses = st.builds(
    IPv4Address, st.just("TCP"), st.just("192.0.2.1"), st.integers(1, 65535)
) | st.builds(
    IPv6Address, st.just("TCP"), st.just("2001:db8::1"), st.integers(1, 65535)
)
VALUES: dict[type[amp.Argument], st.SearchStrategy[Any]] = {
    amp.Integer: st.integers(-(10**9), 10**9),
    amp.Unicode: st.text(max_size=50),
    amp.String: st.binary(max_size=500),
    amp.ListOf: st.lists(st.text(max_size=5), max_size=5),
    commands.Address: addresses,
    commands.Seconds: st.integers(0, 3_600_000_000).map(lambda us: us / 1e6),
}
COMMANDS = [
    commands.Hello,
    commands.Allocate,
    commands.Publish,
    commands.Withdraw,
    commands.Dial,
    commands.Introduce,
    commands.Relay,
    commands.Leave,
    commands.Ping,
]


def values(arguments: list[tuple[bytes, amp.Argument]]) -> st.SearchStrategy[Any]:
    """
    Values for a command or its answer.
    """
    return st.fixed_dictionaries(
        {key.decode("ascii"): VALUES[type(argument)] for key, argument in arguments}
    )


def only(data: bytes) -> amp.Box:
    """
    The one box in some bytes, by Twisted's own parser.
    """
    box: amp.Box
    (box,) = amp.parseString(data)
    return box


@given(st.lists(boxes, max_size=4), st.binary(max_size=20))
def test_takesWhatAMPWrites(written: list[dict[bytes, bytes]], before: bytes) -> None:
    """
    What Twisted serializes is read back, box by box.
    """
    data = before + b"".join(amp.Box(box).serialize() for box in written)
    at, taken = len(before), []
    while at < len(data):
        found = readBox(data, at, LONGEST)
        assert found is not None
        box, at = found
        taken.append(box)
    assert taken == written


@given(boxes, st.data())
def test_waitsForTheRest(box: dict[bytes, bytes], data: st.DataObject) -> None:
    """
    A box of which the end is missing is waited for.
    """
    wire = amp.Box(box).serialize()
    cut = data.draw(st.integers(0, len(wire) - 1))
    assert readBox(wire[:cut], 0, LONGEST) is None


@given(st.binary(max_size=2000))
def test_anyBytes(data: bytes) -> None:
    """
    Any bytes are a box, or the beginning of one, or refused.
    """
    try:
        taken = readBox(data, 0, LONGEST)
    except BadBox:
        return
    assert taken is None or only(data[: taken[1]]) == taken[0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\1\0", id="a key of 256 bytes"),
        pytest.param(b"\0\1k\xff\xff", id="a value longer than a box"),
        pytest.param(b"\0\1k\0\1v\0\1k\0\1w\0\0", id="a key twice"),
        pytest.param(
            b"".join(b"\0\1%c\0\0" % key for key in range(MAX_KEYS + 1)),
            id="many keys",
        ),
        pytest.param(
            b"".join(b"\0\1%c\x1f\xff%8191s" % (key, b"") for key in range(1, 4)),
            id="values too long together",
        ),
    ],
)
def test_bounds(data: bytes) -> None:
    """
    What will never be a box of ours is refused before its end.
    """
    with pytest.raises(BadBox):
        readBox(data, 0, LONGEST)


@given(st.sampled_from(COMMANDS), st.data())
def test_commands(command: type[amp.Command], data: st.DataObject) -> None:
    """
    Each command is written as Twisted reads it, and read as Twisted writes it.
    """
    given = data.draw(values(command.arguments))
    box = only(codecOf(command).ask(given, b"2f"))
    assert box.pop(amp.COMMAND) == command.commandName
    assert box.pop(amp.ASK) == b"2f"
    assert box == command.makeArguments(given, None)
    assert codecOf(command).arguments.read(box) == command.parseArguments(box, None)


@given(st.sampled_from(COMMANDS), st.data())
def test_answers(command: type[amp.Command], data: st.DataObject) -> None:
    """
    Each answer is written as Twisted reads it.
    """
    given = data.draw(values(command.response))
    box = only(codecOf(command).answer(b"2f", given))
    assert box.pop(amp.ANSWER) == b"2f"
    assert box == command.makeResponse(given, None)


def test_noAnswerWanted() -> None:
    """
    A command without a tag wants no answer.
    """
    assert only(codecOf(commands.Ping).ask({})) == {amp.COMMAND: b"Ping"}


def test_optional() -> None:
    """
    What is optional may be missing, the rest not.
    """
    arguments = codecOf(commands.Hello).arguments
    read = arguments.read({b"version": b"1", b"features": b""})
    assert read == {"version": 1, "features": []}
    with pytest.raises(BadBox):
        arguments.read({b"version": b"1"})
    for more in ({}, {"roundTrip": None}):
        box = only(codecOf(commands.Hello).ask({"version": 1, "features": [], **more}))
        assert set(box) == {b"_command", b"version", b"features"}


@pytest.mark.parametrize(
    "box",
    [
        {b"version": b"one", b"features": b""},
        {b"version": b"", b"features": b""},
        {b"version": b"1", b"features": b"\0\1\xff"},
        {b"version": b"1", b"features": b"", b"roundTrip": b"-1"},
        {b"version": b"1", b"features": b"", b"roundTrip": b"9" * 5000},
    ],
)
def test_malformed(box: dict[bytes, bytes]) -> None:
    """
    Values that are none are refused.
    """
    with pytest.raises(BadBox):
        codecOf(commands.Hello).arguments.read(box)


def test_refusal() -> None:
    """
    An error is written as Twisted reads it.
    """
    assert only(errorBox(b"2f", b"TOO-FAST", "wait … a minute")) == {
        amp.ERROR: b"2f",
        amp.ERROR_CODE: b"TOO-FAST",
        amp.ERROR_DESCRIPTION: "wait … a minute".encode(),
    }
