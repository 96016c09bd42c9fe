"""
AMP's wire: boxes, and the commands of L{punch.rendezvous.commands} in them.

A box is pairs of a key and a value, each behind its length in two bytes, and an
empty key at the end (L{twisted.protocols.amp}).  That module's own parser and
formatter serve peers who trust each other and are not in a hurry; these are a few
times faster, and nothing that arrives costs more than its bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any

from twisted.protocols.amp import (
    ANSWER,
    ASK,
    COMMAND,
    ERROR,
    ERROR_CODE,
    ERROR_DESCRIPTION,
    MAX_KEY_LENGTH,
    Argument,
    Command,
)

_length = Struct("!H")
_END = b"\0\0"

MOST_KEYS = 32
"""
Keys in a box; our commands have fewer than ten.
"""


class BadBox(ValueError):
    """
    These bytes are not a box, or not one that we take.
    """


def takeBox(
    data: bytes, at: int, longest: int
) -> tuple[dict[bytes, bytes], int] | None:
    """
    Read the box that begins at C{at}.

    @param longest: how many bytes it may have.
    @return: the box, and where it ends; L{None} if it is not complete.
    @raise BadBox: it will never be a box, or it has too many bytes or keys.
    """
    box: dict[bytes, bytes] = {}
    size, last = len(data), at + longest
    while at + 2 <= size:
        length = data[at] << 8 | data[at + 1]
        at += 2
        if not length:
            return box, at
        if length > MAX_KEY_LENGTH or len(box) >= MOST_KEYS:
            raise BadBox("a key too long or too many")
        key = data[at : at + length]
        at += length
        if at + 2 > size:
            break
        length = data[at] << 8 | data[at + 1]
        at += 2
        if at + length > last:
            raise BadBox("a value too long")
        if key in box:
            raise BadBox("a key twice")
        box[key] = data[at : at + length]
        at += length
    return None


def _pair(key: bytes, value: bytes) -> bytes:
    """
    A key and its value.
    """
    return _length.pack(len(key)) + key + _length.pack(len(value)) + value


class Schema:
    """
    How named values go into a box.
    """

    def __init__(self, arguments: list[tuple[bytes, Argument]]) -> None:
        self._arguments = [
            (key.decode("ascii"), key, _length.pack(len(key)) + key, argument)
            for key, argument in arguments
        ]

    def read(self, box: Mapping[bytes, bytes]) -> dict[str, Any]:
        """
        The values in a box.

        @raise BadBox: one is missing or malformed.
        """
        try:
            return {
                name: argument.fromString(box[key])
                for name, key, _, argument in self._arguments
                if key in box or not argument.optional
            }
        except (KeyError, ValueError):
            raise BadBox("arguments") from None

    def write(self, values: Mapping[str, Any]) -> bytes:
        """
        The pairs of a box.
        """
        parts: list[bytes] = []
        for name, _, head, argument in self._arguments:
            if argument.optional and values.get(name) is None:
                continue
            value = argument.toString(values[name])
            parts += (head, _length.pack(len(value)), value)
        return b"".join(parts)


@dataclass(frozen=True)
class CommandWire:
    """
    One command on the wire.
    """

    name: bytes
    arguments: Schema
    response: Schema

    def ask(self, values: Mapping[str, Any], tag: bytes | None = None) -> bytes:
        """
        The box of the command; with a C{tag} it wants an answer.
        """
        asking = _pair(ASK, tag) if tag is not None else b""
        return asking + _pair(COMMAND, self.name) + self.arguments.write(values) + _END

    def answer(self, tag: bytes, values: Mapping[str, Any]) -> bytes:
        """
        The box of its answer.
        """
        return _pair(ANSWER, tag) + self.response.write(values) + _END


@cache
def wireOf(command: type[Command]) -> CommandWire:
    """
    How a command goes on the wire.
    """
    return CommandWire(
        command.commandName, Schema(command.arguments), Schema(command.response)
    )


def refusal(tag: bytes, code: bytes, description: str) -> bytes:
    """
    The box of an error in place of an answer.
    """
    return b"".join(
        (
            _pair(ERROR, tag),
            _pair(ERROR_CODE, code),
            _pair(ERROR_DESCRIPTION, description.encode("utf-8", "replace")),
            _END,
        )
    )
