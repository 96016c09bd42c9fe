"""
A verification that is drawn: when TLS was done, and when the pin was known.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from punch.address import formatAddress
from punch.connection import Connection
from punch.path import Path, verify
from punch.relayed import Relayed
from punch.role import Role
from punch.steps import RELAY, Pen, Recognized, Secured
from punch.tls import Pin, Security
from punch.tls import Secured as SecuredConnection


def verifyDrawn(
    security: Security, connection: Connection, role: Role, pin: Pin, pen: Pen
) -> Deferred[Path]:
    """
    L{verify}, for who draws it.
    """
    isRelayed = isinstance(connection, Relayed)
    remote = RELAY if isRelayed else formatAddress(connection.remote)
    local = formatAddress(connection.local)
    # A stranger, until its pin was known.
    earlier = isinstance(connection, SecuredConnection)

    def asked() -> Deferred[bytes]:
        # The pin is asked for when TLS is done.
        pen(Secured(remote, local, earlier))
        return pin().addCallback(recognized)

    def recognized(expected: bytes) -> bytes:
        pen(Recognized(remote, local))
        return expected

    return verify(security, connection, role, asked)
