"""
A status byte: one side tells the other that it accepts, or why it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

E = TypeVar("E", bound=Exception)

_ACCEPTED = 0
_OTHER = 255


class StatusByte(Generic[E]):
    """
    Translates between the errors of a protocol and the byte that it sends for each.

    0 is no error.  An error that has no byte of its own is sent as 255, and a byte that
    is not known is read as a general error: so a later version may add errors.
    """

    def __init__(self, errors: Mapping[int, type[E]], other: type[E]) -> None:
        """
        @param errors: the errors that have a byte of their own.
        @param other: what every other byte means.
        """
        self._errors = errors
        self._other = other

    def encode(self, error: BaseException | None) -> bytes:
        """
        The byte to send for C{error}, or for no error.
        """
        if error is None:
            return bytes([_ACCEPTED])
        for status, kind in self._errors.items():
            if isinstance(error, kind):
                return bytes([status])
        return bytes([_OTHER])

    def decode(self, status: int) -> type[E] | None:
        """
        What a byte means: the class of an error, or L{None} for no error.
        """
        return None if status == _ACCEPTED else self._errors.get(status, self._other)
