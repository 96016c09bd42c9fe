"""
A listening socket as the kernel sees it: what it answers, and who waits to be
accepted.
"""

from __future__ import annotations

from collections import deque

from punch.testing.interfaces import Stack, Waker
from punch.testing.ports import Claim
from punch.testing.segment import Segment
from punch.testing.tcb import TCB


class AcceptQueue:
    """
    The LISTEN state of one socket.
    """

    def __init__(self, stack: Stack, claim: Claim, backlog: int, socket: Waker) -> None:
        self.claim = claim
        self._stack = stack
        self._backlog = backlog
        self._socket = socket
        self._half: set[TCB] = set()
        self.queue: deque[TCB] = deque()

    def receive(self, segment: Segment) -> None:
        """
        A SYN came; with a full queue it is dropped, to be sent again.
        """
        if len(self.queue) + len(self._half) > self._backlog:
            return
        claim = self._stack.ports.share(self.claim, segment.destination[0])
        child = TCB(self._stack, segment.destination, segment.source, claim)
        child.listener = self
        self._half.add(child)
        child.answer(segment)

    def complete(self, child: TCB) -> None:
        """
        A handshake is done; the program may accept the connection.
        """
        self._half.discard(child)
        self.queue.append(child)
        self._socket.wake()

    def forget(self, child: TCB) -> None:
        """
        A connection died.  One that waits to be accepted still is, and is found
        dead then, as in Linux.
        """
        self._half.discard(child)

    def close(self) -> None:
        """
        Stop listening; who waits is reset, who was half way is left.
        """
        for child in list(self._half):
            child.discard()
        for child in self.queue:
            child.reset()
        self._stack.stopListening(self)
