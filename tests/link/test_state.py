"""
Tests for L{punch.link.state}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from punch.link.state import Todo, newLife

INPUTS = ("attached", "completed", "pathDied", "pathEnded", "gaveUp")
LONGEST = 6


def everySequence() -> Iterator[tuple[str, ...]]:
    """
    All sequences of inputs.
    """
    for length in range(LONGEST + 1):
        yield from product(INPUTS, repeat=length)


def answers(inputs: tuple[str, ...]) -> list[Todo]:
    """
    What a machine answers to a sequence of inputs.
    """
    machine = newLife()
    return [getattr(machine, each)() for each in inputs]


class Model:
    """
    The same, told otherwise: three things that are so or not.
    """

    def __init__(self) -> None:
        self.hasPath = True
        self.isComplete = False
        self.hasEnded = False

    def feed(self, what: str) -> Todo:
        """
        What is to be done.
        """
        if self.hasEnded:
            return Todo.NOTHING
        if what == "gaveUp":
            return self.end()
        if what == "completed":
            return self.complete()
        if what == "attached":
            return self.attach()
        if not self.hasPath:
            return Todo.NOTHING
        self.hasPath = False
        if what == "pathEnded":
            return self.end()
        return Todo.LINGER if self.isComplete else Todo.SUSPEND

    def end(self) -> Todo:
        """
        There is nothing after it.
        """
        self.hasEnded = True
        return Todo.REPORT_CLEAN if self.isComplete else Todo.REPORT_LOST

    def complete(self) -> Todo:
        """
        That can be only on a path: the last word has to be told.
        """
        if self.isComplete or not self.hasPath:
            return Todo.NOTHING
        self.isComplete = True
        return Todo.END_PATH

    def attach(self) -> Todo:
        """
        Whoever is complete ends each path.
        """
        had, self.hasPath = self.hasPath, True
        if self.isComplete:
            return Todo.END_PATH
        return Todo.NOTHING if had else Todo.RESUME


def check(inputs: tuple[str, ...]) -> None:
    """
    See that the answers to one sequence are what they ought to be.
    """
    found, model = answers(inputs), Model()
    assert found == [model.feed(each) for each in inputs], inputs
    reports = [each & (Todo.REPORT_CLEAN | Todo.REPORT_LOST) for each in found]
    ends = [n for n, each in enumerate(reports) if each]
    assert len(ends) <= 1
    if ends:
        assert all(each is Todo.NOTHING for each in found[ends[0] + 1 :])
        wasComplete = Todo.END_PATH in found
        assert reports[ends[0]] is (
            Todo.REPORT_CLEAN if wasComplete else Todo.REPORT_LOST
        )
    assert found.count(Todo.RESUME) <= found.count(Todo.SUSPEND)


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
        (("completed",), Todo.END_PATH),
        (("completed", "pathEnded"), Todo.REPORT_CLEAN),
        (("completed", "pathDied"), Todo.LINGER),
        (("completed", "pathDied", "attached"), Todo.END_PATH),
        (("completed", "pathDied", "gaveUp"), Todo.REPORT_CLEAN),
        (("completed", "attached"), Todo.END_PATH),
        (("pathEnded",), Todo.REPORT_LOST),
        (("pathDied",), Todo.SUSPEND),
        (("pathDied", "attached"), Todo.RESUME),
        (("pathDied", "gaveUp"), Todo.REPORT_LOST),
        (("attached",), Todo.NOTHING),
    ],
)
def test_examples(inputs: tuple[str, ...], last: Todo) -> None:
    """
    The cases that one thinks of first.
    """
    assert answers(inputs)[-1] is last


def test_apart() -> None:
    """
    One link's machine knows nothing of another's.
    """
    newLife().gaveUp()
    assert newLife().pathDied() is Todo.SUSPEND
