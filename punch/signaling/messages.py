"""
The details that peers send each other sealed: pin, candidates, features.

JSON, so that later versions add fields; unknown fields and features are ignored.

Notes: what the sides of an introduction tell each other sealed after their details,
as they come to know it.

JSON, so that later versions add fields; unknown fields are ignored, and a peer that
knows of no notes ignores them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from punch.ice.candidate import MAX_CANDIDATES, BadCandidate, Candidate
from punch.nat.behavior import BadBehavior, ObservedBehavior
from punch.nat.verdict import AttemptReport, BadReport

PIN_SIZE = 32

TRIAL_DIAL = "rehearsal"
"""
The feature by which a dialer says that it wants no link: it tries how it would meet us,
and leaves.
"""

_MOST_FEATURES = 32
_OPTIONAL = ("again", "seat")


class BadDetails(ValueError):
    """
    These bytes are not a peer's details.
    """


@dataclass(frozen=True)
class Details:
    """
    What a peer tells the other about itself.

    C{pin}: SHA-256 of its public key (SPKI), 32 bytes.  C{again}: the name under
    which a listener can be dialed for another path, if there is one; nobody else
    knows it.  C{seat}: by what a dialer is known again
    (L{punch.peer.instancelock}); may be empty.
    C{behavior}: what its NATs do with ports, if it knows already.
    """

    pin: bytes
    candidates: tuple[Candidate, ...] = ()
    features: frozenset[str] = frozenset()
    again: str = field(default="", repr=False)
    seat: str = field(default="", repr=False)
    behavior: ObservedBehavior | None = None

    def toBytes(self) -> bytes:
        """
        The details as they are sealed.
        """
        fields: dict[str, Any] = {
            "pin": self.pin.hex(),
            "candidates": [each.toText() for each in self.candidates],
            "features": sorted(self.features),
        }
        for name in _OPTIONAL:
            if getattr(self, name):
                fields[name] = getattr(self, name)
        if self.behavior is not None:
            fields["nat"] = self.behavior.toFields()
        return json.dumps(fields, separators=(",", ":")).encode("utf-8")

    @classmethod
    def fromBytes(cls, data: bytes) -> Details:
        """
        Read a peer's details.  Candidates of a sort that we don't know are passed
        over, as are those past the bound.

        @raise BadDetails: C{data} is anything else.
        """
        try:
            fields = json.loads(data)
            pin = bytes.fromhex(fields["pin"])
            candidates = _stringsIn(fields, "candidates")
            features = _stringsIn(fields, "features")
            optional = [fields.get(name, "") for name in _OPTIONAL]
            again, seat = _stringsIn({"optional": optional}, "optional")
            nat = _behaviorIn(fields)
        except (ValueError, TypeError, KeyError, RecursionError) as bad:
            raise BadDetails("not the shape of details") from bad
        if len(pin) != PIN_SIZE:
            raise BadDetails("a pin of the wrong size")
        features = features[:_MOST_FEATURES]
        return cls(pin, _readable(candidates), frozenset(features), again, seat, nat)


def _stringsIn(fields: Any, name: str) -> list[str]:
    """
    A list of texts; empty if there is none.

    @raise TypeError: there is something else.
    """
    texts = fields.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise TypeError(name)
    return texts


def _behaviorIn(fields: dict[str, Any]) -> ObservedBehavior | None:
    """
    What is said of NATs; C{None} if nothing is, or nothing that we understand.
    """
    try:
        return ObservedBehavior.fromFields(fields["nat"]) if "nat" in fields else None
    except BadBehavior:
        return None


def _readable(texts: list[str]) -> tuple[Candidate, ...]:
    """
    The candidates that we can read, as far as they are not too many.
    """
    read = []
    for text in texts[:MAX_CANDIDATES]:
        try:
            read.append(Candidate.fromText(text))
        except BadCandidate:
            continue
    return tuple(read)


MAX_NOTES = 16
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
    C{behavior}: what the sender's NATs do with ports.  C{candidates}: more of the
    sender's.  C{report}: what it has seen, for the verdict.
    """

    behavior: ObservedBehavior | None = None
    candidates: tuple[Candidate, ...] = ()
    report: AttemptReport | None = None

    def toBytes(self) -> bytes:
        """
        The note as it is sealed.
        """
        fields: dict[str, Any] = {}
        if self.behavior is not None:
            fields["nat"] = self.behavior.toFields()
        if self.candidates:
            fields["candidates"] = [each.toText() for each in self.candidates]
        if self.report is not None:
            fields["account"] = self.report.toFields()
        return json.dumps(fields, separators=(",", ":")).encode("utf-8")

    @classmethod
    def fromBytes(cls, data: bytes) -> Note:
        """
        Read a note.

        @raise BadNote: C{data} is anything else.
        """
        try:
            fields = json.loads(data)
            candidates = _stringsIn(fields, "candidates")
            return cls(_behaviorIn(fields), _readable(candidates), _reportIn(fields))
        except (ValueError, TypeError, AttributeError, RecursionError) as bad:
            raise BadNote("not the shape of a note") from bad


def _reportIn(fields: dict[str, Any]) -> AttemptReport | None:
    try:
        return (
            AttemptReport.fromFields(fields["account"]) if "account" in fields else None
        )
    except BadReport:
        return None
