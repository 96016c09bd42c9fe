"""
Tests for L{punch.check.report}.
"""

from __future__ import annotations

import json

from punch.check.report import LABELS, Evidence, Likelihood, Report, Value

VALUES = {name: Value.notTested("") for name in LABELS} | {
    "ipv4": Value.tested("198.51.100.1:5000 (behind a NAT)", "198.51.100.1:5000"),
    "hairpin": Value.tested("no, dropped", False),
    "mapping": Value.failed("nobody answered"),
    "lifetime": Value.notTested("--long tests it"),
}
REPORT = Report(
    Likelihood.POSSIBLE, VALUES, (Evidence("asked", "came", 1.25),), "do nothing"
)


def test_text() -> None:
    """
    The verdict comes first, then each label with its value.  "Not tested", "failed" and
    the answer "no" are told apart.
    """
    assert REPORT.toText().splitlines() == [
        "possible",
        "IPv4 address: 198.51.100.1:5000 (behind a NAT)",
        "IPv6 address: not tested",
        "Mapping: failed (nobody answered)",
        "Filtering: not tested",
        "Allocation: not tested",
        "Answer to an unsolicited SYN: not tested",
        "Hairpin: no, dropped",
        "Port preservation: not tested",
        "Mapping lifetime: not tested (--long tests it)",
        "Peer: not tested",
        "Pair: not tested",
        "Evidence: asked: came, 1.2 ms",
        "Advice: do nothing",
    ]


def test_json() -> None:
    """
    A program finds the same values by name.
    """
    text = REPORT.toJSON()
    assert "\n" not in text
    told = json.loads(text)
    assert told["schema"] == 1
    assert told["verdict"] == "possible"
    assert told["hairpin"] == {
        "state": "tested",
        "text": "no, dropped",
        "value": False,
    }
    assert told["mapping"]["state"] == "failed"
    assert told["mapping"]["value"] is None
    assert told["evidence"] == [{"asked": "asked", "came": "came", "ms": 1.25}]
    assert told["advice"] == "do nothing"


def test_favorable() -> None:
    """
    Two verdicts of four are favorable.
    """
    assert [each for each in Likelihood if each.isFavorable] == [
        Likelihood.LIKELY,
        Likelihood.POSSIBLE,
    ]
