"""
A code, such as C{7-orbit-lemon}: what people tell each other so that their peers meet.

It is a name that the rendezvous knows, and then secret words that the rendezvous never
sees.  The words are from BIP-39's English list, whose 2,048 words differ in their first
four letters.  Two of them are 22 bits.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache

from mnemonic import Mnemonic

from punch.errors import MalformedCode, UnknownWord

WORDS = 2
"""
Words in a new code.
"""

_MOST_WORDS = 8
_PREFIX = 4
_SEPARATORS = re.compile(r"[\s\-_.,]+")


@cache
def _words() -> tuple[str, ...]:
    return tuple(Mnemonic("english").wordlist)


@dataclass(frozen=True)
class Code:
    """
    A name, and the secret words that go with it.
    """

    name: str
    words: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        return "-".join((self.name, *self.words))

    @property
    def secret(self) -> bytes:
        """
        The words as the PAKE takes them.
        """
        return "-".join(self.words).encode("ascii")


def chooseWords() -> tuple[str, ...]:
    """
    Choose the secret words of a new code.
    """
    return tuple(secrets.choice(_words()) for _ in range(WORDS))


def parseCode(text: str) -> Code:
    """
    Read a code as people type it: any case, spaces for dashes, and words
    shortened to four letters or more.

    @raise MalformedCode: the text is not a number and two to eight words.
    @raise UnknownWord: a word is not on the list.
    """
    name, *words = [part for part in _SEPARATORS.split(text.lower()) if part] or [""]
    if not re.fullmatch("[0-9]{1,9}", name):
        raise MalformedCode("it starts with no number" if name else "it is empty")
    if not WORDS <= len(words) <= _MOST_WORDS:
        number = f"{len(words)} word{'' if len(words) == 1 else 's'}"
        raise MalformedCode(f"it has {number} after the number")
    return Code(str(int(name)), tuple(_complete(word) for word in words))


def _complete(typed: str) -> str:
    """
    Find the word on the list that was meant.
    """
    words = _words()
    if typed in words:
        return typed
    if len(typed) >= _PREFIX:
        meant = [word for word in words if word.startswith(typed)]
        if len(meant) == 1:
            return meant[0]
    close = get_close_matches(typed, words, n=2, cutoff=0.7)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    raise UnknownWord(f"{typed[:20]!r}{hint}")
