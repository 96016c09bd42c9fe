"""
Memory sockets, where they are asked what Twisted does not ask.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import (
    EADDRINUSE,
    EAFNOSUPPORT,
    EALREADY,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENOTCONN,
    EPIPE,
    EWOULDBLOCK,
)

import pytest
from twisted.trial.unittest import SynchronousTestCase

from punch.testing import ports
from punch.testing.bytestream import WINDOW
from punch.testing.sockets import MemorySocket
from tests.support.programs import network


class SocketTests(SynchronousTestCase):
    """
    Sockets of one host.
    """

    def setUp(self) -> None:
        """
        Make the host, and a socket that listens.
        """
        self.network = network()
        self.host = self.network.host("192.0.2.1", "2001:db8::1")
        self.listening = self.socket()
        self.listening.bind(("", 4040))
        self.listening.listen(5)

    def socket(self, family: int = socket.AF_INET) -> MemorySocket:
        """
        One more.
        """
        return self.host.openSocket(family)

    def connected(self) -> tuple[MemorySocket, MemorySocket]:
        """
        Two that are connected.
        """
        connecting = self.socket()
        assert connecting.connect_ex(("127.0.0.1", 4040)) == EINPROGRESS
        accepted, name = self.listening.accept()
        assert name == connecting.getsockname()
        return connecting, accepted

    def assertFails(
        self, number: int, call: Callable[..., object], *args: object
    ) -> None:
        """
        A call raises an error with an C{errno}.
        """
        with pytest.raises(OSError) as caught:  # noqa: PT011
            call(*args)
        assert caught.value.errno == number

    def test_family(self) -> None:
        """
        A socket has one family.
        """
        self.assertFails(EAFNOSUPPORT, self.socket().bind, ("::", 0))
        assert self.socket().connect_ex(("::1", 4040)) == EAFNOSUPPORT

    def test_names(self) -> None:
        """
        A socket's names are those of its family.
        """
        assert self.socket().getsockname() == ("0.0.0.0", 0)
        assert self.socket(socket.AF_INET6).getsockname() == ("::", 0, 0, 0)
        self.assertFails(ENOTCONN, self.socket().getpeername)
        connecting, accepted = self.connected()
        assert connecting.getpeername() == accepted.getsockname()

    def test_listenUnbound(self) -> None:
        """
        Who listens without a port gets one.
        """
        listening = self.socket()
        listening.listen(5)
        assert listening.getsockname()[1] != 0

    def test_listenLate(self) -> None:
        """
        Two that share a port while they do not listen cannot both begin to.
        """
        both = [self.socket(), self.socket()]
        for each in both:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("", 4041))
        both[0].listen(5)
        self.assertFails(EADDRINUSE, both[1].listen, 5)
        both[0].close()
        both[1].listen(5)

    def test_accept(self) -> None:
        """
        There must be somebody to accept, and who listens.
        """
        self.assertFails(EWOULDBLOCK, self.listening.accept)
        self.assertFails(EINVAL, self.socket().accept)

    def test_connectAgain(self) -> None:
        """
        To connect again tells how it went.
        """
        connecting, _ = self.connected()
        assert connecting.connect_ex(("127.0.0.1", 4040)) == EISCONN
        waiting = self.socket()
        assert waiting.connect_ex(("192.0.2.9", 4040)) == EINPROGRESS
        assert waiting.connect_ex(("192.0.2.9", 4040)) == EALREADY

    def test_unconnected(self) -> None:
        """
        Without a connection there are no bytes.
        """
        waiting = self.socket()
        waiting.connect_ex(("192.0.2.9", 4040))
        for each in (self.socket(), waiting):
            self.assertFails(ENOTCONN, each.recv, 10)
            self.assertFails(ENOTCONN, each.send, b"x")
            assert not each.isWritable
            assert not each.isReadable
        self.assertFails(ENOTCONN, self.socket().shutdown, socket.SHUT_WR)

    def test_bytes(self) -> None:
        """
        Bytes are read in what pieces one likes.
        """
        one, other = self.connected()
        self.assertFails(EWOULDBLOCK, other.recv, 10)
        assert one.send(b"hello ") == 6
        assert one.send(memoryview(b"world!")) == 6
        pieces = [other.recv(5), other.recv(5), other.recv(5)]
        assert pieces == [b"hello", b" worl", b"d!"]

    def test_window(self) -> None:
        """
        No more than a window is taken before the other end reads.
        """
        one, other = self.connected()
        assert one.send(bytes(2 * WINDOW)) == WINDOW
        assert not one.isWritable
        self.assertFails(EWOULDBLOCK, one.send, b"x")
        other.recv(WINDOW // 2)
        assert one.isWritable
        assert one.send(bytes(WINDOW)) == WINDOW // 2

    def test_shutdown(self) -> None:
        """
        After C{shutdown} nothing is sent; the other end reads to the end.
        """
        one, other = self.connected()
        one.send(b"last")
        one.shutdown(socket.SHUT_RD)
        one.shutdown(socket.SHUT_WR)
        self.assertFails(EPIPE, one.send, b"more")
        assert [other.recv(9), other.recv(9)] == [b"last", b""]
        assert other.send(b"answer") == 6
        assert one.recv(9) == b"answer"

    def test_closedTwice(self) -> None:
        """
        Closing again does nothing.
        """
        for _ in range(2):
            self.listening.close()
        assert self.network.openSockets() == []

    def test_noPortLeft(self) -> None:
        """
        When there is no port left there is none.
        """
        first, last = ports.EPHEMERAL
        for port in range(first, last + 1):
            self.socket().bind(("", port))
        self.assertFails(EADDRINUSE, self.socket().bind, ("", 0))
        assert self.socket().connect_ex(("127.0.0.1", 4040)) == EADDRINUSE

    def test_closedListener(self) -> None:
        """
        Who waits to be accepted is reset when the listener closes.
        """
        connecting = self.socket()
        connecting.connect_ex(("127.0.0.1", 4040))
        assert connecting.isWritable
        self.listening.close()
        assert connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def test_resetWhileWaiting(self) -> None:
        """
        Who was reset before it was accepted still is accepted, and found dead.
        """
        connecting = self.socket()
        connecting.connect_ex(("127.0.0.1", 4040))
        self.host.reset()
        accepted, _ = self.listening.accept()
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        assert accepted.isReadable
