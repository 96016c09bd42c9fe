"""
Tests for L{punch.link.state}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from punch.link.state import LinkAction, newLinkState

INPUTS = ("attached", "completed", "pathDied", "pathEnded", "gaveUp")
LONGEST = 6


def everySequence() -> Iterator[tuple[str, ...]]:
    """
    All sequences of inputs.
    """
    for length in range(LONGEST + 1):
        yield from product(INPUTS, repeat=length)


def answers(inputs: tuple[str, ...]) -> list[LinkAction]:
    """
    What a machine answers to a sequence of inputs.
    """
    machine = newLinkState()
    return [getattr(machine, each)() for each in inputs]


class Model:
    """
    The same machine, made of three booleans.
    """

    def __init__(self) -> None:
        self.hasPath = True
        self.isComplete = False
        self.hasEnded = False

    def feed(self, what: str) -> LinkAction:
        """
        What is to be done.
        """
        if self.hasEnded:
            return LinkAction.NOTHING
        if what == "gaveUp":
            return self.end()
        if what == "completed":
            return self.complete()
        if what == "attached":
            return self.attach()
        if not self.hasPath:
            return LinkAction.NOTHING
        self.hasPath = False
        if what == "pathEnded":
            return self.end()
        return LinkAction.LINGER if self.isComplete else LinkAction.SUSPEND

    def end(self) -> LinkAction:
        """
        Nothing happens after the end.
        """
        self.hasEnded = True
        return LinkAction.REPORT_CLEAN if self.isComplete else LinkAction.REPORT_LOST

    def complete(self) -> LinkAction:
        """
        A link is complete only on a path, as the last ACK has to be sent.
        """
        if self.isComplete or not self.hasPath:
            return LinkAction.NOTHING
        self.isComplete = True
        return LinkAction.CLOSE_PATH

    def attach(self) -> LinkAction:
        """
        A complete link ends each path.
        """
        had, self.hasPath = self.hasPath, True
        if self.isComplete:
            return LinkAction.CLOSE_PATH
        return LinkAction.NOTHING if had else LinkAction.RESUME


def check(inputs: tuple[str, ...]) -> None:
    """
    See that the answers to one sequence are what they ought to be.
    """
    found, model = answers(inputs), Model()
    assert found == [model.feed(each) for each in inputs], inputs
    reports = [
        each & (LinkAction.REPORT_CLEAN | LinkAction.REPORT_LOST) for each in found
    ]
    ends = [n for n, each in enumerate(reports) if each]
    assert len(ends) <= 1
    if ends:
        assert all(each is LinkAction.NOTHING for each in found[ends[0] + 1 :])
        wasComplete = LinkAction.CLOSE_PATH in found
        assert reports[ends[0]] is (
            LinkAction.REPORT_CLEAN if wasComplete else LinkAction.REPORT_LOST
        )
    assert found.count(LinkAction.RESUME) <= found.count(LinkAction.SUSPEND)


def test_everySequence() -> None:
    """
    Whatever happens in whatever order: the end is reported once, as clean if and
    only if all was done before it, and nothing is to be done after it; a link
    resumes as often as it was suspended, at most.
    """
    for inputs in everySequence():
        check(inputs)


@pytest.mark.parametrize(
    ("inputs", "last"),
    [
        (("completed",), LinkAction.CLOSE_PATH),
        (("completed", "pathEnded"), LinkAction.REPORT_CLEAN),
        (("completed", "pathDied"), LinkAction.LINGER),
        (("completed", "pathDied", "attached"), LinkAction.CLOSE_PATH),
        (("completed", "pathDied", "gaveUp"), LinkAction.REPORT_CLEAN),
        (("completed", "attached"), LinkAction.CLOSE_PATH),
        (("pathEnded",), LinkAction.REPORT_LOST),
        (("pathDied",), LinkAction.SUSPEND),
        (("pathDied", "attached"), LinkAction.RESUME),
        (("pathDied", "gaveUp"), LinkAction.REPORT_LOST),
        (("attached",), LinkAction.NOTHING),
    ],
)
def test_examples(inputs: tuple[str, ...], last: LinkAction) -> None:
    """
    Single transitions.
    """
    assert answers(inputs)[-1] is last


def test_apart() -> None:
    """
    The machines of two links are independent.
    """
    newLinkState().gaveUp()
    assert newLinkState().pathDied() is LinkAction.SUSPEND
