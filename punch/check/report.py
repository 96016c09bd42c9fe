"""
The report: what a check of our NATs has found, for a person and for a program.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

SCHEMA = 1
"""
Of the JSON form.  New fields may come without a new number.
"""

LABELS = {
    "ipv4": "IPv4 address",
    "ipv6": "IPv6 address",
    "mapping": "Mapping",
    "filtering": "Filtering",
    "allocation": "Allocation",
    "unsolicited": "Answer to an unsolicited SYN",
    "hairpin": "Hairpin",
    "preservation": "Port preservation",
    "lifetime": "Mapping lifetime",
    "peer": "Peer",
    "pair": "Pair",
}
"""
What is told, in this order: by its name in JSON, and to a person.
"""


class Verdict(Enum):
    """
    What becomes of direct links.
    """

    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    BLOCKED = "blocked"

    @property
    def isFriendly(self) -> bool:
        """
        Whether they can be had.
        """
        return self in (Verdict.LIKELY, Verdict.POSSIBLE)


class State(Enum):
    """
    What became of one question.  That the answer is no is an answer.
    """

    TESTED = "tested"
    NOT_TESTED = "not tested"
    FAILED = "failed"


@dataclass(frozen=True)
class Value:
    """
    The answer to one question.

    C{text}: for a person; if there is no answer, why.  C{value}: for a program.
    """

    state: State
    text: str
    value: Any = None

    @classmethod
    def tested(cls, text: str, value: Any) -> Value:
        """
        There is an answer.
        """
        return cls(State.TESTED, text, value)

    @classmethod
    def notTested(cls, why: str) -> Value:
        """
        Nobody asked.
        """
        return cls(State.NOT_TESTED, why)

    @classmethod
    def failed(cls, why: str) -> Value:
        """
        It was asked, and no answer is known.
        """
        return cls(State.FAILED, why)

    def __str__(self) -> str:
        if self.state is State.TESTED:
            return self.text
        return f"{self.state.value} ({self.text})" if self.text else self.state.value

    def toFields(self) -> dict[str, Any]:
        """
        What JSON has of it.
        """
        return {"state": self.state.value, "text": str(self), "value": self.value}


@dataclass(frozen=True)
class Evidence:
    """
    One probe: what was asked, what came of it, and after how many milliseconds.
    """

    asked: str
    came: str
    milliseconds: float

    def __str__(self) -> str:
        return f"{self.asked}: {self.came}, {self.milliseconds:.1f} ms"

    def toFields(self) -> dict[str, Any]:
        """
        What JSON has of it.
        """
        return {"asked": self.asked, "came": self.came, "ms": self.milliseconds}


@dataclass(frozen=True)
class Report:
    """
    All of it.  C{values}: one for each of L{LABELS}.
    """

    verdict: Verdict
    values: dict[str, Value]
    evidence: tuple[Evidence, ...]
    advice: str

    def toText(self) -> str:
        """
        For a person, and for C{grep}: the verdict, then a label and a value a line.
        """
        lines = [self.verdict.value]
        lines += [f"{label}: {self.values[name]}" for name, label in LABELS.items()]
        lines += [f"Evidence: {each}" for each in self.evidence]
        return "\n".join([*lines, f"Advice: {self.advice}"])

    def toJSON(self) -> str:
        """
        For a program: one object, on one line.
        """
        fields: dict[str, Any] = {"schema": SCHEMA, "verdict": self.verdict.value}
        fields |= {name: self.values[name].toFields() for name in LABELS}
        fields["evidence"] = [each.toFields() for each in self.evidence]
        fields["advice"] = self.advice
        return json.dumps(fields)
