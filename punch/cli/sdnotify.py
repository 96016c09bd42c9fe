"""
Notifications to systemd: C{sd_notify(3)}, for C{Type=notify} services.

The supervisor names a datagram socket in C{$NOTIFY_SOCKET} and expects a line of text.
Twisted does not have this (C{twisted.python.systemd} is about inherited sockets), and
the C{systemd-python} package needs a compiler and systemd's headers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger

_log = Logger()

_TIMEOUT = 1.0
"""
Seconds that sending a message may take.
"""


class SystemdNotifier:
    """
    Tells systemd, or another supervisor, that this process is ready or is about to
    stop.

    It sends C{READY=1} and C{STOPPING=1} to C{$NOTIFY_SOCKET}, and does nothing where
    that is not set.
    """

    def __init__(
        self, reactor: IReactorCore, environment: Mapping[str, str] = os.environ
    ) -> None:
        """
        @param environment: may have C{NOTIFY_SOCKET}, the path of the socket.
        """
        self._reactor = reactor
        self._path = environment.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """
        Say that this process is ready, as soon as the reactor runs.  Before that it
        could neither serve nor stop in order.
        """
        self._reactor.callWhenRunning(self._notify, b"READY=1")

    def stopping(self) -> None:
        """
        Say that this process is about to stop.
        """
        self._notify(b"STOPPING=1")

    def _notify(self, state: bytes) -> None:
        if self._path[:1] not in ("/", "@"):
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_TIMEOUT)
                sock.connect(self._address)
                sock.send(state)
        except OSError as error:
            _log.warn(
                "The supervisor could not be told at {path}: {error}",
                path=self._path,
                error=error,
            )

    @property
    def _address(self) -> str:
        # "@" stands for the zero byte that abstract addresses begin with.
        return "\0" + self._path[1:] if self._path[0] == "@" else self._path
