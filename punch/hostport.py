"""
C{HOST:PORT}: where a server is, as its user writes it.
"""

from __future__ import annotations

from dataclasses import dataclass


def splitHostPort(text: str) -> tuple[str, int]:
    """
    C{HOST:PORT}, with an IPv6 address in brackets.

    @raise ValueError: it is something else.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("write an IPv6 address in brackets")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise ValueError("not HOST:PORT")
    if not 0 < int(port) < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    return host, int(port)


@dataclass(frozen=True)
class HostPort:
    """
    A host's name or IP address, and a TCP port.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HostPort:
        """
        Read C{HOST:PORT}.

        @raise ValueError: it is something else.
        """
        return cls(*splitHostPort(text))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
