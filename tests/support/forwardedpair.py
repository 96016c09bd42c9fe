"""
A pair of peers in memory, of which one forwards and the other exposes, with a client
and a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from punch.forwarding.service import LocalSide
from punch.link.transport import Link
from tests.support.doubles import Pair
from tests.support.programs import HalfCloser, Recorder, Service, connect

FORWARD = "tcp:2222"
EXPOSE = "tcp:192.0.2.4:22:timeout=10"


class ForwardedPair:
    """
    Two peers: the dialer forwards to a service that the listener exposes.

    C{client}, C{target}: hosts.  C{service}: what runs on the target.
    C{near}, C{far}: the forward's local ends, the exposed ones.
    """

    def __init__(
        self,
        expose: Sequence[str] = (EXPOSE,),
        forward: Sequence[str] = (FORWARD,),
        kind: type[Recorder] = HalfCloser,
    ) -> None:
        self.pair = Pair()
        self.network = self.pair.network
        self.run, self.spin = self.pair.run, self.pair.spin
        self.client = self.pair.host("192.0.2.3")
        self.target = self.pair.host("192.0.2.4")
        self.service = Service(self.target, 22, kind=kind)
        dialer, listener = self.pair.hosts
        self.near = LocalSide(dialer, (), forward)
        self.far = LocalSide(listener, expose, ())
        self.ports = [
            self.spin(each.endpoint.listen(each)) for each in self.near.forwards
        ]
        self.links: tuple[Link, Link]

    def link(self) -> ForwardedPair:
        """
        Join the two sides.
        """
        self.links = self.pair.links()
        for link, ends in zip(self.links, (self.near, self.far), strict=True):
            link.start(ends.pool.buildProtocol(None))
        self.run()
        return self

    def connect(self, kind: type[Recorder] = HalfCloser, port: int = 2222) -> Any:
        """
        Have the client connect to a forward.
        """
        return self.spin(connect(self.client, "192.0.2.1", port, kind=kind))

    def joined(self, kind: type[Recorder] = HalfCloser) -> list[Any]:
        """
        A connection from end to end: the client's protocol, the target's.
        """
        client = self.connect(kind)
        self.run()
        return [client, self.service.accepted[-1]]

    @property
    def isQuiet(self) -> bool:
        """
        Whether nothing is left of any connection, at either end.
        """
        streams = [each.pool.newest() for each in (self.near, self.far)]
        return not (
            len(self.near.connections)
            or len(self.far.connections)
            or any(each is not None and each.streamCount for each in streams)
        )
