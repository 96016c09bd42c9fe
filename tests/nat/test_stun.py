"""
Tests for L{punch.nat.stun}.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from punch.nat.stun import (
    LONGEST,
    TRANSACTION_BYTES,
    BindingError,
    BindingIndication,
    BindingRequest,
    BindingSuccess,
    Message,
    NotSTUN,
    STUNFramer,
    decode,
)
from punch.net.address import Address, tcpAddress
from tests.support.strategies import stunMessages

ID = bytes(range(TRANSACTION_BYTES))
V4 = tcpAddress("192.0.2.1", 32853)
V6 = tcpAddress("2001:db8:1234:5678:11:2233:4455:6677", 32853)

RFC5769_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
"""
The transaction of RFC 5769's sample answers (sections 2.2 and 2.3).
"""

RFC5769_V4 = bytes.fromhex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220"
    "00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004 c07d4c96"
)
RFC5769_V6 = bytes.fromhex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220"
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004 c8fb0b4c"
)


def raw(kind: int, *attributes: tuple[int, bytes], length: int | None = None) -> bytes:
    """
    A message of any kind with any attributes.
    """
    body = b"".join(
        type.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
        for type, value in attributes
    )
    size = len(body) if length is None else length
    head = kind.to_bytes(2, "big") + size.to_bytes(2, "big")
    return head + bytes.fromhex("2112a442") + ID + body


@pytest.mark.parametrize(
    ("data", "address"),
    [(RFC5769_V4, V4), (RFC5769_V6, V6)],
    ids=["IPv4", "IPv6"],
)
def test_vectors(data: bytes, address: Address) -> None:
    """
    The sample answers of RFC 5769 are understood.
    """
    assert decode(data) == BindingSuccess(RFC5769_ID, address)


@given(stunMessages)
def test_aioice(message: Message) -> None:
    """
    aioice reads what is sent.
    """
    read = stun.parse_message(message.toBytes())
    assert read.transaction_id == message.transaction


known = st.sampled_from([entry[0] for entry in stun.ATTRIBUTES])


@given(
    st.sampled_from([0x0001, 0x0011, 0x0101, 0x0111, 0x0003]),
    st.lists(
        st.tuples(
            st.one_of(known, st.integers(min_value=0, max_value=0xFFFF)),
            st.binary(max_size=40),
        ),
        max_size=6,
    ),
    st.one_of(st.none(), st.integers(min_value=0, max_value=0xFFFF)),
)
def test_anyAttributes(
    kind: int, attributes: list[tuple[int, bytes]], length: int | None
) -> None:
    """
    Any attributes make a message that can be answered as far as it wants to be, or
    none.
    """
    data = raw(kind, *attributes, length=length)
    try:
        message = decode(data)
    except NotSTUN:
        return
    if isinstance(message, BindingRequest):
        answer = message.answer(V4)
        assert decode(answer.toBytes()) == answer


@given(stunMessages, st.data())
def test_damaged(message: Message, data: st.DataObject) -> None:
    """
    A message with some bytes changed is another one, or none.
    """
    damaged = bytearray(message.toBytes())
    for _ in range(data.draw(st.integers(min_value=1, max_value=4))):
        where = data.draw(st.integers(min_value=0, max_value=len(damaged) - 1))
        damaged[where] = data.draw(st.integers(min_value=0, max_value=255))
    with suppress(NotSTUN):
        decode(bytes(damaged))


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n__",
        raw(0x8001),
        raw(0x4001),
        raw(0x0001).replace(b"\x21\x12", b"\x21\x13", 1),
        raw(0x0001, length=2),
        raw(0x0001, length=LONGEST),
    ],
    ids=["HTTP", "bit 15", "bit 14", "cookie", "odd length", "too long"],
)
def test_noStream(head: bytes) -> None:
    """
    A header that is none ends the stream at once: nothing is waited for, or kept.
    """
    with pytest.raises(NotSTUN):
        list(STUNFramer().feed(head))


def test_answer() -> None:
    """
    A request is answered with where it came from.
    """
    assert BindingRequest(ID).answer(V6) == BindingSuccess(ID, V6)


def test_silence() -> None:
    """
    A client may say for how long it will be silent, and the server how much of that it
    bears; a server that does not know the word passes over it, and so is rubbish in it.
    """
    request = decode(BindingRequest(ID, silence=7200).toBytes())
    assert request == BindingRequest(ID, silence=7200)
    assert isinstance(request, BindingRequest)
    assert decode(request.answer(V4, 600).toBytes()) == BindingSuccess(ID, V4, 600)
    assert decode(request.answer(V4).toBytes()) == BindingSuccess(ID, V4)
    assert stun.parse_message(request.toBytes()).transaction_id == ID
    for rubbish in (b"", b"12345678"):
        assert decode(raw(0x0001, (0xFE51, rubbish))) == BindingRequest(ID)


def test_unknown() -> None:
    """
    A request with attributes that have to be understood and are not is refused, and
    told which, each once; others do not matter, nor do those behind its integrity.
    """
    request = decode(
        raw(
            0x0001,
            (0x0024, bytes(4)),
            (0x8022, b"soft"),
            (0x0003, bytes(4)),
            (0x0024, bytes(4)),
            (0x0008, bytes(20)),
            (0x0025, b""),
        )
    )
    assert request == BindingRequest(ID, (0x0024, 0x0003))
    answer = request.answer(V4)
    assert answer == BindingError(ID, 420, "Unknown Attribute", (0x0024, 0x0003))
    assert decode(answer.toBytes()) == answer


def test_credentials() -> None:
    """
    Credentials, which we have no use for, are no reason to refuse.
    """
    request = decode(raw(0x0001, (0x0006, b"user"), (0x0008, bytes(20))))
    assert request == BindingRequest(ID)


def test_plainAddress() -> None:
    """
    An address in the plain form will do.
    """
    value = bytes.fromhex("0001 1234 c0000207")
    assert decode(raw(0x0101, (0x0001, value))) == BindingSuccess(
        ID, tcpAddress("192.0.2.7", 0x1234)
    )


@pytest.mark.parametrize(
    "data",
    [
        raw(0x0003),
        raw(0x0101),
        raw(0x0101, (0x0001, bytes.fromhex("0001 0000 c0000207"))),
        raw(0x0101, (0x0001, bytes.fromhex("0003 1234 c0000207"))),
        raw(0x0101, (0x0020, bytes(8))),
        raw(0x0111),
        raw(0x0101, (0x0001, bytes.fromhex("0001 1234 c0000207")), (0x0024, bytes(4))),
        raw(0x0001, (0x8028, bytes(4))),
        raw(0x0001, (0x8022, b"\xff\xff\xff\xff")),
        raw(0x0001) + b"more",
        raw(0x0001, length=4) + b"\x80\x22\x00\x04",
    ],
    ids=[
        "Allocate",
        "no address",
        "port 0",
        "neither IPv4 nor IPv6",
        "family 0",
        "no code",
        "unknown in an answer",
        "fingerprint",
        "not UTF-8",
        "more than a message",
        "beyond its message",
    ],
)
def test_none(data: bytes) -> None:
    """
    These are of no use.
    """
    with pytest.raises(NotSTUN):
        decode(data)


@pytest.mark.parametrize(
    "make",
    [BindingRequest, BindingIndication, lambda id: BindingSuccess(id, V4)],
    ids=["Q", "I", "A"],
)
def test_frozen(make: Callable[[bytes], Message]) -> None:
    """
    Messages are values.
    """
    assert make(ID) == make(ID)
    assert len({make(ID), make(ID)}) == 1
