"""
Liveness of a client: pings, idle time and round trip.
"""

from __future__ import annotations

import socket
import sys
from enum import Enum
from random import uniform
from struct import Struct
from typing import Any

_RTT = Struct("=68xI")
"""
C{struct tcp_info} of linux/tcp.h up to C{tcpi_rtt}: the kernel's smoothed round
trip (RFC 6298), in microseconds.
"""


def socketUnder(transport: Any) -> socket.socket | None:
    """
    The TCP socket under C{transport}, through TLS if need be; L{None} if there is none,
    or if it leads to a proxy instead of the client.
    """
    outer = transport
    while transport is not None:
        getHandle = getattr(transport, "getHandle", None)
        handle = getHandle() if getHandle is not None else None
        if isinstance(handle, socket.socket):
            near = transport is outer or transport.getPeer() == outer.getPeer()
            return handle if near else None
        transport = getattr(transport, "transport", None)
    return None


def kernelRoundTrip(transport: Any) -> float | None:
    """
    The round trip that the kernel measured on C{transport}, in seconds; L{None} if
    the kernel does not say.
    """
    if sys.platform != "linux":
        return None
    sock = socketUnder(transport)
    if sock is None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)
    except OSError:
        return None
    if len(info) < _RTT.size:
        return None
    (microseconds,) = _RTT.unpack(info)
    return microseconds / 1e6 if microseconds else None


def smoothed(estimate: float | None, sample: float) -> float:
    """
    The new estimate of a round trip after one more sample (RFC 6298 section 2).
    """
    if estimate is None:
        return sample
    return estimate + (sample - estimate) / 8


PING_INTERVAL = 45.0
"""
Seconds from one ping to the next, less up to a quarter.  This is short enough to keep
most NATs' mappings, and long enough to cost little.
"""


class Action(Enum):
    """
    What is to be done about a client now.
    """

    WAIT = "nothing"
    PING = "ask whether it is alive"
    CLOSE = "it has been idle for too long"
    ABORT = "it does not answer"


class Liveness:
    """
    Decides when to ping one client, and when to give it up.

    Its connection makes it at the hello, tells it what happened, and does what
    L{action} says.  Times are in seconds of one clock.

    @ivar estimate: the round trip to the client in seconds, L{None} if not known.
    """

    __slots__ = ("_idleSince", "_isKnown", "_nextPing", "_pinged", "estimate")

    def __init__(self, now: float, reported: float | None, isMeasured: bool) -> None:
        """
        @param reported: the round trip in seconds that the client measured.
        @param isMeasured: whether the kernel knows the round trip.
        """
        self.estimate = reported
        self._idleSince = now
        self._pinged: float | None = None
        self._nextPing = _afterPing(now)
        self._isKnown = isMeasured or reported is not None

    def needRoundTrip(self, now: float) -> None:
        """
        The client waits for dialers, so its round trip is needed: if it is not known, a
        ping is due at once.
        """
        if not self._isKnown:
            self._nextPing = now

    def released(self, now: float) -> None:
        """
        The client has one name or introduction less; if it was the last, the client is
        idle from now on.
        """
        self._idleSince = now

    def pinged(self, now: float) -> None:
        """
        A ping was sent.
        """
        self._pinged = now
        self._nextPing = _afterPing(now)

    def answered(self, now: float) -> None:
        """
        The ping was answered.
        """
        if self._pinged is not None:
            self.estimate = smoothed(self.estimate, now - self._pinged)
            self._pinged = None

    def due(self, isIdle: bool, idleSeconds: float, silentSeconds: float) -> float:
        """
        When something is to be done next.

        @param isIdle: whether the client neither waits nor is introduced.
        @param idleSeconds: how long the client may be idle.
        @param silentSeconds: how long a ping may stay unanswered.
        """
        due = self._nextPing
        if self._pinged is not None:
            due = self._pinged + silentSeconds
        return min(due, self._idleSince + idleSeconds) if isIdle else due

    def action(
        self, now: float, isIdle: bool, idleSeconds: float, silentSeconds: float
    ) -> Action:
        """
        What is to be done now; the parameters are those of L{due}.
        """
        if self._pinged is not None and now >= self._pinged + silentSeconds:
            return Action.ABORT
        if isIdle and now >= self._idleSince + idleSeconds:
            return Action.CLOSE
        if self._pinged is None and now >= self._nextPing:
            return Action.PING
        return Action.WAIT


def _afterPing(now: float) -> float:
    """
    When to ping next.  The time is random: otherwise clients that came together would
    always be pinged together.
    """
    return now + PING_INTERVAL * uniform(0.75, 1.0)
