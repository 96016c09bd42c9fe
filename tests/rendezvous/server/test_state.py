"""
Tests for L{punch.rendezvous.server.state}.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from punch.rendezvous.server.directory import MemoryDirectory
from punch.rendezvous.server.factory import RendezvousFactory


def test_emptyDirectory() -> None:
    """
    A directory that was given is the one that is used, though it is empty.
    """
    clock = Clock()
    directory = MemoryDirectory(clock)
    assert len(directory) == 0
    assert RendezvousFactory(clock, directory=directory).state.directory is directory
