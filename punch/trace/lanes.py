"""
The lanes of one race, while they are recorded: which connect, and which connection, is
shown in which lane.

Connects from the shared port have a lane for each remote address, as far as there is
room.  Connects to predicted ports have one aggregate lane, and those of a port search
another.  A connection is shown in the lane of the connect that made it; or it has a
lane of its own, if there is room.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatchmethod

from punch.ice.candidate import Kind
from punch.trace.aggregate import AggregateRecorder, PredictedPorts
from punch.trace.lane import LaneRecorder
from punch.traceevents import (
    RELAY,
    CandidateAdded,
    ConnectEnded,
    ConnectionMade,
    ConnectionRejected,
    ConnectStarted,
    SearchConnectFailed,
    SearchConnectStarted,
    TraceEvent,
)

MOST_LANES = 32
"""
Lanes there may be.  The winner has its own, even if there are more.
"""

_AGGREGATES = 3
"""
How many of L{MOST_LANES} are kept free for aggregate lanes.
"""

_MOST_SEPARATE = 4
"""
Connections of a search, or to predicted ports, that have lanes of their own.  There may
be dozens, where all ports were predicted rightly.
"""


class Lanes:
    """
    Records all lanes of one race, and decides what is shown in which.

    A L{punch.trace.recorder.MeetingRecorder} makes and owns it, and passes it the trace
    events.  To iterate gives the lanes in the order in which they are shown.
    """

    def __init__(self) -> None:
        self._ports = PredictedPorts()
        self._search = AggregateRecorder("search")
        self._others = AggregateRecorder("others", "more than are drawn")
        # In the order in which they are shown.
        self._shown: dict[LaneRecorder | AggregateRecorder, None] = {}
        self._connects: dict[str, LaneRecorder] = {}
        self._connections: dict[tuple[str, str], LaneRecorder] = {}
        self._separate = 0
        # By remote address: of connects to predicted ports that have just succeeded.
        self._connected: dict[str, LaneRecorder] = {}
        # Those that are not shown, and the aggregate lane that counts them instead.
        self._hidden: dict[LaneRecorder, AggregateRecorder] = {}

    def __iter__(self) -> Iterator[LaneRecorder | AggregateRecorder]:
        return iter(self._shown)

    def __bool__(self) -> bool:
        """
        Whether any lane is shown.
        """
        return bool(self._shown)

    @property
    def single(self) -> list[LaneRecorder]:
        """
        The lanes that are not aggregate ones.
        """
        return [each for each in self._shown if isinstance(each, LaneRecorder)]

    def raceEnded(self, at: float, isLost: bool) -> None:
        """
        Stop what is still open in any lane.

        @param isLost: whether no connection has won.
        """
        for each in self._shown:
            each.raceEnded(at, isLost)

    @singledispatchmethod
    def record(self, event: TraceEvent, at: float) -> None:
        """
        Record an event in its lane; events that concern no lane are ignored.
        """

    # Connects from the shared port.

    @record.register
    def _candidateAdded(self, event: CandidateAdded, at: float) -> None:
        remote = event.remote
        if event.kind == Kind.PREDICTED.value and remote not in self._connects:
            self._ports.add(remote)
        self._laneTo(remote, event.kind)

    @record.register
    def _connectStarted(self, event: ConnectStarted, at: float) -> None:
        self._laneTo(event.remote).connectStarted(at, event.remote)

    @record.register
    def _connectEnded(self, event: ConnectEnded, at: float) -> None:
        remote, outcome = event.remote, event.outcome
        if outcome == "connected" and self._isAggregated(remote):
            self._takeOut(at, remote)
        self._laneTo(remote).connectEnded(at, outcome, remote)

    def _laneTo(self, remote: str, kind: str = "") -> LaneRecorder | AggregateRecorder:
        lane: LaneRecorder | AggregateRecorder | None = self._connects.get(remote)
        if lane is None and remote in self._ports:
            lane = self._ports
        elif lane is None and self._isFull:
            lane = self._others
        elif lane is None:
            lane = self._connects[remote] = LaneRecorder(remote, kind)
        self._shown.setdefault(lane)
        return lane

    def _isAggregated(self, remote: str) -> bool:
        return remote in self._ports and remote not in self._connects

    def _takeOut(self, at: float, remote: str) -> None:
        """
        A connect to a predicted port made a connection: give it a lane of its own, if
        there is room.
        """
        lane = LaneRecorder(remote, Kind.PREDICTED.value)
        began = self._ports.connectEnded(at, "connected", remote)
        if began is not None:
            lane.connectStarted(began)
        if self._showSeparately(lane):
            self._connects[remote] = lane
        else:
            lane.connectEnded(at, "connected")
            self._connected[remote] = lane

    def _showSeparately(self, lane: LaneRecorder) -> bool:
        if self._isFull or self._separate >= _MOST_SEPARATE:
            return False
        self._separate += 1
        self._shown[lane] = None
        return True

    @property
    def _isFull(self) -> bool:
        return len(self._shown) >= MOST_LANES - _AGGREGATES

    # Connects of a port search.

    @record.register
    def _searchConnectStarted(self, event: SearchConnectStarted, at: float) -> None:
        self._search.about = event.among
        self._shown.setdefault(self._search)
        self._search.connectStarted(at)

    @record.register
    def _searchConnectFailed(self, event: SearchConnectFailed, at: float) -> None:
        self._search.connectEnded(at, event.outcome)

    # Connections.

    def connectionMade(self, at: float, made: ConnectionMade) -> LaneRecorder:
        """
        There is a connection.

        @return: its lane, which is shown if there is room.
        """
        remote, local = made.remote, made.local
        if made.took is not None:
            self._search.connectEnded(at, "connected")
        elif remote == RELAY:
            self._connectEnded(ConnectEnded(remote, "connected"), at)
        lane = self._connections.get((remote, local)) or self._laneFor(at, made)
        lane.local, lane.how = local, made.how
        self._connections[remote, local] = lane
        return lane

    def _laneFor(self, at: float, made: ConnectionMade) -> LaneRecorder:
        """
        The lane for a new connection: that of the connect that made it, if it has one.
        """
        if made.took is not None:
            return self._laneOfSearch(at, made, made.took)
        remote = made.remote
        if remote not in self._connected and self._isAggregated(remote):
            self._takeOut(at, remote)
        connected = self._connected.pop(remote, None)
        if connected is not None:
            self._hidden[connected] = self._ports
            return connected
        lane = self._laneTo(remote, made.kind)
        if isinstance(lane, LaneRecorder) and lane.local in ("", made.local):
            return lane
        own = LaneRecorder(remote, made.kind)
        if not self._isFull:
            self._shown[own] = None
            return own
        self._shown.setdefault(self._others)
        self._hidden[own] = self._others
        if made.how == "accepted":
            # No connect of ours counts it.
            self._others.addOutcome(at, "connected")
        return own

    def _laneOfSearch(
        self, at: float, made: ConnectionMade, took: float
    ) -> LaneRecorder:
        """
        The lane for a connection that a search made in C{took} seconds.
        """
        lane = LaneRecorder(made.remote, made.kind)
        lane.connectStarted(max(0.0, at - took))
        lane.connectEnded(at, "connected")
        if not self._showSeparately(lane):
            self._hidden[lane] = self._search
        return lane

    def laneOf(self, remote: str, local: str) -> LaneRecorder:
        """
        The lane of a connection; of one that we do not know, a lane that is not shown.
        """
        return self._connections.get((remote, local)) or LaneRecorder(remote)

    @record.register
    def _connectionRejected(self, event: ConnectionRejected, at: float) -> None:
        remote, local, outcome = event.remote, event.local, event.outcome
        if not local:
            self._laneTo(remote).connectEnded(at, outcome, remote)
        lane = self.laneOf(remote, local)
        lane.connectionRejected(at, outcome)
        aggregate = self._hidden.pop(lane, None)
        if aggregate is not None:
            del self._connections[remote, local]
            aggregate.addOutcome(at, outcome)

    def pathSelected(self, remote: str, local: str) -> LaneRecorder:
        """
        A connection won: show its lane, whether there is room or not.

        @return: the lane.
        """
        lane = self.laneOf(remote, local)
        self._hidden.pop(lane, None)
        self._shown.setdefault(lane)
        return lane
