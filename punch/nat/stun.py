"""
STUN messages: the Binding method of RFC 8489, and how a stream is cut into messages
(section 6.2.2).

aioice reads and writes addresses, error codes and fingerprints.  This module checks
what aioice does not: the magic cookie, attributes that reach beyond their message, and
comprehension-required attributes that we do not know (section 14).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from aioice import stun

from punch.net.address import Address, BadAddress, tcpAddress

LONGEST = 2048
"""
Bytes of a message that we read, at most; Binding messages have about a hundred.
"""

TRANSACTION_BYTES = 12

SOFTWARE = "punch"

UNKNOWN_ATTRIBUTE = 420
"""
The error code Unknown Attribute (section 14.8).
"""

_HEADER = struct.Struct("!HHI12s")

_UNKNOWN_ATTRIBUTES = 0x000A
_SILENCE = 0xFE51
"""
An attribute of our own, comprehension-optional, of four bytes.  In a request: for how
many seconds the client will be silent.  In a response: for how many seconds the server
lets it be.
"""

_MESSAGE_INTEGRITY = (0x0008, 0x001C)

_OPTIONAL = 0x8000
"""
Attribute types from here on are comprehension-optional (section 14).
"""

_UNDERSTOOD = frozenset(
    {0x0001, 0x0006, 0x0009, 0x0014, 0x0015, 0x001D, 0x001E, 0x0020}
    | {_UNKNOWN_ATTRIBUTES, *_MESSAGE_INTEGRITY}
)
"""
The comprehension-required attributes of section 18.3.  A basic server has no use for
credentials (section 12), but knows what they are.
"""


class NotSTUN(ValueError):
    """
    The bytes are not a STUN message, or not one of the Binding method.
    """


@dataclass(frozen=True)
class BindingRequest:
    """
    A Binding request: asks which address it comes from.

    @ivar unknown: comprehension-required attributes in it that we do not know.
    @ivar silence: seconds for which the client is going to be silent, if the server
        lets it; 0: it does not say.
    """

    transaction: bytes
    unknown: tuple[int, ...] = ()
    silence: int = 0

    def toBytes(self) -> bytes:
        """
        The request as it is sent; C{unknown} is left out.
        """
        message = _encode(stun.Class.REQUEST, self.transaction, {})
        return _withSilence(message, self.silence)

    def answer(
        self, source: Address, maxSilence: int = 0
    ) -> BindingSuccess | BindingError:
        """
        The response of a basic server (sections 6.3.1 and 12).

        @param source: the address that the request came from.
        @param maxSilence: seconds for which the client may be silent.
        """
        if self.unknown:
            return BindingError(
                self.transaction, UNKNOWN_ATTRIBUTE, "Unknown Attribute", self.unknown
            )
        return BindingSuccess(self.transaction, source, maxSilence)


@dataclass(frozen=True)
class BindingIndication:
    """
    A Binding indication: keeps a connection alive, and has no response.
    """

    transaction: bytes

    def toBytes(self) -> bytes:
        """
        The indication as it is sent.
        """
        return _encode(stun.Class.INDICATION, self.transaction, {})


@dataclass(frozen=True)
class BindingSuccess:
    """
    A Binding success response: tells which address the request came from.

    @ivar silence: seconds for which the client may be silent; 0: it does not say.
    """

    transaction: bytes
    address: Address
    silence: int = 0

    def toBytes(self) -> bytes:
        """
        The response as it is sent.
        """
        seen = (self.address.host, self.address.port)
        attributes = {"XOR-MAPPED-ADDRESS": seen, "SOFTWARE": SOFTWARE}
        message = _encode(stun.Class.RESPONSE, self.transaction, attributes)
        return _withSilence(message, self.silence)


@dataclass(frozen=True)
class BindingError:
    """
    A Binding error response: tells why the request is not answered.

    @ivar unknown: attributes of the request that the server does not know.
    """

    transaction: bytes
    code: int
    phrase: str
    unknown: tuple[int, ...] = ()

    def toBytes(self) -> bytes:
        """
        The response as it is sent.
        """
        why = {"ERROR-CODE": (self.code, self.phrase), "SOFTWARE": SOFTWARE}
        message = _encode(stun.Class.ERROR, self.transaction, why)
        if not self.unknown:
            return message
        value = struct.pack(f"!{len(self.unknown)}H", *self.unknown)
        return _with(message, _UNKNOWN_ATTRIBUTES, value)


Message: TypeAlias = BindingRequest | BindingIndication | BindingSuccess | BindingError


def _encode(kind: stun.Class, transaction: bytes, attributes: dict[str, Any]) -> bytes:
    return bytes(stun.Message(stun.Method.BINDING, kind, transaction, attributes))


def _with(message: bytes, type: int, value: bytes) -> bytes:
    """
    Add an attribute that aioice does not know to a message.
    """
    message += struct.pack("!HH", type, len(value)) + value
    message += bytes(stun.padding_length(len(value)))
    return bytes(stun.set_body_length(message, len(message) - _HEADER.size))


def _withSilence(message: bytes, seconds: int) -> bytes:
    if not seconds:
        return message
    return _with(message, _SILENCE, struct.pack("!I", seconds))


def _silenceIn(data: bytes) -> int:
    value = dict(_walk(data)).get(_SILENCE, b"")
    return int.from_bytes(value, "big") if len(value) == 4 else 0


def decode(data: bytes) -> Message:
    """
    Read one message.

    @raise NotSTUN: C{data} is not a STUN message of the Binding method.
    """
    if len(data) < _HEADER.size or len(data) != _sizeOf(data):
        raise NotSTUN("not a whole message")
    type, _, _, transaction = _HEADER.unpack_from(data)
    if type & ~0x0110 != stun.Method.BINDING:
        raise NotSTUN("another method than Binding")
    unknown = tuple(dict.fromkeys(_notUnderstood(data)))
    kind = type & 0x0110
    if kind == stun.Class.REQUEST and unknown:
        # It is refused, whatever else is in it.
        return BindingRequest(transaction, unknown)
    attributes = _attributesOf(data)
    if kind == stun.Class.REQUEST:
        return BindingRequest(transaction, silence=_silenceIn(data))
    if kind == stun.Class.INDICATION:
        return BindingIndication(transaction)
    if kind == stun.Class.ERROR:
        return _refusal(transaction, attributes, data)
    if unknown:
        # Section 6.3.3: the transaction has failed.
        raise NotSTUN(f"an answer with attribute {unknown[0]:#06x}")
    return BindingSuccess(transaction, _addressIn(attributes), _silenceIn(data))


def _sizeOf(data: bytes) -> int:
    """
    The size of the message whose header this is (section 5).
    """
    type, length, cookie, _ = _HEADER.unpack_from(data)
    if type >> 14 or cookie != stun.COOKIE or length % 4:
        raise NotSTUN("not the header of a message")
    size = _HEADER.size + int(length)
    if size > LONGEST:
        raise NotSTUN(f"a message of {size} bytes")
    return size


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    """
    The types and the undecoded values of a message's attributes.
    """
    position = _HEADER.size
    while position < len(data):
        type, size = struct.unpack_from("!HH", data, position)
        value = data[position + 4 : position + 4 + size]
        if len(value) < size:
            raise NotSTUN("an attribute that reaches beyond its message")
        yield type, value
        position += 4 + size + stun.padding_length(size)


def _notUnderstood(data: bytes) -> Iterator[int]:
    """
    The comprehension-required attributes that we do not know.
    """
    sealed = False
    for type, _ in _walk(data):
        # What follows a MESSAGE-INTEGRITY is to be ignored (section 14.5).
        if type < _OPTIONAL and type not in _UNDERSTOOD and not sealed:
            yield type
        sealed = sealed or type in _MESSAGE_INTEGRITY


def _attributesOf(data: bytes) -> dict[str, Any]:
    try:
        return stun.parse_message(data).attributes
    except (ValueError, struct.error) as bad:
        raise NotSTUN(str(bad)) from bad


def _addressIn(attributes: dict[str, Any]) -> Address:
    """
    The mapped address in a response; RFC 3489's servers know only the plain form.
    """
    seen = attributes.get("XOR-MAPPED-ADDRESS", attributes.get("MAPPED-ADDRESS"))
    if seen is None:
        raise NotSTUN("an answer without an address")
    try:
        return tcpAddress(*seen)
    except BadAddress as bad:
        raise NotSTUN(f"an answer with the address {bad}") from bad


def _refusal(
    transaction: bytes, attributes: dict[str, Any], data: bytes
) -> BindingError:
    why = attributes.get("ERROR-CODE")
    if why is None:
        raise NotSTUN("a refusal without a code")
    code, phrase = why
    unknown = dict(_walk(data)).get(_UNKNOWN_ATTRIBUTES, b"")
    many = len(unknown) // 2
    return BindingError(
        transaction, code, phrase, struct.unpack_from(f"!{many}H", unknown)
    )


class STUNFramer:
    """
    Cuts a stream of bytes into STUN messages; each connection has one.
    """

    def __init__(self) -> None:
        self._received = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Add received bytes.

        @return: the messages that are complete now; only their headers are checked.
        @raise NotSTUN: this is not a stream of STUN messages; feed it no more.
        """
        self._received += data
        while len(self._received) >= _HEADER.size:
            size = _sizeOf(self._received)
            if len(self._received) < size:
                return
            message, self._received = self._received[:size], self._received[size:]
            yield message
