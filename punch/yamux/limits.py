"""
The limits of a session: how much of our memory its peer can make it take.
"""

from __future__ import annotations

from dataclasses import dataclass

from punch.yamux.window import INITIAL_WINDOW


@dataclass(frozen=True)
class SessionLimits:
    """
    The limits of one session, chosen where the session is made.

    @ivar remoteStreams: streams that the peer may have open at once; more are reset.
    @ivar localStreams: streams that we may have open at once.
    @ivar unacknowledged: streams that we may have opened and that wait for the peer's
        ACK (libp2p's yamux specification, "ACK backlog").
    @ivar window: bytes to which one stream's receive window may grow.
    @ivar windowGrowth: bytes by which all windows together may exceed their initial
        sizes.
    @ivar controlFrames: control frames that the peer may make us queue.
    """

    remoteStreams: int = 2048
    localStreams: int = 2048
    unacknowledged: int = 256
    window: int = 16 << 20
    windowGrowth: int = 64 << 20
    controlFrames: int = 16384

    def __post_init__(self) -> None:
        """
        @raise ValueError: the window is smaller than the one with which the
            specification has every stream start.
        """
        if self.window < INITIAL_WINDOW:
            raise ValueError(f"a window of {self.window} bytes")


DEFAULT_LIMITS = SessionLimits()
