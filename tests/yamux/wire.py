"""
A session whose peer is played by hand: frames made and read.
"""

from __future__ import annotations

from punch.role import Role
from punch.yamux import frames
from punch.yamux.events import Event
from punch.yamux.limits import SessionLimits
from punch.yamux.session import Session


def data(stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """
    A whole DATA frame.
    """
    return frames.encode(frames.DATA, flags, stream, len(payload)) + payload


def update(stream: int, length: int = 0, flags: int = 0) -> bytes:
    """
    A window update.
    """
    return frames.encode(frames.WINDOW_UPDATE, flags, stream, length)


def ping(flags: int, value: int) -> bytes:
    """
    A ping.
    """
    return frames.encode(frames.PING, flags, 0, value)


def sent(session: Session, now: float = 0.0) -> list[frames.Header | bytes]:
    """
    All that a session has to send: headers, and payloads whole.
    """
    found: list[frames.Header | bytes] = []
    while (piece := session.nextFrames(now)) is not None:
        assert piece
        found += frames.FrameDecoder().feed(b"".join(piece))
    return found


def flush(session: Session) -> None:
    """
    Send all, whatever it is.
    """
    assert sent(session)


def heard(session: Session, *received: bytes, now: float = 0.0) -> list[Event]:
    """
    What happens when these arrive.
    """
    return session.receive(b"".join(received), now)


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
    heard(session, update(id, flags=frames.SYN))
    flush(session)
    return session


def withOurs() -> Session:
    """
    A session with stream 1 of ours, which the peer acknowledged.
    """
    session = dialer()
    assert session.open() == 1
    flush(session)
    heard(session, update(1, flags=frames.ACK))
    return session
