"""
The table of a NAT's mappings.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import Allocation, Filtering, Mapping, NATBehavior
from punch.testing.mappings import MappingTable, NoFreePort
from tests.support.programs import network

_endpoints = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 65535))


class MappingTableTests(SynchronousTestCase):
    """
    The table alone.
    """

    @given(
        st.builds(
            NATBehavior,
            mapping=st.sampled_from(Mapping),
            filtering=st.sampled_from(Filtering),
            allocation=st.sampled_from(Allocation),
            ports=st.just((2000, 2019)),
        ),
        st.lists(st.tuples(_endpoints, _endpoints), max_size=40),
    )
    def test_onePortOneInside(
        self, behavior: NATBehavior, flows: list[tuple[Any, Any]]
    ) -> None:
        """
        However ports are given, one stands for one inside address, is in range,
        and leads back to it; only when none is left is there no mapping.
        """
        made = network()
        table = MappingTable(behavior, made.clock.seconds, made.random)
        for internal, remote in flows:
            mapping = table.outbound(internal, remote)
            if mapping is None:
                try:
                    mapping = table.create(internal, remote)
                except NoFreePort:
                    assert len(table) == 20
                    continue
            assert mapping.internal == internal
            assert 2000 <= mapping.port <= 2019
            assert table.inbound(mapping.port) is mapping

    def test_clear(self) -> None:
        """
        A table that is cleared keeps the sessions with one address, if it is told
        to, and forgets all others.
        """
        made = network()
        table = MappingTable(NATBehavior(), made.clock.seconds, made.random)
        for inside in ("a", 2000), ("b", 3000):
            mapping = table.create(inside, ("x", 1))
            for remote in ("x", 1), ("y", 1):
                table.refresh(mapping, table.openSession(mapping, remote))
        only = table.create(("c", 4000), ("y", 1))
        table.refresh(only, table.openSession(only, ("y", 1)))
        table.clear("x")
        assert len(table) == 2
        kept = table.inbound(2000)
        assert kept is not None
        assert list(kept.sessions) == [("x", 1)]
        table.clear()
        assert len(table) == 0

    def test_answers(self) -> None:
        """
        What answers a stranger goes out by the port that the stranger came in by, as
        long as that session lasts; and so by no other's.
        """
        made = network()
        behavior = NATBehavior(
            mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT,
            filtering=Filtering.ENDPOINT_INDEPENDENT,
            allocation=Allocation.SEQUENTIAL,
        )
        table = MappingTable(behavior, made.clock.seconds, made.random)
        inside, server, stranger = ("a", 2000), ("x", 1), ("y", 1)
        mapping = table.create(inside, server)
        table.refresh(mapping, table.openSession(mapping, server))
        assert table.outbound(inside, stranger) is None
        table.refresh(mapping, table.openSession(mapping, stranger))
        assert table.outbound(inside, stranger) is mapping
        table.closeSession(mapping, stranger)
        assert table.outbound(inside, stranger) is None
        assert table.outbound(inside, server) is mapping
        table.closeSession(mapping, server)
        assert len(table) == 0
