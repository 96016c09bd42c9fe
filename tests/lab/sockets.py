"""
What plain blocking sockets see through a NAT.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from threading import Thread
from time import monotonic

from .host import Host
from .topology import Laboratory

_PORT = 5000
_SILENCE = 0.4
"""
Seconds in which an answer would have come: five round trips.
"""

_PATIENCE = 5.0
"""
Seconds to wait for an answer that must come, on a machine that is busy.
"""


def observed(host: Host, server: Host, port: int) -> tuple[str, int]:
    """
    How C{server} sees a connection from C{host}'s port; it is closed again.
    """
    with closing(server.socket(4000)) as listening, closing(host.socket(port)) as out:
        listening.listen()
        out.connect((server.publicAddress, 4000))
        inbound, address = listening.accept()
        inbound.close()
        return str(address[0]), int(address[1])


def connectError(
    host: Host, address: tuple[str, int], port: int = 0, silent: bool = False
) -> str:
    """
    How a connect from C{host} ends: C{connected}, C{silence}, C{refused}.

    @param silent: is silence expected, for which nobody waits longer than it takes?
    """
    with closing(host.socket(port, timeout=_SILENCE if silent else _PATIENCE)) as out:
        try:
            out.connect(address)
        except TimeoutError:
            return "silence"
        except ConnectionRefusedError:
            return "refused"
    return "connected"


def quickest(connect: Callable[[], str], outcome: str) -> float:
    """
    How many seconds something takes whose outcome is known: the least of several times,
    as other programs on the machine can only make it longer.
    """
    times = []
    for _ in range(9):
        started = monotonic()
        assert connect() == outcome
        times.append(monotonic() - started)
    return min(times)


def cross(lab: Laboratory, timeout: float = 5.0) -> list[str]:
    """
    Connect both peers to each other from and to one port, at once.
    """
    outcomes = {}

    def dial(name: str, host: Host, other: Host) -> None:
        with closing(host.socket(_PORT, timeout=timeout)) as out:
            try:
                out.connect((other.publicAddress, _PORT))
                out.sendall(name.encode())
                outcomes[name] = out.recv(10).decode()
            except OSError as error:
                outcomes[name] = type(error).__name__

    threads = [
        Thread(target=dial, args=("a", lab.a, lab.b)),
        Thread(target=dial, args=("b", lab.b, lab.a)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes["a"], outcomes["b"]]
