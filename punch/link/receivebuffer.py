"""
The inbox of a link: what has arrived and waits for the application.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from punch.link.sequencing import Sequencing


class ReceiveBuffer:
    """
    Gives out in order what has arrived, even if its receiver pauses and resumes from
    within, and counts it as taken only after that.

    C{isPaused}: nothing is given out.  C{taken}: bytes that were.
    """

    __slots__ = ("_continuity", "_isDelivering", "_pending", "isPaused", "taken")

    def __init__(self, continuity: Sequencing) -> None:
        self.isPaused = True
        self.taken = 0
        self._continuity = continuity
        self._isDelivering = False
        # The end is an empty one.
        self._pending: deque[bytes] = deque()

    def put(self, data: bytes) -> None:
        """
        Bytes arrived; perhaps none.
        """
        if data:
            self._pending.append(data)

    def putEnd(self) -> None:
        """
        Nothing more will arrive.
        """
        self._pending.append(b"")

    def clear(self) -> None:
        """
        Nobody wants it any more.
        """
        self._pending.clear()

    @property
    def isFilled(self) -> bool:
        """
        Whether something waits.
        """
        return bool(self._pending)

    def deliver(
        self, receive: Callable[[bytes], None], end: Callable[[], None]
    ) -> None:
        """
        Give out what there is.

        @param receive: takes bytes.
        @param end: is told that there are no more.
        """
        if self._isDelivering:
            return
        self._isDelivering = True
        try:
            while self._pending and not self.isPaused:
                data = self._pending.popleft()
                if data:
                    self.taken += len(data)
                    receive(data)
                    self._continuity.taken(len(data))
                else:
                    end()
                    self._continuity.taken(1)
        finally:
            self._isDelivering = False
