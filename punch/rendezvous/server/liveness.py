"""
Liveness: whether a client lives and is of use, and how far away it is.

The round trip to a client: from the kernel where it tells, else from what the
client reports and our own pings.
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
    The TCP socket that carries C{transport}, through TLS if need be; L{None} if
    there is none, or if it leads to a proxy instead of the client.
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
    it does not tell.
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
    A new estimate of a round trip after one more sample (RFC 6298 section 2).
    """
    if estimate is None:
        return sample
    return estimate + (sample - estimate) / 8


PING_INTERVAL = 45.0
"""
Seconds from one ping to the next, less up to a quarter: short enough to keep most
NATs' mappings, long enough to cost little.
"""


class Act(Enum):
    """
    What is to be done about a client now.
    """

    WAIT = "nothing"
    PING = "ask whether it lives"
    CLOSE = "it has been idle for too long"
    ABORT = "it does not answer"


class Liveness:
    """
    The times of one client that has said hello.  All are seconds of one clock.

    @ivar estimate: the round trip to the client, L{None} if not known.
    """

    __slots__ = ("_idleSince", "_measured", "_nextPing", "_pinged", "estimate")

    def __init__(self, now: float, reported: float | None, measured: bool) -> None:
        """
        @param reported: the round trip that the client measured.
        @param measured: whether the kernel knows the round trip.
        """
        self.estimate = reported
        self._idleSince = now
        self._pinged: float | None = None
        self._nextPing = _afterPing(now)
        self._measured = measured or reported is not None

    def waits(self, now: float) -> None:
        """
        The client waits for dialers, who will want to know how far away it is: if
        nobody does, a ping is due at once.
        """
        if not self._measured:
            self._nextPing = now

    def rested(self, now: float) -> None:
        """
        The client gave up a name or an introduction, perhaps its last.
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

    def due(self, idle: bool, idleSeconds: float, silentSeconds: float) -> float:
        """
        When something is to be done next.

        @param idle: whether the client neither waits nor is introduced.
        """
        due = self._nextPing
        if self._pinged is not None:
            due = self._pinged + silentSeconds
        return min(due, self._idleSince + idleSeconds) if idle else due

    def act(
        self, now: float, idle: bool, idleSeconds: float, silentSeconds: float
    ) -> Act:
        """
        What is to be done.
        """
        if self._pinged is not None and now >= self._pinged + silentSeconds:
            return Act.ABORT
        if idle and now >= self._idleSince + idleSeconds:
            return Act.CLOSE
        if self._pinged is None and now >= self._nextPing:
            return Act.PING
        return Act.WAIT


def _afterPing(now: float) -> float:
    """
    When to ping next, at random, since clients that came at once would else be
    pinged at once.
    """
    return now + PING_INTERVAL * uniform(0.75, 1.0)
