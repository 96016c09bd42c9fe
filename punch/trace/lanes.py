"""
The lanes of a race, in the making: which connect, and which connection, is drawn where.

Connects from the shared port have a lane for each address of the other side, as far as
there is room; predicted ports, and a search's connects, are crowds.  A connection has
the lane of the connect that it came of, or else its own, if there is room.
"""

from __future__ import annotations

from collections.abc import Iterator

from punch.ice.candidate import Kind
from punch.trace.aggregate import Aggregate, Ports
from punch.trace.lane import Track
from punch.traceevents import RELAY, ConnectionMade

MOST_LANES = 32
_CROWDS = 3
"""
Lanes there may be, and those of them that are crowds'.  (The winner has its own, even
so.)
"""

_MOST_APART = 4
"""
Connections of a search, or with predicted ports, that have lanes of their own: where
all ports were foretold rightly there are dozens.
"""


class Lanes:
    """
    Those of one race.
    """

    def __init__(self) -> None:
        self._ports = Ports()
        self._search = Aggregate("search")
        self._others = Aggregate("others", "more than are drawn")
        # In the order in which they are drawn.
        self._shown: dict[Track | Aggregate, None] = {}
        self._connects: dict[str, Track] = {}
        self._connections: dict[tuple[str, str], Track] = {}
        self._apart = 0
        # Those of which a connect to a predicted port has just become one.
        self._made: dict[str, Track] = {}
        # Those that have no lane of their own, and whose they are.
        self._hidden: dict[Track, Aggregate] = {}

    def __iter__(self) -> Iterator[Track | Aggregate]:
        return iter(self._shown)

    def __bool__(self) -> bool:
        """
        Whether there are any.
        """
        return bool(self._shown)

    @property
    def tracks(self) -> list[Track]:
        """
        Those that are of one pair of addresses.
        """
        return [each for each in self._shown if isinstance(each, Track)]

    def stop(self, at: float, isLost: bool) -> None:
        """
        The race is over.
        """
        for each in self._shown:
            each.stop(at, isLost)

    # From the shared port.

    def learn(self, remote: str, kind: str) -> None:
        """
        There is one more address to try.
        """
        if kind == Kind.PREDICTED.value and remote not in self._connects:
            self._ports.add(remote)
        self._toward(remote, kind)

    def begin(self, at: float, remote: str) -> None:
        """
        A connect to C{remote} began.
        """
        self._toward(remote).begin(at, remote)

    def tried(self, at: float, outcome: str, remote: str) -> None:
        """
        It came to its outcome.
        """
        if outcome == "connected" and self._isPort(remote):
            self._separate(at, remote)
        self._toward(remote).tried(at, outcome, remote)

    def _toward(self, remote: str, kind: str = "") -> Track | Aggregate:
        lane: Track | Aggregate | None = self._connects.get(remote)
        if lane is None and remote in self._ports:
            lane = self._ports
        elif lane is None and self._isFull:
            lane = self._others
        elif lane is None:
            lane = self._connects[remote] = Track(remote, kind)
        self._shown.setdefault(lane)
        return lane

    def _isPort(self, remote: str) -> bool:
        return remote in self._ports and remote not in self._connects

    def _separate(self, at: float, remote: str) -> None:
        """
        A predicted port leads to a connection: it is drawn apart, if there is room.
        """
        track = Track(remote, Kind.PREDICTED.value)
        began = self._ports.tried(at, "connected", remote)
        if began is not None:
            track.begin(began)
        if self._showApart(track):
            self._connects[remote] = track
        else:
            track.tried(at, "connected")
            self._made[remote] = track

    def _showApart(self, track: Track) -> bool:
        if self._isFull or self._apart >= _MOST_APART:
            return False
        self._apart += 1
        self._shown[track] = None
        return True

    @property
    def _isFull(self) -> bool:
        return len(self._shown) >= MOST_LANES - _CROWDS

    # A search's.

    def search(self, at: float, among: str) -> None:
        """
        It began one more connect.
        """
        self._search.about = among
        self._shown.setdefault(self._search)
        self._search.begin(at)

    def searched(self, at: float, outcome: str) -> None:
        """
        One came to its outcome.
        """
        self._search.tried(at, outcome)

    # Connections.

    def join(self, at: float, joined: ConnectionMade) -> Track:
        """
        There is one; the track is shown, if there is room.
        """
        remote, local = joined.remote, joined.local
        if joined.took is not None:
            self._search.tried(at, "connected")
        elif remote == RELAY:
            self.tried(at, "connected", remote)
        track = self._connections.get((remote, local)) or self._came(at, joined)
        track.local, track.how = local, joined.how
        self._connections[remote, local] = track
        return track

    def _came(self, at: float, joined: ConnectionMade) -> Track:
        """
        The track of a connection that is new: that of the connect it came of, if that
        has one.
        """
        if joined.took is not None:
            return self._found(at, joined, joined.took)
        remote = joined.remote
        if remote not in self._made and self._isPort(remote):
            self._separate(at, remote)
        made = self._made.pop(remote, None)
        if made is not None:
            self._hidden[made] = self._ports
            return made
        lane = self._toward(remote, joined.kind)
        if isinstance(lane, Track) and lane.local in ("", joined.local):
            return lane
        track = Track(remote, joined.kind)
        if not self._isFull:
            self._shown[track] = None
            return track
        self._shown.setdefault(self._others)
        self._hidden[track] = self._others
        if joined.how == "accepted":
            # No connect of ours is counted.
            self._others.note(at, "connected")
        return track

    def _found(self, at: float, joined: ConnectionMade, took: float) -> Track:
        """
        The track of a connection that a search has made.
        """
        track = Track(joined.remote, joined.kind)
        track.begin(max(0.0, at - took))
        track.tried(at, "connected")
        if not self._showApart(track):
            self._hidden[track] = self._search
        return track

    def of(self, remote: str, local: str) -> Track:
        """
        The track of a connection.
        """
        found = self._connections.get((remote, local))
        return Track(remote) if found is None else found

    def reject(self, at: float, outcome: str, remote: str, local: str) -> None:
        """
        A connection came to nothing; or, if C{local} is empty, the way to one did.
        """
        if not local:
            self._toward(remote).tried(at, outcome, remote)
        track = self.of(remote, local)
        track.rejected(at, outcome)
        home = self._hidden.pop(track, None)
        if home is not None:
            del self._connections[remote, local]
            home.note(at, outcome)

    def win(self, remote: str, local: str) -> Track:
        """
        A connection won: it is drawn, whether there is room or not.
        """
        track = self.of(remote, local)
        self._hidden.pop(track, None)
        self._shown.setdefault(track)
        return track
