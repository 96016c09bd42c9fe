"""
Tests for L{punch.signaling.pake}.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punch.role import Role
from punch.signaling.pake import (
    MESSAGE_SIZE,
    BadPAKEMessage,
    BrokenSeal,
    PAKEExchange,
    Seal,
)


def seals(
    one: tuple[str, bytes] = ("7", b"otter"), other: tuple[str, bytes] | None = None
) -> tuple[Seal, Seal]:
    """
    The dialer's and the listener's seal, each from its own name and secret.
    """
    dialer = PAKEExchange(Role.DIALER, *one)
    listener = PAKEExchange(Role.LISTENER, *(other or one))
    return dialer.finish(listener.message), listener.finish(dialer.message)


def test_equal() -> None:
    """
    With one name and one secret each opens what the other sealed.
    """
    dialer, listener = seals()
    assert listener.open(dialer.seal(b"to the listener")) == b"to the listener"
    assert dialer.open(listener.seal(b"to the dialer")) == b"to the dialer"


@settings(max_examples=20)
@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=100))
def test_secrets(one: bytes, other: bytes, plain: bytes) -> None:
    """
    A seal opens if and only if the secrets are equal.
    """
    dialer, listener = seals(("7", one), ("7", other))
    sealed = dialer.seal(plain)
    if one == other:
        assert listener.open(sealed) == plain
    else:
        with pytest.raises(BrokenSeal):
            listener.open(sealed)


def test_otherName() -> None:
    """
    An exchange cannot be moved to another name.
    """
    dialer, listener = seals(("7", b"otter"), ("8", b"otter"))
    with pytest.raises(BrokenSeal):
        listener.open(dialer.seal(b"plain"))
    with pytest.raises(BrokenSeal):
        dialer.open(listener.seal(b"plain"))


def test_fresh() -> None:
    """
    The same secret gives other messages and other keys each time.
    """
    messages = {PAKEExchange(Role.DIALER, "7", b"otter").message for _ in range(10)}
    assert len(messages) == 10
    assert {len(each) for each in messages} == {MESSAGE_SIZE}
    (one, _), (other, _) = seals(), seals()
    assert one.seal(b"plain") != other.seal(b"plain")


SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    b"\xff" * 32,
]


@pytest.mark.parametrize("element", SMALL_ORDER)
def test_smallOrder(element: bytes) -> None:
    """
    Group elements that would fix the key whatever the secret are refused.
    """
    with pytest.raises(BadPAKEMessage):
        PAKEExchange(Role.DIALER, "7", b"otter").finish(b"B" + element)


@pytest.mark.parametrize("role", Role)
def test_reflected(role: Role) -> None:
    """
    Our own message, sent back to us, is refused, whichever side it claims to be of.
    """
    exchange = PAKEExchange(role, "7", b"otter")
    with pytest.raises(BadPAKEMessage):
        exchange.finish(exchange.message)
    exchange = PAKEExchange(role, "7", b"otter")
    side = {b"A": b"B", b"B": b"A"}[exchange.message[:1]]
    with pytest.raises(BadPAKEMessage):
        exchange.finish(side + exchange.message[1:])


def test_once() -> None:
    """
    An exchange is used once, so that it tells about one guess.
    """
    dialer = PAKEExchange(Role.DIALER, "7", b"otter")
    listener = PAKEExchange(Role.LISTENER, "7", b"otter")
    dialer.finish(listener.message)
    with pytest.raises(BadPAKEMessage):
        dialer.finish(listener.message)


class TestSeal:
    """
    Seals under a key that both sides have.
    """

    def setup_method(self) -> None:
        """
        Exchange keys.
        """
        self.dialer, self.listener = seals()

    def test_inOrder(self) -> None:
        """
        Many messages open in the order in which they were sealed.
        """
        sealed = [self.dialer.seal(b"%d" % n) for n in range(5)]
        opened = [self.listener.open(each) for each in sealed]
        assert opened == [b"0", b"1", b"2", b"3", b"4"]

    def test_outOfOrder(self) -> None:
        """
        A message out of order does not open, and the next one still does.
        """
        first, second = self.dialer.seal(b"1"), self.dialer.seal(b"2")
        with pytest.raises(BrokenSeal):
            self.listener.open(second)
        assert self.listener.open(first) == b"1"

    def test_replayed(self) -> None:
        """
        A message opens once.
        """
        sealed = self.dialer.seal(b"once")
        self.listener.open(sealed)
        with pytest.raises(BrokenSeal):
            self.listener.open(sealed)

    def test_reflected(self) -> None:
        """
        A side cannot open what it has sealed itself.
        """
        with pytest.raises(BrokenSeal):
            self.dialer.open(self.dialer.seal(b"mirror"))

    def test_sameWords(self) -> None:
        """
        Equal messages look different.
        """
        assert self.dialer.seal(b"same") != self.dialer.seal(b"same")

    @pytest.mark.parametrize("position", [0, 3, -1])
    def test_altered(self, position: int) -> None:
        """
        One bit changed anywhere breaks the seal.
        """
        sealed = bytearray(self.dialer.seal(b"plain"))
        sealed[position] ^= 1
        with pytest.raises(BrokenSeal):
            self.listener.open(bytes(sealed))

    @pytest.mark.parametrize("cut", [0, 1, 15, 16])
    def test_cut(self, cut: int) -> None:
        """
        A message cut short, or no message, breaks it too.
        """
        with pytest.raises(BrokenSeal):
            self.listener.open(self.dialer.seal(b"plain")[:cut])
