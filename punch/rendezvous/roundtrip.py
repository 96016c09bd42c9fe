"""
The round trip to a client: from the kernel where it tells, else from what the
client reports and our own pings.
"""

from __future__ import annotations

import socket
import sys
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
