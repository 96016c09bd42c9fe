"""
The accept queue: a listening socket as its host's TCP sees it.
"""

from __future__ import annotations

from collections import deque

from punch.testing.interfaces import Waker
from punch.testing.ports import Claim
from punch.testing.segment import Segment
from punch.testing.stack import TCPStack
from punch.testing.tcb import TCB


class AcceptQueue:
    """
    Answers the SYNs that come to a listening socket, and keeps the connections that
    wait to be accepted.  A socket makes it when it listens and closes it.

    @ivar claim: the socket's hold on its local port.
    @ivar queue: established connections that the program has not accepted yet.
    """

    def __init__(
        self, stack: TCPStack, claim: Claim, backlog: int, socket: Waker
    ) -> None:
        self.claim = claim
        self._stack = stack
        self._backlog = backlog
        self._socket = socket
        self._half: set[TCB] = set()
        self.queue: deque[TCB] = deque()

    def receive(self, segment: Segment) -> None:
        """
        Answer a SYN.  If the queue is full it is dropped, and will be sent again.
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
        Queue a connection whose handshake is done.
        """
        self._half.discard(child)
        self.queue.append(child)
        self._socket.wake()

    def forget(self, child: TCB) -> None:
        """
        Note that a connection is over.  If it waits in the queue it stays there and
        fails when it is accepted, as in Linux.
        """
        self._half.discard(child)

    def close(self) -> None:
        """
        Stop listening.  Connections in the queue are reset; unfinished handshakes are
        dropped silently.
        """
        for child in list(self._half):
            child.discard()
        for child in self.queue:
            child.reset()
        self._stack.stopListening(self)
