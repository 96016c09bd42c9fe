"""
The limits of a rendezvous server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from punch.rendezvous.commands import MAXIMUM_MESSAGE, MAXIMUM_NAME


def _limit(default: int, meaning: str) -> int:
    """
    A field of L{Limits} with the sentence that explains it to a person.
    """
    value: int = field(default=default, metadata={"meaning": meaning})
    return value


@dataclass(frozen=True)
class Limits:
    """
    The most that clients may ask of a rendezvous server.

    A request that exceeds a limit is refused, or ends its connection; other clients are
    not affected.  An address here is an IPv4 address, or the first 64 bits of an IPv6
    one.
    """

    connections: int = _limit(15_000, "connections at a time")
    connectionsPerAddress: int = _limit(256, "connections at a time from one address")
    connectionsPerMinute: int = _limit(600, "connections a minute from one address")
    helloSeconds: int = _limit(10, "seconds a connection may take to say hello")
    idleSeconds: int = _limit(
        60, "seconds a connection may stay without a name or an introduction"
    )
    silenceSeconds: int = _limit(
        7500, "seconds a STUN client may be silent that has said so (for punch-check)"
    )
    silencesPerAddress: int = _limit(
        32, "such clients at a time from one address, beyond --max-idle-seconds"
    )
    silentSeconds: int = _limit(20, "seconds a ping may stay unanswered")
    commandsPerMinute: int = _limit(6000, "commands a minute on one connection")
    refusals: int = _limit(10, "refused requests on one connection before it is closed")
    unsentBytes: int = _limit(
        131_072, "bytes held for a client that does not read, beyond 64 KiB"
    )
    nameBytes: int = _limit(MAXIMUM_NAME, "bytes in a name")
    messageBytes: int = _limit(MAXIMUM_MESSAGE, "bytes in a relayed message")
    publicationsPerConnection: int = _limit(16, "names held by one connection")
    publicationsPerMinute: int = _limit(
        240, "names a minute published from one address"
    )
    dialsPerMinutePerAddress: int = _limit(240, "dials a minute from one address")
    dialsPerMinutePerName: int = _limit(60, "dials a minute of one name")
    knocksPerMinute: int = _limit(20, "knocks a minute asked for from one address")
    introductionsPerName: int = _limit(64, "introductions alive of one name")
    introductionsPerAddress: int = _limit(
        256, "introductions alive dialed from one address"
    )
    introductionSeconds: int = _limit(300, "seconds an introduction may live")
    messagesPerIntroduction: int = _limit(64, "messages relayed in one introduction")
    ticketSeconds: int = _limit(
        30, "seconds a ticket for the relay is good, and its first side waits"
    )
    splices: int = _limit(4000, "relayed links at a time")
    splicesPerAddress: int = _limit(64, "relayed links at a time of one address")
    spliceBytes: int = _limit(1 << 40, "bytes relayed for one link, both ways")
    spliceBytesPerSecond: int = _limit(
        125_000_000, "bytes a second relayed for one link, both ways"
    )
    spliceSeconds: int = _limit(86_400, "seconds a link may be relayed")

    def __post_init__(self) -> None:
        """
        @raise ValueError: a limit is not positive, or a message could not be
            carried in one value of AMP.
        """
        for each in fields(self):
            if getattr(self, each.name) < 1:
                raise ValueError(f"{each.name} must be at least 1")
        if self.messageBytes > 60_000:
            raise ValueError("messageBytes must be at most 60000")
        if self.nameBytes > 255:
            raise ValueError("nameBytes must be at most 255")
