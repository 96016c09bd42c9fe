"""
The network watch, which notices early that this host's network changes: another
address, a pulled cable, another route.

On Linux the kernel tells when to compare the network state.  Elsewhere, and where a
sandbox denies netlink, we compare it every two seconds.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger

from punch.net.hostaddresses import HostAddresses, hostAddresses
from punch.net.netlink import NetlinkSocket, openNetlink
from punch.net.networkstate import networkState
from punch.util.timers import RestartableTimer

ReadState: TypeAlias = Callable[[], Hashable]
"""
Reads what differs after a change.  If it raises C{OSError}, it is called again later.
"""

Subscribe: TypeAlias = Callable[[], socket.socket]
"""
Opens a non-blocking socket that becomes readable when the network may have changed.
It raises C{OSError} if there is no such socket here.
"""

POLL_INTERVAL = 2.0
"""
Seconds between two comparisons where no socket tells of changes.
"""

WINDOW = 0.1
"""
Seconds without a message, after which a burst of them is over.
"""

_MAX_WINDOWS = 4
"""
How many such windows at most, for a burst without an end, such as a router's.
"""

_log = Logger()


class NetworkWatch:
    """
    Tells its watchers of network changes, each burst of changes as one.
    L{networkWatch} makes one that its callers share.  It holds a socket, or a delayed
    call, only while it has watchers.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        readState: ReadState = networkState,
        subscribe: Subscribe | None = openNetlink,
    ) -> None:
        """
        @param reactor: if it does not provide L{IReactorFDSet} too, the state is
            compared every L{POLL_INTERVAL}.
        @param readState: reads what is compared.
        @param subscribe: opens the socket that tells of changes; L{None} for none.
        """
        self._reactor = reactor
        self._readState = readState
        self._subscribe = subscribe if IReactorFDSet.providedBy(reactor) else None
        self._watchers: dict[object, Callable[[], None]] = {}
        self._seen: Hashable = None
        self._socket: NetlinkSocket | None = None
        self._timer = RestartableTimer(reactor)
        self._windows = 0

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """
        Call C{changed} after each change: within half a second where the kernel tells,
        else within L{POLL_INTERVAL}.

        @return: stops that; calling it again does nothing.
        """
        watcher = object()
        if not self._watchers:
            self._start()
        self._watchers[watcher] = changed

        def stop() -> None:
            known = self._watchers.pop(watcher, None) is not None
            if known and not self._watchers:
                self._stop()

        return stop

    def _start(self) -> None:
        # The socket first, so that no change falls between it and the first state.
        self._open()
        try:
            self._seen = self._readState()
        except OSError as error:
            self._retryLater(error)
        else:
            self._wait()

    def _open(self) -> None:
        if self._subscribe is None:
            return
        try:
            opened = self._subscribe()
        except OSError as error:
            _log.debug("No socket tells of network changes: {error}", error=error)
        else:
            self._socket = NetlinkSocket(
                self._reactor, opened, self._changed, self._lost
            )

    def _stop(self) -> None:
        self._close()
        self._timer.clear()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _wait(self) -> None:
        """
        Wait for the next message, or for the next time to compare.
        """
        if self._socket is not None:
            self._socket.listen()
        else:
            self._timer.set(POLL_INTERVAL, self._compare)

    def _changed(self) -> None:
        self._windows = 0
        self._timer.set(WINDOW, self._endWindow)

    def _endWindow(self) -> None:
        """
        See whether the burst is over, now that a window has passed.
        """
        assert self._socket is not None
        self._windows += 1
        try:
            more = self._socket.drain()
        except OSError as error:
            self._lost(error)
            return
        if more and self._windows < _MAX_WINDOWS:
            self._timer.set(WINDOW, self._endWindow)
        else:
            self._compare()

    def _compare(self) -> None:
        try:
            found = self._readState()
        except OSError as error:
            self._retryLater(error)
            return
        isChanged, self._seen = found != self._seen, found
        self._wait()
        if isChanged:
            _log.debug("The network has changed: {found}", found=found)
            self._tell()

    def _tell(self) -> None:
        for watcher, changed in list(self._watchers.items()):
            if watcher in self._watchers:
                with _log.failureHandler("A watcher of network changes failed"):
                    changed()

    def _retryLater(self, error: OSError) -> None:
        """
        Compare later: the state could not be read.
        """
        _log.debug("Cannot read the network state: {error}", error=error)
        self._timer.set(POLL_INTERVAL, self._compare)

    def _lost(self, error: object) -> None:
        """
        Compare in intervals from now on: the socket is broken.
        """
        _log.debug(
            "The socket that tells of network changes broke: {error}", error=error
        )
        self._close()
        self._timer.set(WINDOW, self._compare)


# By identity: C{hostAddresses} may refer to the watch, and as a key would keep it for
# ever.  As long as there is a watch, it refers to its C{hostAddresses}.
_watches: WeakKeyDictionary[Any, WeakValueDictionary[int, NetworkWatch]]
_watches = WeakKeyDictionary()


def networkWatch(
    reactor: IReactorTime, hostAddresses: HostAddresses = hostAddresses
) -> NetworkWatch:
    """
    The watch that all users of a reactor share.  It lives while something refers to it
    or watches.

    @param hostAddresses: asks for the addresses that are compared every
        L{POLL_INTERVAL}, if they are not this host's, such as those of a host in
        memory.
    """
    mine = _watches.setdefault(reactor, WeakValueDictionary())
    found = mine.get(id(hostAddresses))
    if found is None:
        found = mine[id(hostAddresses)] = _make(reactor, hostAddresses)
    return found


def _make(reactor: IReactorTime, addresses: HostAddresses) -> NetworkWatch:
    if addresses is hostAddresses:
        return NetworkWatch(reactor)
    return NetworkWatch(reactor, lambda: frozenset(addresses()), None)
