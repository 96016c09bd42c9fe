"""
The supervisor: who has started this process and waits for it to be ready.

This is C{sd_notify(3)}: systemd (C{Type=notify}), and others in its footsteps, name a
datagram socket in C{$NOTIFY_SOCKET}.  Twisted has none of it (C{twisted.python.systemd}
is for sockets that are handed over), the C{systemd-python} package needs a compiler
and systemd's headers; the protocol is a line of text.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger

_log = Logger()

_PATIENCE = 1.0
"""
Seconds that a supervisor may take for a message.
"""


class SystemdNotifier:
    """
    Whom to tell.
    """

    def __init__(
        self, reactor: IReactorCore, environment: Mapping[str, str] = os.environ
    ) -> None:
        """
        @param environment: names the supervisor's socket; perhaps there is none, and
            nobody is told.
        """
        self._reactor = reactor
        self._place = environment.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """
        We serve from here on, or as soon as the reactor runs: before that we would
        neither serve nor stop in order.
        """
        self._reactor.callWhenRunning(self._tell, b"READY=1")

    def stopping(self) -> None:
        """
        We are about to end.
        """
        self._tell(b"STOPPING=1")

    def _tell(self, state: bytes) -> None:
        if self._place[:1] not in ("/", "@"):
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_PATIENCE)
                sock.connect(self._address)
                sock.send(state)
        except OSError as error:
            _log.warn(
                "The supervisor could not be told at {place}: {error}",
                place=self._place,
                error=error,
            )

    @property
    def _address(self) -> str:
        # "@" stands for the zero byte that abstract addresses begin with.
        return "\0" + self._place[1:] if self._place[0] == "@" else self._place
