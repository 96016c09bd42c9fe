"""
The sealed messages of an introduction: first each peer's details, then notes with what
it learns later.

Both are JSON, so that later versions can add fields.  Unknown fields and features are
ignored, and a peer that does not know notes ignores them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from punch.ice.candidate import MAX_CANDIDATES, BadCandidate, Candidate
from punch.nat.behavior import BadBehavior, ObservedBehavior
from punch.nat.verdict import AttemptReport, BadReport

T = TypeVar("T")

PIN_SIZE = 32

TRIAL_DIAL = "rehearsal"
"""
The feature of a trial dial, by which a dialer says that it wants no link: it tries how
it would reach us, and leaves.
"""

MAX_NOTES = 16
"""
Notes that are read in one introduction.
"""

_MOST_FEATURES = 32
_OPTIONAL = {"again": "rejoinName", "seat": "instanceToken"}
"""
Texts that are left out when they are empty: field and attribute.
"""


class BadDetails(ValueError):
    """
    The bytes that were unsealed are not the JSON of a peer's details.
    """


@dataclass(frozen=True)
class Details:
    """
    What a peer tells the other about itself.

    @ivar pin: the SHA-256 of its public key (SPKI), 32 bytes.
    @ivar candidates: addresses of its own, beside the one that the rendezvous sees.
    @ivar features: what it can do and wants, for versions that know the feature.
    @ivar rejoinName: of a listener: the name under which the other side can dial it for
        another path; nobody else knows it.  May be empty.
    @ivar instanceToken: of a dialer: tells this process from others of its identity
        (L{punch.peer.instancelock}).  May be empty.
    @ivar behavior: that of its NATs, if it knows it already.
    """

    pin: bytes
    candidates: tuple[Candidate, ...] = ()
    features: frozenset[str] = frozenset()
    rejoinName: str = field(default="", repr=False)
    instanceToken: str = field(default="", repr=False)
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
        for name, attribute in _OPTIONAL.items():
            if getattr(self, attribute):
                fields[name] = getattr(self, attribute)
        if self.behavior is not None:
            fields["nat"] = self.behavior.toFields()
        return json.dumps(fields, separators=(",", ":")).encode("utf-8")

    @classmethod
    def fromBytes(cls, data: bytes) -> Details:
        """
        Read a peer's details.  Candidates of an unknown kind, and those past
        L{MAX_CANDIDATES}, are ignored.

        @raise BadDetails: C{data} is not a peer's details.
        """
        try:
            fields = json.loads(data)
            pin = bytes.fromhex(fields["pin"])
            candidates = _readCandidates(fields)
            features = _stringsIn(fields, "features")
            optional = [fields.get(name, "") for name in _OPTIONAL]
            rejoinName, instanceToken = _stringsIn({"optional": optional}, "optional")
            nat = _readOptional(fields, "nat", ObservedBehavior.fromFields)
        except (ValueError, TypeError, KeyError, RecursionError) as bad:
            raise BadDetails("not the shape of details") from bad
        if len(pin) != PIN_SIZE:
            raise BadDetails("a pin of the wrong size")
        features = features[:_MOST_FEATURES]
        return cls(
            pin,
            candidates,
            frozenset(features),
            rejoinName,
            instanceToken,
            nat,
        )


def _stringsIn(fields: Any, name: str) -> list[str]:
    """
    Read a list of texts; an absent one is empty.

    @raise TypeError: the field is something else.
    """
    texts = fields.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise TypeError(name)
    return texts


def _readOptional(fields: Any, name: str, read: Callable[[Any], T]) -> T | None:
    """
    Read a field; C{None} if it is absent, or if we do not understand it.
    """
    try:
        return read(fields[name]) if name in fields else None
    except (BadBehavior, BadReport):
        return None


def _readCandidates(fields: Any) -> tuple[Candidate, ...]:
    """
    Read the candidates that we understand, at most L{MAX_CANDIDATES}.
    """
    read = []
    for text in _stringsIn(fields, "candidates")[:MAX_CANDIDATES]:
        try:
            read.append(Candidate.fromText(text))
        except BadCandidate:
            continue
    return tuple(read)


class BadNote(ValueError):
    """
    The bytes that were unsealed are not the JSON of a note.
    """


@dataclass(frozen=True)
class Note:
    """
    What a peer tells the other after its details.

    @ivar behavior: that of the sender's NATs.
    @ivar candidates: more candidates of the sender.
    @ivar report: what it has seen of its attempts, for the verdict.
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

        @raise BadNote: C{data} is not a note.
        """
        try:
            fields = json.loads(data)
            candidates = _readCandidates(fields)
            nat = _readOptional(fields, "nat", ObservedBehavior.fromFields)
            report = _readOptional(fields, "account", AttemptReport.fromFields)
            return cls(nat, candidates, report)
        except (ValueError, TypeError, AttributeError, RecursionError) as bad:
            raise BadNote("not the shape of a note") from bad
