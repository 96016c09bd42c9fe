"""
The settings of a peer: what its program or its user may choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random, SystemRandom

from punch.errors import BadOption
from punch.events import Tell, tellNobody
from punch.nat.portsearch import DEFAULT_SOCKETS, MOST_SOCKETS
from punch.net.address import HostPort
from punch.net.hostaddresses import HostAddresses, hostAddresses
from punch.net.sharedport import PortProbe, probePort
from punch.peer.instancelock import InstanceLocks, noInstanceLocks
from punch.peer.relaypolicy import RelayPolicy
from punch.traceevents import TracerFactory, noTracing

RESUME_FOR = 600.0
"""
The default of L{Settings.resumeFor}, in seconds.
"""


class BadSetting(BadOption):
    """
    A setting of the peer has a value that it cannot have.
    """

    def __init__(self, name: str, problem: str, value: object = None) -> None:
        """
        @param name: the field of L{Settings}.
        @param problem: what it takes, or what is wrong with C{value}.
        @param value: the value, where the problem is about it alone.
        """
        self.name = name
        self._problem = problem
        self._value = value
        BadOption.__init__(self, self.spelled(name, "="))

    def spelled(self, name: str, equals: str = "") -> str:
        """
        The mistake, for somebody who has written the setting in another way.

        @param name: the option, or the key, as it was written.
        @param equals: what stands between that and a value.
        """
        if self._value is None:
            return f"{name} {self._problem}"
        return f"{name}{equals}{self._value}: {self._problem}"


@dataclass(frozen=True)
class Settings:
    """
    What a peer's program or user may choose.  The default of each setting suits most.

    Making one checks it.  L{punch.errors.BadOption} says which setting cannot have its
    value.

    @ivar port: the number of the shared port; 0 for any.
    @ivar interface: the one local IP address to use; empty for all of them.
    @ivar timeout: seconds from an introduction until the attempt is given up.
    @ivar search: how many sockets the search for a NAT's port may use; 0 for no search.
    @ivar resumeFor: seconds that a link may be without a path before it ends; with 0 it
        ends with its path.
    @ivar relay: what the relay of the rendezvous may be used for.
    @ivar instanceLocks: gives the lock by which a listener recognizes this program when
        it has been restarted.  L{punch.peer.instancelock.fileInstanceLocks} keeps it in
        a file; by default there is none.
    @ivar stun: STUN servers, each C{HOST:PORT}, to ask over TCP for our address, too.
    @ivar stunServers: the same, parsed.
    @ivar tell: is called with each event.
    @ivar trace: makes the tracer that records a meeting; see
        L{punch.trace.file.TraceFile}.
    @ivar hostAddresses: finds the IP addresses of this host.
    @ivar probe: finds out whether another program has the shared port.
    @ivar random: where chance comes from.
    """

    port: int = 0
    interface: str = ""
    timeout: float = 30.0
    search: int = DEFAULT_SOCKETS
    resumeFor: float = RESUME_FOR
    relay: RelayPolicy = RelayPolicy.FALLBACK
    instanceLocks: InstanceLocks = noInstanceLocks
    stun: tuple[str, ...] = ()
    stunServers: tuple[HostPort, ...] = field(init=False, repr=False)
    tell: Tell = tellNobody
    trace: TracerFactory = noTracing
    hostAddresses: HostAddresses = hostAddresses
    probe: PortProbe = probePort
    random: Random = field(default_factory=SystemRandom)

    def __post_init__(self) -> None:
        """
        @raise BadSetting: a value is out of range, or of C{stun} one is not
            C{HOST:PORT}.
        """
        if self.port not in range(65536):
            raise BadSetting("port", "a port is below 65536", self.port)
        if not (_isNumber(self.timeout) and 0 < self.timeout < 1e6):
            raise BadSetting("timeout", "takes seconds, more than 0")
        if self.search not in range(MOST_SOCKETS + 1):
            raise BadSetting("search", f"takes sockets, 0 to {MOST_SOCKETS}")
        if not (_isNumber(self.resumeFor) and 0 <= self.resumeFor < 1e9):
            raise BadSetting("resumeFor", "takes seconds, 0 or more")
        object.__setattr__(self, "stunServers", tuple(map(_stunServer, self.stun)))


def _isNumber(value: object) -> bool:
    return isinstance(value, (int, float))


def _stunServer(text: str) -> HostPort:
    try:
        return HostPort.parse(text)
    except ValueError as bad:
        raise BadSetting("stun", str(bad), text) from bad
