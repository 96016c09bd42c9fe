"""
C{twist punch} between homes: behind one carrier, on one network, and next to strangers.
"""

from __future__ import annotations

import ssl
from contextlib import closing, suppress
from pathlib import Path
from socket import SHUT_RDWR, socket
from threading import Thread

import pytest

from punch.net.identity import Identity

from .eventfile import EventFile
from .homes import Homes
from .run import Meeting, Outcome
from .sockets import connectError, observed
from .topology import PUBLIC

pytestmark = [pytest.mark.lab, pytest.mark.timeout(60)]

NEVER = ("--relay", "never")

_PORT = 5000


def dial(
    homes: Homes,
    directory: Path,
    timeout: float = 15.0,
    more: tuple[str, ...] = NEVER,
) -> Outcome:
    """
    One dial from home to home.
    """
    with homes, Meeting(homes, directory, timeout, options=more) as meeting:
        return meeting.dial(more=more)


@pytest.mark.parametrize(
    ("carrier", "outcome"),
    [("carrier-hairpin", "connected"), ("carrier-rst", "refused")],
)
def test_carrier(carrier: str, outcome: str) -> None:
    """
    Two on one network reach each other by the outside address, as seen from outside
    (RFC 5382 section 7.1), or do not, as the kind says.
    """
    with Homes(carrier, isOneLAN=True) as homes:
        ours = observed(homes.a, homes.rendezvous, _PORT)
        theirs = observed(homes.b, homes.rendezvous, _PORT + 1)
        assert ours[0] == theirs[0] == PUBLIC["a"]
        with closing(homes.b.socket(_PORT + 1)) as listening:
            listening.listen()
            # That does not come in, but lets the other in, if anything does.
            assert connectError(homes.b, ours, _PORT + 1, True) != "connected"
            assert connectError(homes.a, theirs, _PORT) == outcome
            if outcome == "connected":
                inbound, address = listening.accept()
                inbound.close()
                assert address == ours


def test_ledBack(tmp_path: Path) -> None:
    """
    Behind a carrier's NAT that leads back what is sent to its outside they are direct.
    """
    outcome = dial(Homes("carrier-hairpin"), tmp_path)
    assert outcome.connected, outcome.explanation
    assert (outcome.path, outcome.kind) == ("direct", "server-reflexive")


def test_notLedBack(tmp_path: Path) -> None:
    """
    If it does not, both say so.
    """
    outcome = dial(Homes("carrier"), tmp_path, timeout=3.0)
    assert outcome.reason == "no-hairpin", outcome.explanation
    for name in ("listener.events", "dialer-1.events"):
        events = EventFile(tmp_path / name).read()
        [verdict] = [each for each in events if each["event"] == "verdict"]
        assert verdict["reason"] == "no-hairpin"


def test_oneLAN(tmp_path: Path) -> None:
    """
    On one network the link stays on it, although the NAT before it would lead back.
    """
    outcome = dial(Homes("carrier-hairpin", isOneLAN=True), tmp_path)
    assert outcome.connected, outcome.explanation
    assert (outcome.path, outcome.kind) == ("direct", "host")


class Stranger:
    """
    Accepts each connection; over TLS, or else it stays silent.

    C{connections}: how many came about.  C{received}: what it heard, inside TLS if
    there is any.
    """

    def __init__(self, listening: socket, identity: Path | None = None) -> None:
        """
        @param identity: a file with the key and the certificate of its TLS.
        """
        self.connections = 0
        self.received = b""
        self._listening = listening
        self._context: ssl.SSLContext | None = None
        if identity is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(identity)
            self._context.set_alpn_protocols(["punch/1"])
        listening.listen()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """
        Accept no more.
        """
        self._listening.shutdown(SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                inbound = self._listening.accept()[0]
                self.connections += 1
                inbound.settimeout(15.0)
                with suppress(OSError):
                    self._hear(inbound)

    def _hear(self, inbound: socket) -> None:
        if self._context is not None:
            inbound = self._context.wrap_socket(inbound, server_side=True)
        with closing(inbound):
            while heard := inbound.recv(4096):
                self.received += heard


def test_impersonated(tmp_path: Path) -> None:
    """
    In each home somebody has the private address of the other home's peer, and its
    port: the link is there as soon as without them, and they hear nothing.
    """
    identity = tmp_path / "identity.pem"
    identity.write_bytes(Identity.make().toPEM())
    options = (*NEVER, "--port", str(_PORT))
    # Each dial from another port: the last two are not free again for a minute.
    ports = [_PORT + number for number in range(1, 7)]
    with Homes() as homes, Meeting(homes, tmp_path, options=options) as meeting:
        neighbors = homes.neighbors

        def dials(ports: list[int]) -> float:
            times = []
            for port in ports:
                outcome = meeting.dial(more=(*NEVER, "--port", str(port)))
                assert outcome.connected, outcome.explanation
                assert (outcome.path, outcome.kind) == ("direct", "server-reflexive")
                assert outcome.elapsed is not None
                times.append(outcome.elapsed)
            # The least: what the machine does besides only makes it longer.
            return min(times)

        alone = dials(ports[:3])
        silent = [Stranger(neighbors["a"].socket(port, 60.0)) for port in ports[3:]]
        server = Stranger(neighbors["b"].socket(_PORT, 60.0), identity)
        beside = dials(ports[3:])
        for stranger in (*silent, server):
            stranger.end()
    # A link may be there before a stranger was tried.
    assert sum(stranger.connections for stranger in silent) >= 1
    assert server.connections >= 1
    for stranger in (*silent, server):
        assert stranger.received == b""
    assert beside < alone + 0.1
