"""
Notes: what the sides of an introduction tell each other sealed after their details,
as they come to know it.

JSON, so that later versions add fields; unknown fields are ignored, and a peer that
knows of no notes ignores them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from punch.candidate import Candidate
from punch.details import known, textsIn, translationIn
from punch.translation import Translation
from punch.verdict import Account, BadAccount

MOST = 16
"""
Notes that are taken in one introduction.
"""


class BadNote(ValueError):
    """
    These bytes are no note.
    """


@dataclass(frozen=True)
class Note:
    """
    C{translation}: what the sender's NATs do with ports.  C{candidates}: more of the
    sender's.  C{account}: what it has seen, for the verdict.
    """

    translation: Translation | None = None
    candidates: tuple[Candidate, ...] = ()
    account: Account | None = None

    def toBytes(self) -> bytes:
        """
        The note as it is sealed.
        """
        fields: dict[str, Any] = {}
        if self.translation is not None:
            fields["nat"] = self.translation.toFields()
        if self.candidates:
            fields["candidates"] = [each.toText() for each in self.candidates]
        if self.account is not None:
            fields["account"] = self.account.toFields()
        return json.dumps(fields, separators=(",", ":")).encode("utf-8")

    @classmethod
    def fromBytes(cls, data: bytes) -> Note:
        """
        Read a note.

        @raise BadNote: C{data} is anything else.
        """
        try:
            fields = json.loads(data)
            candidates = textsIn(fields, "candidates")
            return cls(translationIn(fields), known(candidates), _accountIn(fields))
        except (ValueError, TypeError, AttributeError, RecursionError) as bad:
            raise BadNote("not the shape of a note") from bad


def _accountIn(fields: dict[str, Any]) -> Account | None:
    try:
        return Account.fromFields(fields["account"]) if "account" in fields else None
    except BadAccount:
        return None
