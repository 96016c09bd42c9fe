"""
Network changes, noticed early: another address, a cable that is pulled, another way
out.

On Linux the kernel tells when to look; elsewhere, and where a sandbox denies netlink,
we look every two seconds.  Only what then looks different counts.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.logger import Logger

from punch.net.hostaddresses import HostAddresses, hostAddresses
from punch.net.netlink import NetlinkSocket, openNetlink
from punch.net.networkstate import networkState

Look: TypeAlias = Callable[[], Hashable]
"""
Asks for what differs after a change.  May raise C{OSError}: ask later.
"""

Subscribe: TypeAlias = Callable[[], socket.socket]
"""
Opens a non-blocking socket that becomes readable when it is time to look.  May raise
C{OSError}: nobody tells here.
"""

POLL_INTERVAL = 2.0
"""
Seconds from one look to the next where nobody tells.
"""

WINDOW = 0.1
"""
Seconds without a message, after which a burst of them is over.
"""

_MOST_WINDOWS = 4
"""
How many of those at most, for a burst without an end, such as a router's.
"""

_log = Logger()


class NetworkWatch:
    """
    Tells its watchers of network changes, each burst as one.

    It holds a socket and looks only while it has watchers.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        look: Look = networkState,
        subscribe: Subscribe | None = openNetlink,
    ) -> None:
        """
        @param reactor: provides L{IReactorFDSet} too, or we look every
            L{POLL_INTERVAL}.
        @param look: what has to differ.
        @param subscribe: opens the news; L{None} where nobody tells.
        """
        self._reactor = reactor
        self._look = look
        self._subscribe = subscribe if IReactorFDSet.providedBy(reactor) else None
        self._watchers: dict[object, Callable[[], None]] = {}
        self._seen: Hashable = None
        self._news: NetlinkSocket | None = None
        self._call: IDelayedCall | None = None
        self._windows = 0

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """
        Call C{changed} after each change: within half a second where the kernel
        tells, else within L{POLL_INTERVAL}.

        @return: stops that; to call it again does nothing.
        """
        watcher = object()
        if not self._watchers:
            self._begin()
        self._watchers[watcher] = changed

        def stop() -> None:
            known = self._watchers.pop(watcher, None) is not None
            if known and not self._watchers:
                self._end()

        return stop

    def _begin(self) -> None:
        # First the news, so that no change falls between them and the look.
        self._open()
        try:
            self._seen = self._look()
        except OSError as error:
            self._blind(error)
        else:
            self._rest()

    def _open(self) -> None:
        if self._subscribe is None:
            return
        try:
            news = self._subscribe()
        except OSError as error:
            _log.debug("Nobody tells of network changes: {error}", error=error)
        else:
            self._news = NetlinkSocket(self._reactor, news, self._stirred, self._deaf)

    def _end(self) -> None:
        self._close()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _close(self) -> None:
        if self._news is not None:
            self._news.close()
            self._news = None

    def _later(self, delay: float, what: Callable[[], None]) -> None:
        self._call = self._reactor.callLater(delay, what)

    def _rest(self) -> None:
        """
        Nothing is known to have happened.
        """
        if self._news is not None:
            self._news.listen()
        else:
            self._later(POLL_INTERVAL, self._check)

    def _stirred(self) -> None:
        self._windows = 0
        self._later(WINDOW, self._settle)

    def _settle(self) -> None:
        """
        A window has passed: is the burst over?
        """
        assert self._news is not None
        self._windows += 1
        try:
            more = self._news.drain()
        except OSError as error:
            self._deaf(error)
            return
        if more and self._windows < _MOST_WINDOWS:
            self._later(WINDOW, self._settle)
        else:
            self._check()

    def _check(self) -> None:
        try:
            found = self._look()
        except OSError as error:
            self._blind(error)
            return
        isChanged, self._seen = found != self._seen, found
        self._rest()
        if isChanged:
            _log.debug("The network has changed: {found}", found=found)
            self._tell()

    def _tell(self) -> None:
        for watcher, changed in list(self._watchers.items()):
            if watcher in self._watchers:
                with _log.failureHandler("A watcher of network changes failed"):
                    changed()

    def _blind(self, error: OSError) -> None:
        """
        We could not look this time.
        """
        _log.debug("Cannot look at the network: {error}", error=error)
        self._later(POLL_INTERVAL, self._check)

    def _deaf(self, error: object) -> None:
        """
        The news have ended: look by ourselves.
        """
        _log.debug("No more news of network changes: {error}", error=error)
        self._close()
        self._later(WINDOW, self._check)


# By identity: who looks for us may well know the watch, and would keep it for ever.  As
# long as there is a watch, it has who looks.
_watches: WeakKeyDictionary[Any, WeakValueDictionary[int, NetworkWatch]]
_watches = WeakKeyDictionary()


def networkWatch(
    reactor: IReactorTime, hostAddresses: HostAddresses = hostAddresses
) -> NetworkWatch:
    """
    The watch that all who ask with this reactor have in common; it lives while
    somebody has it, or watches.

    @param hostAddresses: what is looked at every L{POLL_INTERVAL}, if it is another
        host's than this one's, in memory say.
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
