"""
Tests for L{punch.link.attach}.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punch.errors import ProtocolViolation
from punch.link.attach import LINK_SIZE, Attach, Attached

LINK = bytes(range(LINK_SIZE))
SECRET = b"secret"
BINDING = b"binding"

ATTACH = Attach(LINK, 3, 258)
ATTACHED = Attached(3, 258, 65536, 7)

links = st.binary(min_size=LINK_SIZE, max_size=LINK_SIZE)
generations = st.integers(0, 2**32 - 1)
offsets = st.integers(0, 2**64 - 1)

attaches = st.builds(Attach, links, generations, offsets)
attacheds = st.builds(Attached, generations, offsets, offsets, offsets)


def digest(message: bytes) -> bytes:
    """
    What proves a message.
    """
    return hmac.new(SECRET, message, hashlib.sha256).digest()


def test_wire() -> None:
    """
    These bytes are the protocol.
    """
    fields = LINK + bytes([0, 0, 0, 3]) + bytes([0, 0, 0, 0, 0, 0, 1, 2])
    proof = digest(b"punch attach" + fields + BINDING)
    assert ATTACH.toBytes(SECRET, BINDING) == fields + proof
    fields = (
        bytes([0, 0, 0, 3])
        + bytes([0, 0, 0, 0, 0, 0, 1, 2])
        + bytes([0, 0, 0, 0, 0, 1, 0, 0])
        + bytes([0, 0, 0, 0, 0, 0, 0, 7])
    )
    proof = digest(b"punch attached" + LINK + fields + BINDING)
    assert ATTACHED.toBytes(SECRET, BINDING, LINK) == fields + proof


@given(attaches, st.binary(), st.binary(), st.binary(max_size=20))
def test_attach(attach: Attach, secret: bytes, binding: bytes, more: bytes) -> None:
    """
    What was asked is understood, also where a later version says more.
    """
    payload = attach.toBytes(secret, binding) + more
    assert Attach.verified(payload, secret, binding) == attach


@given(attacheds, st.binary(), st.binary(), links, st.binary(max_size=20))
def test_attached(
    attached: Attached, secret: bytes, binding: bytes, link: bytes, more: bytes
) -> None:
    """
    The same holds for ATTACHED.
    """
    payload = attached.toBytes(secret, binding, link) + more
    assert Attached.verified(payload, secret, binding, link) == attached


@given(st.binary(max_size=120))
def test_anyBytes(payload: bytes) -> None:
    """
    Any bytes are an attachment or a L{ProtocolViolation}; they prove nothing.
    """
    isWhole = len(payload) >= len(ATTACH.toBytes(SECRET, BINDING))
    said = "a wrong proof" if isWhole else f"of {len(payload)} bytes"
    with pytest.raises(ProtocolViolation, match=said):
        Attach.verified(payload, SECRET, BINDING)
    with pytest.raises(ProtocolViolation):
        Attached.verified(payload, SECRET, BINDING, LINK)


def changed(payload: bytes, at: int, by: int) -> bytes:
    """
    A payload with another byte in one place.
    """
    return payload[:at] + bytes([payload[at] ^ by]) + payload[at + 1 :]


@given(st.integers(0, 59), st.integers(1, 255))
def test_anyChange(at: int, by: int) -> None:
    """
    A proof is of every bit.
    """
    asked = changed(ATTACH.toBytes(SECRET, BINDING), at, by)
    answered = changed(ATTACHED.toBytes(SECRET, BINDING, LINK), at, by)
    with pytest.raises(ProtocolViolation, match="wrong proof"):
        Attach.verified(asked, SECRET, BINDING)
    with pytest.raises(ProtocolViolation, match="wrong proof"):
        Attached.verified(answered, SECRET, BINDING, LINK)


@pytest.mark.parametrize(
    "verify",
    [
        lambda asked, answered: Attach.verified(asked, b"other", BINDING),
        lambda asked, answered: Attach.verified(asked, SECRET, b"other"),
        lambda asked, answered: Attach.verified(answered, SECRET, BINDING),
        lambda asked, answered: Attached.verified(answered, b"other", BINDING, LINK),
        lambda asked, answered: Attached.verified(answered, SECRET, b"other", LINK),
        lambda asked, answered: Attached.verified(
            answered, SECRET, BINDING, bytes(LINK_SIZE)
        ),
        lambda asked, answered: Attached.verified(asked, SECRET, BINDING, LINK),
    ],
)
def test_elsewhere(verify: Callable[[bytes, bytes], object]) -> None:
    """
    A proof is of no use for another link, on another path, or in the other
    direction.
    """
    with pytest.raises(ProtocolViolation, match="wrong proof"):
        verify(ATTACH.toBytes(SECRET, BINDING), ATTACHED.toBytes(SECRET, BINDING, LINK))


def test_short() -> None:
    """
    What is cut off is said to be so.
    """
    for end in range(60):
        with pytest.raises(ProtocolViolation, match=f"of {end} bytes, not 60"):
            Attach.verified(ATTACH.toBytes(SECRET, BINDING)[:end], SECRET, BINDING)
        with pytest.raises(ProtocolViolation, match=f"of {end} bytes, not 60"):
            Attached.verified(
                ATTACHED.toBytes(SECRET, BINDING, LINK)[:end], SECRET, BINDING, LINK
            )
