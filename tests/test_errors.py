"""
Tests for L{punch.errors}, for the errors of the packages, and for L{punch.reasons}.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from punch import errors
from punch.errors import (
    AuthenticationError,
    Bug,
    ConnectError,
    LinkError,
    Misuse,
    NameTaken,
    PunchError,
    Refusal,
    RendezvousError,
    WrongCode,
)
from punch.forwarding import errors as forwardingErrors
from punch.link import errors as linkErrors
from punch.nat import errors as natErrors
from punch.nat.errors import NoDirectPath, STUNError
from punch.protocols import stdio
from punch.reasons import Reason
from punch.rendezvous import relayerrors
from punch.streams import errors as streamErrors
from punch.streams.errors import StreamError

BRANCHES = {
    Misuse,
    RendezvousError,
    Refusal,
    AuthenticationError,
    ConnectError,
    LinkError,
    NoDirectPath,
    StreamError,
    STUNError,
}

NO_ERRORS = {Reason.DONE, Reason.CANCELLED, Reason.BETTER, Reason.RELAY_ONLY}


def concrete(kind: type[PunchError] = PunchError) -> Iterator[type[PunchError]]:
    """
    The errors that are raised: those that no other one refines.
    """
    modules = (
        errors,
        forwardingErrors,
        linkErrors,
        natErrors,
        relayerrors,
        stdio,
        streamErrors,
    )
    ours = {each.__name__ for each in modules}
    below = [each for each in kind.__subclasses__() if each.__module__ in ours]
    if not below:
        yield kind
    for each in below:
        yield from concrete(each)


CONCRETE = list(concrete())

everyError = pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)


@everyError
def test_reason(kind: type[PunchError]) -> None:
    """
    Each error has a reason for scripts, and stands on a branch that says where
    the fault lies.
    """
    assert isinstance(kind.reason, Reason)
    assert kind is Bug or any(issubclass(kind, branch) for branch in BRANCHES)


@everyError
def test_sentence(kind: type[PunchError]) -> None:
    """
    Each error says in a sentence of its own, on one line, what is the matter.
    """
    said = str(kind())
    assert kind.__doc__ != PunchError.__doc__
    assert said[0].isupper()
    assert said[-1] in ".?)"
    assert len(said) > 8
    assert "\n" not in said
    assert "  " not in said
    assert not set(said) & set("{}<>`")


@everyError
def test_detail(kind: type[PunchError]) -> None:
    """
    What exactly it was about comes last.
    """
    error = kind("port 4040")
    assert error.detail == "port 4040"
    assert str(error) == f"{kind()} (port 4040)"


def test_unique() -> None:
    """
    A reason belongs to one error, and every reason but those of a good end to
    some error.
    """
    reasons = [kind.reason for kind in CONCRETE]
    assert len(set(reasons)) == len(reasons)
    assert set(reasons) | NO_ERRORS == set(Reason)
    assert not set(reasons) & NO_ERRORS


def test_words() -> None:
    """
    Reason codes are words with dashes, for scripts to match on.
    """
    for reason in Reason:
        assert reason.value == reason.name.lower().replace("_", "-")


def test_branches() -> None:
    """
    A branch is caught with all that is on it.
    """
    assert issubclass(NameTaken, Refusal)
    assert issubclass(Refusal, RendezvousError)
    assert issubclass(WrongCode, AuthenticationError)
    assert all(issubclass(each, PunchError) for each in BRANCHES)


def test_raised() -> None:
    """
    Whatever the package raises itself has a reason: also its mistakes.
    """
    assert Bug().reason is Reason.BUG
