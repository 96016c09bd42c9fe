"""
The socket of a program: what L{twisted.internet.tcp} uses of C{socket.socket}, over the
TCP of a host in memory instead of a kernel's.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from errno import (
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EALREADY,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    ENOTCONN,
    EPIPE,
    EWOULDBLOCK,
)
from typing import TypeAlias

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IReadDescriptor,
    IWriteDescriptor,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from punch.testing.ports import WILDCARDS, Claim, socketError
from punch.testing.segment import SocketAddress
from punch.testing.tcp import TCB, AcceptQueue, TCPStack, TCPState

_log = Logger()

_Descriptor: TypeAlias = IReadDescriptor | IWriteDescriptor

_LINGER = struct.Struct("ii")


SocketName: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""
An address as Python's sockets write it, which has four parts for IPv6.
"""


class MemorySocket:
    """
    A non-blocking TCP socket of a host.  Twisted's transports on that host make it and
    close it.

    @ivar reader: what waits for it to be readable.
    @ivar writer: what waits for it to be writable.
    """

    reader: IReadDescriptor | None = None
    writer: IWriteDescriptor | None = None

    def __init__(
        self,
        stack: TCPStack,
        family: int,
        opened: dict[int, MemorySocket],
        tcb: TCB | None = None,
    ) -> None:
        """
        @param stack: the TCP of its host.
        @param opened: the host's open sockets by number, which it joins and leaves.
        @param tcb: the connection, if it was accepted.
        """
        self._stack = stack
        self._opened = opened
        self._isIPv6 = family == socket.AF_INET6
        self._options: dict[tuple[int, int], int] = {}
        self._claim: Claim | None = None
        self._listener: AcceptQueue | None = None
        self._tcb = tcb
        self._resetsOnClose = False
        self._isClosed = False
        self._number = stack.network.descriptor()
        opened[self._number] = self

    def fileno(self) -> int:
        """
        The number that the host's reactor gave it; no file descriptor of the process.
        """
        return self._number

    def setblocking(self, blocking: bool) -> None:
        """
        Do nothing: it never blocks.
        """

    # Options.

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """
        Set an option.  Those that change nothing here are only kept.
        """
        if isinstance(value, bytes):
            if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER):
                self._resetsOnClose = _LINGER.unpack(value) == (1, 0)
        else:
            self._options[level, option] = int(value)

    def getsockopt(self, level: int, option: int) -> int:
        """
        Get an option.  C{SO_ERROR} is the C{errno} with which a connection failed.
        """
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            return self._error
        return self._options.get((level, option), 0)

    # Names.

    def bind(self, name: SocketName) -> None:
        """
        Hold a local address and port.

        @raise OSError: C{EADDRNOTAVAIL}, C{EADDRINUSE}, C{EAFNOSUPPORT}.
        """
        host = name[0] or self._wildcard
        if (":" in host) != self._isIPv6:
            raise socketError(EAFNOSUPPORT)
        if not self._stack.mayBind(host):
            # Twisted drops the socket, and the system closes what is not referred to.
            self.close()
            raise socketError(EADDRNOTAVAIL)
        self._claim = self._stack.ports.claim(self._newClaim(host, name[1]))

    def getsockname(self) -> SocketName:
        """
        The local address and port.
        """
        if self._tcb is not None:
            return self._name(self._tcb.addresses[0])
        if self._claim is not None:
            return self._name((self._claim.host, self._claim.port))
        return self._name((self._wildcard, 0))

    def getpeername(self) -> SocketName:
        """
        The remote address and port.

        @raise OSError: C{ENOTCONN}.
        """
        if self._tcb is None:
            raise socketError(ENOTCONN)
        return self._name(self._tcb.addresses[1])

    # Connections.

    def listen(self, backlog: int) -> None:
        """
        Start to listen.

        @raise OSError: C{EADDRINUSE}.
        """
        if self._claim is None:
            self.bind((self._wildcard, 0))
        assert self._claim is not None
        self._stack.ports.listen(self._claim)
        self._listener = AcceptQueue(self._stack, self._claim, backlog, self)
        self._stack.listen(self._listener)

    def accept(self) -> tuple[MemorySocket, SocketName]:
        """
        Accept a connection.

        @raise OSError: C{EWOULDBLOCK}, C{EINVAL}.
        """
        if self._listener is None:
            raise socketError(EINVAL)
        if not self._listener.queue:
            raise socketError(EWOULDBLOCK)
        tcb = self._listener.queue.popleft()
        family = socket.AF_INET6 if self._isIPv6 else socket.AF_INET
        accepted = MemorySocket(self._stack, family, self._opened, tcb)
        tcb.listener = None
        tcb.socket = accepted
        return accepted, self._name(tcb.addresses[1])

    def connect_ex(self, name: SocketName) -> int:
        """
        Start to connect, or tell whether that goes on.

        @return: an C{errno}.
        """
        if self._tcb is not None:
            connecting = self._tcb.state in (TCPState.SYN_SENT, TCPState.SYN_RECEIVED)
            return EALREADY if connecting else EISCONN
        try:
            tcb = self._makeTCB((self._stack.destination(name[0]), name[1]))
        except OSError as error:
            return int(error.args[0])
        self._tcb = tcb
        tcb.socket = self
        tcb.open()
        return EINPROGRESS

    # Bytes.

    def send(self, data: bytes | memoryview) -> int:
        """
        Send what the window admits.

        @return: how many bytes.
        @raise OSError: C{EWOULDBLOCK}, or why the connection is dead.
        """
        tcb = self._connection()
        if tcb.outgoing.isFinal:
            raise socketError(EPIPE)
        if data and tcb.outgoing.room <= 0:
            raise socketError(EWOULDBLOCK)
        return tcb.outgoing.push(data)

    def recv(self, size: int) -> bytes:
        """
        Read what has arrived; nothing at the end.

        @raise OSError: C{EWOULDBLOCK}, or why the connection is dead.
        """
        tcb = self._tcb
        if tcb is None:
            raise socketError(ENOTCONN)
        if tcb.incoming.unread:
            data = tcb.incoming.take(size)
            tcb.acknowledge()
            return data
        if not tcb.incoming.isFinal:
            self._connection()
            raise socketError(EWOULDBLOCK)
        return b""

    def shutdown(self, how: int) -> None:
        """
        Finish sending, if C{how} says so.

        @raise OSError: C{ENOTCONN}.
        """
        if self._tcb is None or self._tcb.state is TCPState.CLOSED:
            raise socketError(ENOTCONN)
        if how != socket.SHUT_RD:
            self._tcb.finish()

    def close(self) -> None:
        """
        Close the socket, and what it listens on or is connected to.
        """
        if self._isClosed:
            return
        self._isClosed = True
        self.reader = self.writer = None
        del self._opened[self._number]
        if self._listener is not None:
            self._listener.close()
        elif self._tcb is not None:
            self._tcb.close(self._resetsOnClose)
        elif self._claim is not None:
            self._stack.ports.release(self._claim)

    # Readiness.

    @property
    def isReadable(self) -> bool:
        """
        Whether a read, or an accept, would answer something.
        """
        if self._tcb is not None:
            incoming = self._tcb.incoming
            return bool(incoming.unread or incoming.isFinal or self._error)
        return self._listener is not None and bool(self._listener.queue)

    @property
    def isWritable(self) -> bool:
        """
        Whether a write would take something, or a connect has ended.
        """
        tcb = self._tcb
        if tcb is None:
            return False
        if tcb.state is TCPState.ESTABLISHED:
            return tcb.outgoing.room > 0 or tcb.outgoing.isFinal
        return bool(tcb.error)

    def wake(self) -> None:
        """
        Have the reactor tell in its next turn, if something waits for what happened.
        """
        if (self.reader is not None and self.isReadable) or (
            self.writer is not None and self.isWritable
        ):
            self._stack.network.timeline.markReady(self)

    def poll(self) -> None:
        """
        Tell the reader and the writer, and again while the socket stays ready.
        """
        if self.reader is not None and self.isReadable:
            self._do(self.reader, self.reader.doRead, True)
        if self.writer is not None and self.isWritable:
            self._do(self.writer, self.writer.doWrite, False)
        self.wake()

    def __repr__(self) -> str:
        """
        Describe the socket for the message about what a test left open.
        """
        host, port = self.getsockname()[:2]
        line = f"{host} port {port}"
        if self._tcb is not None:
            host, port = self._tcb.addresses[1]
            line += f", {self._tcb.state.value} with {host} port {port}"
        elif self._listener is not None:
            line += ", LISTEN"
        return f"<{type(self).__name__} {line}>"

    # Inside.

    def _do(
        self,
        descriptor: IReadDescriptor | IWriteDescriptor,
        do: Callable[[], object],
        isRead: bool,
    ) -> None:
        """
        Call a ready descriptor as every reactor does (see
        C{twisted.internet.posixbase}).
        """
        why: object
        try:
            why = do()
        except Exception as error:
            _log.failure("A protocol failed.")
            why = error
        if isinstance(why, Exception):
            self._disconnect(descriptor, why, isRead)

    def _disconnect(
        self,
        descriptor: IReadDescriptor | IWriteDescriptor,
        why: Exception,
        isRead: bool,
    ) -> None:
        self.reader = None
        halfCloseable = IHalfCloseableDescriptor(descriptor, None)
        if isRead and isinstance(why, ConnectionDone) and halfCloseable is not None:
            halfCloseable.readConnectionLost(Failure(why))
            return
        descriptor.connectionLost(Failure(why))

    @property
    def _wildcard(self) -> str:
        return "::" if self._isIPv6 else "0.0.0.0"

    @property
    def _error(self) -> int:
        return 0 if self._tcb is None else self._tcb.error

    def _name(self, address: SocketAddress) -> SocketName:
        return (*address, 0, 0) if self._isIPv6 else address

    def _newClaim(self, host: str, port: int) -> Claim:
        # Windows has no SO_REUSEPORT, so nobody sets it there.
        options = (socket.SO_REUSEADDR, getattr(socket, "SO_REUSEPORT", -1))
        flags = (self._options.get((socket.SOL_SOCKET, each), 0) for each in options)
        return Claim(host, port, *map(bool, flags))

    def _makeTCB(self, remote: SocketAddress) -> TCB:
        """
        @raise OSError: C{EADDRNOTAVAIL} for a four-tuple that is taken,
            C{ENETUNREACH}, C{EINVAL}, C{EAFNOSUPPORT}.
        """
        if (":" in remote[0]) != self._isIPv6:
            raise socketError(EAFNOSUPPORT)
        source = self._stack.sourceFor(remote[0])
        if source is None:
            raise socketError(ENETUNREACH)
        if self._claim is None:
            self._claim = self._stack.ports.claim(self._newClaim(source, 0))
        elif self._claim.host not in WILDCARDS:
            source = self._claim.host
        if source.startswith("127.") and not self._stack.isLocal(remote[0]):
            raise socketError(EINVAL)
        local = (source, self._claim.port)
        if self._stack.isTaken(local, remote):
            raise socketError(EADDRNOTAVAIL)
        return TCB(self._stack, local, remote, self._claim)

    def _connection(self) -> TCB:
        """
        @raise OSError: there is none, or it is dead.
        """
        if self._tcb is None or self._tcb.state is TCPState.SYN_SENT:
            raise socketError(ENOTCONN)
        if self._tcb.state is TCPState.CLOSED:
            raise socketError(self._tcb.error or EPIPE)
        return self._tcb
