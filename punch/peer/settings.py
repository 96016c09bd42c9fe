"""
The settings: what a peer may be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random, SystemRandom

from punch.errors import BadOption
from punch.events import Tell, tellNobody
from punch.nat.portsearch import DEFAULT_SOCKETS
from punch.net.address import HostPort
from punch.net.hostaddresses import HostAddresses, hostAddresses
from punch.net.sharedport import Probe, probePort
from punch.peer.instancelock import InstanceLocks, noInstanceLocks
from punch.peer.relaypolicy import RelayPolicy
from punch.traceevents import TracerFactory, noTracing

RESUME_FOR = 600.0
"""
Seconds for which a link that has no path waits for another, if nothing else is said.
"""


@dataclass(frozen=True)
class Settings:
    """
    What a peer may be told.

    C{port}: the shared port's number, 0 for any.  C{interface}: the one local IP
    address to use, all if empty.  C{timeout}: seconds from an introduction to giving
    up.  C{search}: sockets that a search for a NAT's port may have, 0 for no search.
    C{resumeFor}: seconds for which a link may be without a path; with 0 it ends when
    its path does.  C{relay}: what the relay may be used for.  C{seats}: by what a
    listener knows us again if our program is restarted
    (L{punch.peer.instancelock.fileInstanceLocks}).  C{stun}: STUN servers, each
    C{HOST:PORT}, that are asked over TCP where they see us.  C{tell}: hears of events.
    C{trace}: makes a tracer for each meeting.  C{hostAddresses}, C{probe}: what is to
    be known of this host's addresses and ports.
    """

    port: int = 0
    interface: str = ""
    timeout: float = 30.0
    search: int = DEFAULT_SOCKETS
    resumeFor: float = RESUME_FOR
    relay: RelayPolicy = RelayPolicy.FALLBACK
    seats: InstanceLocks = noInstanceLocks
    stun: tuple[str, ...] = ()
    tell: Tell = tellNobody
    trace: TracerFactory = noTracing
    hostAddresses: HostAddresses = hostAddresses
    probe: Probe = probePort
    random: Random = field(default_factory=SystemRandom)

    @property
    def stunServers(self) -> list[HostPort]:
        """
        C{stun}, read.

        @raise BadOption: one of them is not C{HOST:PORT}.
        """
        return [_stunServer(each) for each in self.stun]


def _stunServer(text: str) -> HostPort:
    try:
        return HostPort.parse(text)
    except ValueError as bad:
        raise BadOption(f"--stun {text}: {bad}") from bad
