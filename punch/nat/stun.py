"""
STUN on a stream: the messages of RFC 8489, of its one method Binding, and where each
ends (section 6.2.2).

Addresses, error codes and fingerprints are aioice's to read and to write.  What it
passes over is looked at here: the magic cookie, attributes that reach beyond their
message, and those that must be understood and are not (section 14).
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
Bytes of a message that we read, at most: those of Binding have a hundred or so.
"""

TRANSACTION_BYTES = 12

SOFTWARE = "punch"

UNKNOWN_ATTRIBUTE = 420
"""
The error code of section 14.8.
"""

_HEADER = struct.Struct("!HHI12s")

_UNKNOWN_ATTRIBUTES = 0x000A
_SILENCE = 0xFE51
"""
Of ours, and optional: for how many seconds a client will be silent, in a request; for
how many the server bears it, in an answer.  Four bytes.
"""

_MESSAGE_INTEGRITY = (0x0008, 0x001C)

_OPTIONAL = 0x8000
"""
From here on an attribute need not be understood (section 14).
"""

_UNDERSTOOD = frozenset(
    {0x0001, 0x0006, 0x0009, 0x0014, 0x0015, 0x001D, 0x001E, 0x0020}
    | {_UNKNOWN_ATTRIBUTES, *_MESSAGE_INTEGRITY}
)
"""
Those of section 18.3 that must be.  A basic server has no use for credentials (section
12), but it knows what they are.
"""


class NotSTUN(ValueError):
    """
    These bytes are no message of STUN, or none that we have a use for.
    """


@dataclass(frozen=True)
class BindingRequest:
    """
    The question which address it comes from.  C{unknown}: attributes in it that we do
    not understand, and would have to.  C{silence}: seconds for which who asks is going
    to be silent, if the server bears that; 0: it does not say.
    """

    transaction: bytes
    unknown: tuple[int, ...] = ()
    silence: int = 0

    def toBytes(self) -> bytes:
        """
        The request as it is sent, without what we would not know.
        """
        message = _encode(stun.Class.REQUEST, self.transaction, {})
        return _withSilence(message, self.silence)

    def answer(
        self, source: Address, maxSilence: int = 0
    ) -> BindingSuccess | BindingError:
        """
        What a server says to it (sections 6.3.1 and 12).

        @param source: where the request came from.
        @param borne: seconds of silence that are borne.
        """
        if self.unknown:
            return BindingError(
                self.transaction, UNKNOWN_ATTRIBUTE, "Unknown Attribute", self.unknown
            )
        return BindingSuccess(self.transaction, source, maxSilence)


@dataclass(frozen=True)
class BindingIndication:
    """
    A sign of life that wants no answer.
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
    The answer: the address that the request came from.  C{silence}: seconds of silence
    that the server bears; 0: it does not say.
    """

    transaction: bytes
    address: Address
    silence: int = 0

    def toBytes(self) -> bytes:
        """
        The answer as it is sent.
        """
        seen = (self.address.host, self.address.port)
        attributes = {"XOR-MAPPED-ADDRESS": seen, "SOFTWARE": SOFTWARE}
        message = _encode(stun.Class.RESPONSE, self.transaction, attributes)
        return _withSilence(message, self.silence)


@dataclass(frozen=True)
class BindingError:
    """
    There is no answer, and why.  C{unknown}: attributes that the server does not
    understand.
    """

    transaction: bytes
    code: int
    phrase: str
    unknown: tuple[int, ...] = ()

    def toBytes(self) -> bytes:
        """
        The refusal as it is sent.
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
    A message with one more attribute, which aioice does not know.
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

    @raise NotSTUN: it is none, or not one of Binding.
    """
    if len(data) < _HEADER.size or len(data) != _sizeOf(data):
        raise NotSTUN("not a whole message")
    type, _, _, transaction = _HEADER.unpack_from(data)
    if type & ~0x0110 != stun.Method.BINDING:
        raise NotSTUN("another method than Binding")
    unknown = tuple(dict.fromkeys(_notUnderstood(data)))
    kind = type & 0x0110
    if kind == stun.Class.REQUEST and unknown:
        # What else is in it does not matter.
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
    The attributes of a message, undecoded.
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
    The attributes that we would have to understand.
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
    The address of an answer; servers of RFC 3489 know only the plain form.
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
    Cuts a stream into messages.
    """

    def __init__(self) -> None:
        self._received = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Take what came.

        @return: the messages that are complete now; each has but its header looked at.
        @raise NotSTUN: this is not a stream of messages; nothing more can be had of
            it.
        """
        self._received += data
        while len(self._received) >= _HEADER.size:
            size = _sizeOf(self._received)
            if len(self._received) < size:
                return
            message, self._received = self._received[:size], self._received[size:]
            yield message
