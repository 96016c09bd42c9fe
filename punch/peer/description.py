"""
Descriptions: the texts that say where the rendezvous, or the peer, is.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import Binding, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS

from punch.errors import BadEndpoint, BadOption
from punch.net.address import HostPort, splitHostPort
from punch.net.hostaddresses import HostAddresses, hostAddresses
from punch.net.resolver import IPv4FirstReactor
from punch.peer.peer import Rendezvous

CONNECT_TIMEOUT = 15.0
"""
Seconds to wait for the rendezvous to accept a connection.
"""


def rendezvousEndpoint(
    reactor: Any, description: str, hostAddresses: HostAddresses = hostAddresses
) -> Rendezvous:
    """
    Read where the rendezvous is: C{tcp:HOST:PORT} or C{tls:HOST:PORT}.

    With TLS its certificate must be valid for HOST.  Of several addresses those of IPv4
    are tried first, if this host has IPv4 (L{punch.net.resolver}).

    @param hostAddresses: answers with this host's addresses.
    @return: makes endpoints that connect to it, from any local port.
    @raise BadEndpoint: C{description} is neither.
    """
    kind, _, rest = description.partition(":")
    try:
        host, port = splitHostPort(rest.replace("\\:", ":"))
        security = optionsForClientTLS(host) if kind == "tls" else None
    except ValueError as bad:
        raise BadEndpoint(f"{description!r}: {bad}") from bad
    if kind not in ("tcp", "tls"):
        raise BadEndpoint(f"{description!r}: it begins with neither tcp: nor tls:")

    def fromPort(binding: Binding | None) -> IStreamClientEndpoint:
        preferred = IPv4FirstReactor(reactor, hostAddresses)
        endpoint = HostnameEndpoint(preferred, host, port, CONNECT_TIMEOUT, binding)
        return endpoint if security is None else wrapClientTLS(security, endpoint)

    return fromPort


def peerEndpoint(text: str) -> HostPort:
    """
    Read where the peer is: C{HOST:PORT}.

    @raise BadOption: C{text} is something else.
    """
    try:
        return HostPort.parse(text)
    except ValueError as bad:
        raise BadOption(f"--peer {text}: {bad}") from bad
