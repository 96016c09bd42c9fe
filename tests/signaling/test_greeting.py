"""
Tests for L{punch.signaling.greeting}.
"""

from __future__ import annotations

import pytest

from punch.errors import WrongCode
from punch.ice.candidate import Candidate, Kind
from punch.net.address import tcpAddress
from punch.role import Role
from punch.signaling.greeting import DialerGreeting, ListenerGreeting
from punch.signaling.messages import Details
from punch.signaling.pake import MESSAGE_SIZE, PAKEExchange

DIALERS = Details(b"d" * 32, (Candidate(Kind.HOST, tcpAddress("192.0.2.1", 1)),))
LISTENERS = Details(b"l" * 32, features=frozenset({"later"}))


def pair(
    dialers: bytes = b"words", listeners: bytes = b"words", name: str = "7"
) -> tuple[DialerGreeting, ListenerGreeting]:
    """
    Both sides, each with its secret.
    """
    return DialerGreeting("7", dialers), ListenerGreeting(name, listeners)


def test_met() -> None:
    """
    With the same words each side learns the other's details, in three messages.
    """
    dialer, listener = pair()
    answer = listener.answer(dialer.message, LISTENERS)
    learned, last = dialer.answer(answer, DIALERS)
    assert learned == LISTENERS
    assert listener.finish(last) == DIALERS


@pytest.mark.parametrize(
    ("listeners", "name"), [(b"other", "7"), (b"words", "8"), (b"", "7")]
)
def test_wrongCode(listeners: bytes, name: str) -> None:
    """
    With other words, or under another name, the dialer knows at once that it has
    the wrong code.
    """
    dialer, listener = pair(listeners=listeners, name=name)
    answer = listener.answer(dialer.message, LISTENERS)
    with pytest.raises(WrongCode):
        dialer.answer(answer, DIALERS)


def test_guessed() -> None:
    """
    A dialer with other words that goes on regardless is refused.
    """
    _, listener = pair()
    guess = PAKEExchange(Role.DIALER, "7", b"guess")
    seal = guess.finish(listener.answer(guess.message, LISTENERS)[:MESSAGE_SIZE])
    with pytest.raises(WrongCode):
        listener.finish(seal.seal(DIALERS.toBytes()))


def test_secretsStayInside() -> None:
    """
    Neither pins nor addresses can be read off the messages.
    """
    dialer, listener = pair()
    answer = listener.answer(dialer.message, LISTENERS)
    _, last = dialer.answer(answer, DIALERS)
    assert LISTENERS.pin.hex().encode() not in answer
    assert DIALERS.pin.hex().encode() not in last
    assert b"192.0.2.1" not in last


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"A", bytes(MESSAGE_SIZE), b"A" + bytes(32), b"x" * 1000, b"B" + b"\1" * 32],
)
def test_rubbish(rubbish: bytes) -> None:
    """
    Bytes that are not a message of a greeting count as a wrong code.
    """
    dialer, listener = pair()
    with pytest.raises(WrongCode):
        listener.answer(rubbish, LISTENERS)
    with pytest.raises(WrongCode):
        dialer.answer(rubbish, DIALERS)


@pytest.mark.parametrize("rubbish", [b"", b"x" * 100])
def test_rubbishSealed(rubbish: bytes) -> None:
    """
    So do sealed details that do not open.
    """
    dialer, listener = pair()
    answer = listener.answer(dialer.message, LISTENERS)
    with pytest.raises(WrongCode):
        dialer.answer(answer[:MESSAGE_SIZE] + rubbish, DIALERS)
    with pytest.raises(WrongCode):
        listener.finish(rubbish)


def test_untimely() -> None:
    """
    Details before the exchange prove nothing.
    """
    _, listener = pair()
    with pytest.raises(WrongCode):
        listener.finish(b"")


def test_oneGuess() -> None:
    """
    A second message gives no second guess.
    """
    dialer, listener = pair()
    listener.answer(PAKEExchange(Role.DIALER, "7", b"guess").message, LISTENERS)
    with pytest.raises(WrongCode):
        listener.answer(dialer.message, LISTENERS)


def test_otherDetails() -> None:
    """
    Sealed bytes that are no details, from one who knows the words, are refused.
    """
    _, listener = pair()
    odd = PAKEExchange(Role.DIALER, "7", b"words")
    seal = odd.finish(listener.answer(odd.message, LISTENERS)[:MESSAGE_SIZE])
    with pytest.raises(WrongCode):
        listener.finish(seal.seal(b"no details"))
