"""
Tests for L{punch.endpoints.sharing}.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

from punch.endpoints.sharing import Appointment, Shared

HOME = Appointment("tcp:rv.example.org:4040", "home", b"secret of ours")


class Reactor:
    """
    Anything that can be told from another.
    """


class Thing:
    """
    Something to share, which knows its reactor, as such things do.
    """

    def __init__(self, reactor: Any, appointment: Appointment) -> None:
        self.reactor = reactor
        self.appointment = appointment


def test_shared() -> None:
    """
    Equal appointments find the same thing.
    """
    shared, reactor = Shared(Thing), Reactor()
    found = shared.find(reactor, HOME)
    same = Appointment("tcp:rv.example.org:4040", "home", b"secret of ours")
    assert shared.find(reactor, same) is found
    assert (found.reactor, found.appointment) == (reactor, HOME)


def test_apart() -> None:
    """
    Other reactors and other appointments have their own.
    """
    shared, reactor = Shared(Thing), Reactor()
    things = [
        shared.find(reactor, HOME),
        shared.find(Reactor(), HOME),
        shared.find(reactor, Appointment(HOME.rendezvous, "home", b"another")),
        shared.find(reactor, Appointment(HOME.rendezvous, "away", HOME.secret)),
        shared.find(reactor, Appointment("tcp:h:1", "home", HOME.secret)),
        shared.find(
            reactor, Appointment(HOME.rendezvous, "home", HOME.secret, port=4000)
        ),
    ]
    assert len(set(map(id, things))) == len(things)


def test_forgotten() -> None:
    """
    What nobody has any more is gone, and its reactor too.
    """
    shared, reactor = Shared(Thing), Reactor()
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
