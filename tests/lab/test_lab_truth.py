"""
Tests for L{tests.lab.truth}.
"""

from __future__ import annotations

import pytest

from .truth import causeOf


@pytest.mark.parametrize(
    ("listener", "dialer", "cause"),
    [
        ("home-nf", "home-nf", None),
        ("home-noso", "home-nf", None),
        ("home-noso", "home-noso", "no-simultaneous-open"),
        ("home-rnd", "cell-blk", "both-random-mapping"),
        ("home-rnd", "home-seq", "random-against-sequential"),
        ("home-seq", "home-nf", "prediction-failed"),
        ("home-nf", "corp-vpn", "search-failed"),
        ("corp-block", "home-rnd", "listener-blocks-outbound"),
        ("pub", "corp-block", "dialer-blocks-outbound"),
        ("next/apd/drop/so", "next/apd/rst/so", "prediction-failed"),
        ("ei/apd/drop/noso", "ei/ad/drop/noso", "no-simultaneous-open"),
        ("ei/apd/drop/noso", "next/apd/drop/noso", "no-simultaneous-open"),
    ],
)
def test_cause(listener: str, dialer: str, cause: str | None) -> None:
    """
    What the sides are says why they are not direct.
    """
    found = causeOf(listener, dialer)
    assert (found and found.value) == cause
