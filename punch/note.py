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
    sender's.
    """

    translation: Translation | None = None
    candidates: tuple[Candidate, ...] = ()

    def toBytes(self) -> bytes:
        """
        The note as it is sealed.
        """
        fields: dict[str, Any] = {}
        if self.translation is not None:
            fields["nat"] = self.translation.toFields()
        if self.candidates:
            fields["candidates"] = [each.toText() for each in self.candidates]
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
            return cls(translationIn(fields), known(candidates))
        except (ValueError, TypeError, AttributeError, RecursionError) as bad:
            raise BadNote("not the shape of a note") from bad
