"""
A host of a network in memory: a node of the network, and the reactor of the programs
that run on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import ECONNRESET

from punch.testing.medium import Medium, Step
from punch.testing.reactor import MemoryReactor
from punch.testing.realm import Node, Realm
from punch.testing.segment import Segment, canonicalIP
from punch.testing.tcp import TCPStack

_DUPLICATE_DELAY = 0.001
"""
Seconds after the first copy of a segment until the second arrives.
"""


class MemoryHost(MemoryReactor, Node):
    """
    A host with one or more addresses on one wire, and the reactor of its programs.
    L{MemoryNetwork.host<punch.testing.MemoryNetwork.host>} makes it.

    It also has the address C{127.0.0.1} and, with any IPv6 address, C{::1}.

    @ivar addresses: its addresses, in their canonical form.
    @ivar duplicates: the probability that its wire delivers a SYN or SYN-ACK twice.
    """

    isHost = True

    def __init__(
        self,
        network: Medium,
        addresses: Sequence[str],
        realms: tuple[Realm, Realm],
    ) -> None:
        """
        @param realms: the realms of its IPv4 and of its IPv6 addresses.
        """
        self.addresses = [canonicalIP(each) for each in addresses]
        MemoryReactor.__init__(self, TCPStack(network, self.addresses, self._emit))
        Node.__init__(self, network)
        self.duplicates = 0.0
        self._realms = realms
        self._isCut = False
        for each in self.addresses:
            self._realm(each).attach(each, self)

    # What tests do to it.

    def cut(self) -> None:
        """
        Cut the wire: segments in both directions are lost without notice.
        """
        self._isCut = True

    def mend(self) -> None:
        """
        Connect the wire again after L{cut}.
        """
        self._isCut = False

    def reset(self) -> None:
        """
        Reset every connection of this host, so that both ends learn of it.
        """
        for tcb in self.stack.connections():
            tcb.reset()
            tcb.fail(ECONNRESET)

    # What the network does.

    def receive(self, segment: Segment) -> Step | None:
        """
        Take a segment that has come over the wire.
        """
        if self._isCut:
            self.network.drop(segment)
            return None
        self.network.record("received", segment)
        if self._isDuplicated(segment):
            self.network.timeline.after(
                _DUPLICATE_DELAY, self.stack.receive, segment.duplicate()
            )
        self.stack.receive(segment)
        return None

    def _emit(self, segment: Segment) -> None:
        """
        Send a segment.

        On loopback it arrives within the call, as in a kernel.  So two connects in
        opposite directions never cross there.
        """
        self.network.record("sent", segment)
        destination = segment.destination[0]
        if self.stack.isLocal(destination):
            self.stack.receive(segment)
            return
        if self._isCut:
            self.network.drop(segment)
            return
        step = self.overWire(segment, self._realm(destination))
        if step is None:
            return
        delay, realm = step
        if self._isDuplicated(segment):
            self.network.carry(segment.duplicate(), delay + _DUPLICATE_DELAY, realm)
        self.network.carry(segment, delay, realm)

    def _isDuplicated(self, segment: Segment) -> bool:
        if not self.duplicates or not segment.isHandshake:
            return False
        return self.network.random.random() < self.duplicates

    def _realm(self, host: str) -> Realm:
        return self._realms[":" in host]
