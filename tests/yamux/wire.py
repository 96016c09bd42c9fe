"""
A session whose peer is played by hand: frames made and read.
"""

from __future__ import annotations

from punch.role import Role
from punch.yamux.events import Event
from punch.yamux.frames import (
    ACK,
    DATA,
    PING,
    SYN,
    WINDOW_UPDATE,
    FrameDecoder,
    Header,
    encode,
)
from punch.yamux.limits import SessionLimits
from punch.yamux.session import Session


def data(stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """
    A whole DATA frame.
    """
    return encode(DATA, flags, stream, len(payload)) + payload


def update(stream: int, length: int = 0, flags: int = 0) -> bytes:
    """
    A window update.
    """
    return encode(WINDOW_UPDATE, flags, stream, length)


def ping(flags: int, value: int) -> bytes:
    """
    A ping.
    """
    return encode(PING, flags, 0, value)


def sent(session: Session, now: float = 0.0) -> list[Header | bytes]:
    """
    All that a session has to send: headers, and payloads whole.
    """
    found: list[Header | bytes] = []
    while (piece := session.nextFrames(now)) is not None:
        assert piece
        found += FrameDecoder().feed(b"".join(piece))
    return found


def flush(session: Session) -> None:
    """
    Send all, whatever it is.
    """
    assert sent(session)


def heard(session: Session, *frames: bytes, now: float = 0.0) -> list[Event]:
    """
    What happens when these arrive.
    """
    return session.receive(b"".join(frames), now)


def dialer(**limits: int) -> Session:
    """
    A session of our side, which opens odd ids.
    """
    return Session(Role.DIALER, SessionLimits(**limits))


def withTheirs(id: int = 2) -> Session:
    """
    A session with a stream of the peer's.
    """
    session = dialer()
    heard(session, update(id, flags=SYN))
    flush(session)
    return session


def withOurs() -> Session:
    """
    A session with stream 1 of ours, which the peer acknowledged.
    """
    session = dialer()
    assert session.open() == 1
    flush(session)
    heard(session, update(1, flags=ACK))
    return session
