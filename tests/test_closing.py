"""
Tests for L{punch.closing}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from punch.closing import Todo, newClosing
from punch.errors import ProtocolViolation

INPUTS = ("finish", "peer", "clean", "broken")
LONGEST = 6


def everySequence() -> Iterator[tuple[str, ...]]:
    """
    All sequences of inputs.
    """
    for length in range(LONGEST + 1):
        yield from product(INPUTS, repeat=length)


def answers(inputs: tuple[str, ...]) -> list[Todo | None]:
    """
    What a machine answers to a sequence of inputs; L{None} is a violation.
    """
    machine = newClosing()
    found: list[Todo | None] = []
    for each in inputs:
        try:
            if each == "finish":
                found.append(machine.finish())
            elif each == "peer":
                found.append(machine.peerFinished())
            else:
                found.append(machine.pathEnded(each == "clean"))
        except ProtocolViolation:
            found.append(None)
    return found


def times(todo: Todo, found: list[Todo | None]) -> int:
    """
    How often the machine has asked for something.
    """
    return sum(todo in each for each in found if each is not None)


def first(inputs: tuple[str, ...], *wanted: str) -> int:
    """
    The place of the first of some inputs, or the end.
    """
    return next((n for n, each in enumerate(inputs) if each in wanted), len(inputs))


def check(inputs: tuple[str, ...]) -> None:
    """
    See that the answers to one sequence are what they ought to be.
    """
    found = answers(inputs)
    ended = first(inputs, "clean", "broken")
    finished = first(inputs, "finish") < ended
    heard = first(inputs, "peer") < ended
    assert times(Todo.SEND_CLOSE, found) == finished
    assert times(Todo.TELL_END, found) == heard
    assert times(Todo.END_PATH, found) == (finished and heard)
    violations = [n for n, each in enumerate(found) if each is None]
    second = [n for n, each in enumerate(inputs[:ended]) if each == "peer"][1:]
    assert violations == second
    clean = finished and heard and inputs[ended : ended + 1] == ("clean",)
    reported = ended < len(inputs)
    assert times(Todo.REPORT_CLEAN, found) == clean
    assert times(Todo.REPORT_LOST, found) == (reported and not clean)
    assert all(each is Todo.NOTHING for each in found[ended + 1 :])


def test_everySequence() -> None:
    """
    Whatever happens in whatever order: CLOSE is sent once, the peer's end is told
    once, the path is ended after both and not before, a second CLOSE of the peer
    is a violation, and the end is reported once, as clean only after both.
    """
    for inputs in everySequence():
        check(inputs)


@pytest.mark.parametrize(
    ("inputs", "last"),
    [
        (("finish", "peer"), Todo.TELL_END | Todo.END_PATH),
        (("peer", "finish"), Todo.SEND_CLOSE | Todo.END_PATH),
        (("finish", "finish"), Todo.NOTHING),
        (("peer", "finish", "clean"), Todo.REPORT_CLEAN),
        (("peer", "finish", "broken"), Todo.REPORT_LOST),
        (("peer", "clean"), Todo.REPORT_LOST),
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
    newClosing().finish()
    assert newClosing().finish() is Todo.SEND_CLOSE
