"""
A host of a network in memory: a node of the network, and the reactor of the programs
that run on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import ECONNRESET
from ipaddress import ip_address

from punch.testing.interfaces import Network, Step
from punch.testing.ports import WILDCARDS
from punch.testing.reactor import MemoryReactor
from punch.testing.realm import Realm
from punch.testing.segment import Segment
from punch.testing.stack import TCPStack
from punch.testing.wire import WiredNode

_DUPLICATE_DELAY = 0.001
"""
Seconds after the first copy of a segment until the second arrives.
"""


def canonicalIP(host: str) -> str:
    """
    The canonical text form of an IP address, without a zone.

    @raise ValueError: C{host} is not an IP address.
    """
    return str(ip_address(host.partition("%")[0]))


class MemoryHost(MemoryReactor, WiredNode):
    """
    A host with one or more addresses on one wire, and the reactor of its programs.
    L{MemoryNetwork.host<punch.testing.MemoryNetwork.host>} makes it.

    It also has the address C{127.0.0.1} and, with any IPv6 address, C{::1}.

    @ivar addresses: its addresses, in their canonical form.
    @ivar duplicates: the probability that its wire delivers a SYN or SYN-ACK twice.
    @ivar stack: its TCP.
    """

    isHost = True

    def __init__(
        self,
        network: Network,
        addresses: Sequence[str],
        realms: tuple[Realm, Realm],
    ) -> None:
        """
        @param realms: the realms of its IPv4 and of its IPv6 addresses.
        """
        MemoryReactor.__init__(self, network)
        WiredNode.__init__(self, network.random)
        self.addresses = [canonicalIP(each) for each in addresses]
        self.duplicates = 0.0
        self.stack = TCPStack(network, self._emit)
        self._realms = realms
        self._isCut = False
        self._local = {"127.0.0.1", *self.addresses}
        if any(":" in each for each in self.addresses):
            self._local.add("::1")
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

    # What its sockets ask.

    def isLocal(self, host: str) -> bool:
        """
        Whether C{host} is an address of this host.
        """
        return host in self._local or host.startswith("127.")

    def mayBind(self, host: str) -> bool:
        """
        Whether a socket can listen on, or connect from, this address.
        """
        if host in WILDCARDS:
            return ":" not in host or "::1" in self._local
        return self.isLocal(host)

    def destination(self, host: str) -> str:
        """
        The address to which a connection to C{host} goes: the unspecified address
        means loopback.
        """
        host = canonicalIP(host)
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)

    def sourceFor(self, destination: str) -> str | None:
        """
        The address from which this host reaches another; L{None} if it has none of
        that family.
        """
        if self.isLocal(destination):
            return destination
        for each in self.addresses:
            if (":" in each) == (":" in destination):
                return each
        return None

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
        if self.isLocal(destination):
            self.stack.receive(segment)
            return
        delay = None if self._isCut else self.wireDelay()
        if delay is None:
            self.network.drop(segment)
            return
        realm = self._realm(destination)
        if self._isDuplicated(segment):
            self.network.carry(segment.duplicate(), delay + _DUPLICATE_DELAY, realm)
        self.network.carry(segment, delay, realm)

    def _isDuplicated(self, segment: Segment) -> bool:
        if not self.duplicates or not segment.isHandshake:
            return False
        return self._random.random() < self.duplicates

    def _realm(self, host: str) -> Realm:
        return self._realms[":" in host]
