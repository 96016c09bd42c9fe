"""
Statistics of a rendezvous server, for its log.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.logger import Logger

from punch.errors import PunchError

_log = Logger()

INTERVAL = 60.0
"""
Seconds from one summary to the next, at least.
"""

LINES = 10
"""
Refusals that get a line of their own between two summaries.
"""


class Statistics:
    """
    Counts what happens, and logs a summary once a minute if anything did.

    The server's state makes it, and shares it with the STUN server.  Only a few
    refusals between two summaries get a line of their own, so that a flood does not
    fill a disk.
    """

    def __init__(self, now: float) -> None:
        self._since = now
        self._refused: Counter[str] = Counter()
        self._names = 0
        self._clear()

    def _clear(self) -> None:
        self._named = 0
        self._introductions = 0
        self._splices = 0
        self._lines = 0
        self._refused.clear()

    def named(self) -> None:
        """
        A name was published.
        """
        self._named += 1
        self._names += 1

    def unnamed(self) -> None:
        """
        A name was given up.
        """
        self._names -= 1

    def introduced(self, name: str, dialer: str, listener: str) -> None:
        """
        A dialer met a listener.
        """
        self._introductions += 1
        _log.debug(
            "Introduced {dialer} to {listener}, who waits as {name}.",
            dialer=dialer,
            listener=listener,
            name=name,
        )

    def spliced(self) -> None:
        """
        The relay joined two connections.
        """
        self._splices += 1

    def refused(self, peer: Any, error: PunchError, isFirst: bool) -> None:
        """
        Something was refused.

        @param peer: the address of the client that was refused.
        @param isFirst: whether it is the first time on this connection; only then it
            may get a line of its own.
        """
        reason = error.reason.value
        self._refused[reason] += 1
        if isFirst and self._lines < LINES:
            self._lines += 1
            _log.info(
                "Refused {who}: {reason} ({detail}).",
                who=f"{peer.host}:{peer.port}" if hasattr(peer, "port") else peer,
                reason=reason,
                detail=error.detail,
            )

    def isDue(self, now: float) -> bool:
        """
        Whether it is time for a summary.
        """
        return now - self._since >= INTERVAL

    def summarize(
        self, now: float, connections: int, splices: int, carried: int
    ) -> None:
        """
        Log what happened since the last summary, if anything did.

        @param connections: how many there are now.
        @param splices: how many there are now.
        @param carried: bytes that the relay carried since the last summary.
        """
        happened = self._named or self._introductions or self._splices
        if happened or self._refused or carried:
            _log.info(
                "{introductions} introduced, {published} names published, "
                "{relayed} links relayed, {carried} bytes carried, "
                "{refused} requests refused{reasons}; "
                "{connections} connections now hold {names} names and "
                "{splices} relayed links.",
                introductions=self._introductions,
                published=self._named,
                relayed=self._splices,
                carried=carried,
                refused=self._refused.total(),
                reasons=self._reasons(),
                connections=connections,
                names=self._names,
                splices=splices,
            )
        self._since = now
        self._clear()

    def _reasons(self) -> str:
        """
        The refusals by their reasons, the most frequent first.
        """
        if not self._refused:
            return ""
        parts = (f"{reason} {times}" for reason, times in self._refused.most_common())
        return f" ({', '.join(parts)})"
