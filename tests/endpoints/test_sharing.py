"""
Tests for L{punch.endpoints.sharing}.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from punch.endpoints.sharing import MeetingParameters, SharedInstances

HOME = MeetingParameters("tcp:rv.example.org:4040", "home", b"secret of ours")


class Reactor:
    """
    Anything that can be told from another.
    """


class Thing:
    """
    Something to share, which knows its reactor, as such things do.
    """

    def __init__(self, reactor: Any, parameters: MeetingParameters) -> None:
        self.reactor = reactor
        self.parameters = parameters


def test_shared() -> None:
    """
    Equal parameters find the same thing.
    """
    shared, reactor = SharedInstances(Thing), Reactor()
    found = shared.find(reactor, HOME)
    same = MeetingParameters("tcp:rv.example.org:4040", "home", b"secret of ours")
    assert shared.find(reactor, same) is found
    assert (found.reactor, found.parameters) == (reactor, HOME)


def test_apart() -> None:
    """
    Other reactors and other parameters have their own.
    """
    shared, reactor = SharedInstances(Thing), Reactor()
    things = [
        shared.find(reactor, HOME),
        shared.find(Reactor(), HOME),
        shared.find(reactor, MeetingParameters(HOME.rendezvous, "home", b"another")),
        shared.find(reactor, MeetingParameters(HOME.rendezvous, "away", HOME.secret)),
        shared.find(reactor, MeetingParameters("tcp:h:1", "home", HOME.secret)),
        shared.find(
            reactor, MeetingParameters(HOME.rendezvous, "home", HOME.secret, port=4000)
        ),
    ]
    assert len(set(map(id, things))) == len(things)


def test_forgotten() -> None:
    """
    What nobody has any more is gone, and its reactor too.
    """
    shared, reactor = SharedInstances(Thing), Reactor()
    thing = shared.find(reactor, HOME)
    gone: list[weakref.ref[Any]] = [weakref.ref(thing), weakref.ref(reactor)]
    del thing, reactor
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_discreet() -> None:
    """
    The secret is in no log.
    """
    assert "secret of ours" not in repr(HOME)
