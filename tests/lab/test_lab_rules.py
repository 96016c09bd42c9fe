"""
Tests of the rule sets of L{tests.lab.nats}, without a kernel.
"""

from __future__ import annotations

import pytest

from .nats import KINDS, PAIRS, RANDOM, RulesNotLoaded, kindsOf, ruleSet

_NATS = sorted({nat for kind in KINDS for nat in kindsOf(kind)})


def test_pairs() -> None:
    """
    The pairs expected to connect: six kinds by six in order, and the same NAT.
    """
    assert len(set(PAIRS)) == len(PAIRS) == 37
    assert not any(RANDOM in pair for pair in PAIRS)


@pytest.mark.parametrize("kind", _NATS)
def test_oneRuleALine(kind: str) -> None:
    """
    Each rule stands on its own line, and each NAT masquerades.
    """
    rules = ruleSet(kind, "192.0.2.1")
    lines = [line for line in rules.render().splitlines() if "comment" in line]
    assert len(lines) == len(rules.rules)
    assert sum('comment "masquerade"' in line for line in lines) == 1


@pytest.mark.parametrize("kind", _NATS)
def test_verify(kind: str) -> None:
    """
    The rules as written pass; without any one of their lines they don't.
    """
    rules = ruleSet(kind, "192.0.2.1")
    lines = rules.render().splitlines()
    rules.verify("\n".join(lines))
    for index, line in enumerate(lines):
        if "comment" in line or "hook" in line:
            with pytest.raises(RulesNotLoaded):
                rules.verify("\n".join(lines[:index] + lines[index + 1 :]))


def test_nothingLoaded() -> None:
    """
    An empty listing is no NAT.
    """
    with pytest.raises(RulesNotLoaded):
        ruleSet("drop", "192.0.2.1").verify("")
