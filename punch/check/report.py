"""
The report of a check of our NATs, for a person and for a program.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

SCHEMA = 1
"""
The version of the JSON form.  New fields may come without a new number.
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
What the report has, in this order: the name in JSON, and the label for a person.
"""


class Likelihood(Enum):
    """
    How likely direct links are: the verdict of a check.
    """

    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    BLOCKED = "blocked"

    @property
    def isFavorable(self) -> bool:
        """
        Whether most peers can be reached directly.
        """
        return self in (Likelihood.LIKELY, Likelihood.POSSIBLE)


class ValueState(Enum):
    """
    Whether a question has an answer.  (That the answer is no is an answer.)
    """

    TESTED = "tested"
    NOT_TESTED = "not tested"
    FAILED = "failed"


@dataclass(frozen=True)
class Value:
    """
    The answer to one question of the report.

    @ivar text: the answer for a person; if there is none, why.
    @ivar value: the answer for a program, ready for JSON.
    """

    state: ValueState
    text: str
    value: Any = None

    @classmethod
    def tested(cls, text: str, value: Any) -> Value:
        """
        The question has an answer.
        """
        return cls(ValueState.TESTED, text, value)

    @classmethod
    def notTested(cls, why: str) -> Value:
        """
        The question was not asked.
        """
        return cls(ValueState.NOT_TESTED, why)

    @classmethod
    def failed(cls, why: str) -> Value:
        """
        The question was asked, and no answer is known.
        """
        return cls(ValueState.FAILED, why)

    def __str__(self) -> str:
        if self.state is ValueState.TESTED:
            return self.text
        return f"{self.state.value} ({self.text})" if self.text else self.state.value

    def toFields(self) -> dict[str, Any]:
        """
        The fields of its JSON object.
        """
        return {"state": self.state.value, "text": str(self), "value": self.value}


@dataclass(frozen=True)
class Evidence:
    """
    One probe: what was asked, what came of it, and how long that took.
    """

    asked: str
    came: str
    milliseconds: float

    def __str__(self) -> str:
        return f"{self.asked}: {self.came}, {self.milliseconds:.1f} ms"

    def toFields(self) -> dict[str, Any]:
        """
        The fields of its JSON object.
        """
        return {"asked": self.asked, "came": self.came, "ms": self.milliseconds}


@dataclass(frozen=True)
class Report:
    """
    The report of one check.  L{punch.check.assessment.assess} makes it.

    @ivar values: one for each of L{LABELS}.
    @ivar advice: what may help, in one line.
    """

    verdict: Likelihood
    values: dict[str, Value]
    evidence: tuple[Evidence, ...]
    advice: str

    def toText(self) -> str:
        """
        The report in lines: the verdict, then one label and its value a line.
        """
        lines = [self.verdict.value]
        lines += [f"{label}: {self.values[name]}" for name, label in LABELS.items()]
        lines += [f"Evidence: {each}" for each in self.evidence]
        return "\n".join([*lines, f"Advice: {self.advice}"])

    def toJSON(self) -> str:
        """
        The report as a JSON object, on one line.
        """
        fields: dict[str, Any] = {"schema": SCHEMA, "verdict": self.verdict.value}
        fields |= {name: self.values[name].toFields() for name in LABELS}
        fields["evidence"] = [each.toFields() for each in self.evidence]
        fields["advice"] = self.advice
        return json.dumps(fields)
