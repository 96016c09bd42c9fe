"""
What one session may take of our memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from punch.yamux.window import INITIAL_WINDOW


@dataclass(frozen=True)
class Limits:
    """
    Bounds of one session.

    @ivar theirs: streams of the peer's that may live at once; more are reset.
    @ivar ours: streams of ours that may live at once.
    @ivar backlog: streams of ours that may wait for the peer's ACK (libp2p's
        yamux specification, "ACK backlog").
    @ivar window: bytes to which one stream's receive window may grow.
    @ivar growth: bytes by which all windows together may exceed the initial ones.
    @ivar waiting: control frames that the peer may make us queue.
    """

    theirs: int = 2048
    ours: int = 2048
    backlog: int = 256
    window: int = 16 << 20
    growth: int = 64 << 20
    waiting: int = 16384

    def __post_init__(self) -> None:
        """
        @raise ValueError: the window is below the one that the specification
            gives to every stream.
        """
        if self.window < INITIAL_WINDOW:
            raise ValueError(f"a window of {self.window} bytes")


DEFAULT_LIMITS = Limits()
