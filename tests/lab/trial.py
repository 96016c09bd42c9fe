"""
The trial: one pair of a population, run for real.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from time import monotonic

from .eventfile import Event, EventFile
from .mixture import Pair
from .run import Meeting, NotStarted, Outcome, keptDirectory
from .topology import Laboratory


class Result(Enum):
    """
    What a pair ended with.
    """

    DIRECT = "direct"
    RELAYED = "relayed"
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """
    What came of one pair, as its dialer tells it.

    C{usable}, C{direct}: seconds from the start of the dial to the first link, and
    to a direct one.  C{why}: why it is not direct; the verdict, if there was one.
    """

    pair: Pair
    result: Result
    usable: float | None = None
    direct: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Terms:
    """
    On what terms pairs are run.

    C{latency}: seconds, one way, on each of the three legs.  C{relay}: the programs'
    C{--relay}, C{timeout} their C{--timeout}.  C{patience}: seconds to wait behind
    a relay for a direct path.  C{kept}: where logs and events stay.
    """

    latency: float = 0.02
    relay: str = "fallback"
    timeout: float = 30.0
    patience: float = 35.0
    kept: Path | None = None


def run(pair: Pair, terms: Terms) -> Trial:
    """
    Run one pair in a laboratory of its own.
    """
    name = f"{pair.index}-{pair.listener}-{pair.dialer}"
    with keptDirectory(terms.kept, name) as directory:
        told = EventFile(directory / "dialer-1.events")
        try:
            outcome = _dial(pair, terms, directory, told)
        except NotStarted as error:
            outcome = Outcome(False, reason="not-started", explanation=str(error))
        return judge(pair, outcome, told.read())


def _dial(pair: Pair, terms: Terms, directory: Path, told: EventFile) -> Outcome:
    policy = ("--relay", terms.relay)
    with (
        Laboratory(
            pair.listener, pair.dialer, latency=terms.latency, seed=pair.seed
        ) as lab,
        Meeting(lab, directory, terms.timeout, options=policy) as meeting,
    ):
        return meeting.dial(lambda: awaitDirect(told, terms.patience), policy)


def awaitDirect(told: EventFile, patience: float) -> None:
    """
    Wait until the link is direct or there is a verdict, for C{patience} seconds at
    most.  The first path of a link may be relayed though a direct one is possible: the
    relay's is there sooner if the machine is busy, and the link moves.
    """
    deadline = monotonic() + patience
    while (left := deadline - monotonic()) > 0:
        events = told.read()
        if directSince(events) is not None or verdictIn(events):
            return
        told.wait({"path", "verdict"}, left, after=len(events))


def verdictIn(events: list[Event]) -> str:
    """
    The verdict on the pair, as far as there is one.
    """
    found = [str(e["reason"]) for e in events if e["event"] == "verdict"]
    return found[-1] if found else ""


def directSince(events: list[Event]) -> float | None:
    """
    The time, in Unix seconds, from which on the link was direct.
    """
    for event in events:
        way = {"connected": "path", "path": "to"}.get(event["event"])
        if way is not None and event[way] == "direct":
            return float(event["time"])
    return None


def judge(pair: Pair, outcome: Outcome, events: list[Event]) -> Trial:
    """
    What an outcome and the dialer's events come to.
    """
    if not outcome.connected:
        return Trial(pair, Result.FAILED, why=outcome.reason)
    connected = next(e for e in events if e["event"] == "connected")
    since = directSince(events)
    if since is None:
        why = verdictIn(events) or connected.get("why", "")
        return Trial(pair, Result.RELAYED, outcome.elapsed, why=why)
    started = connected["time"] - connected["elapsed"]
    return Trial(pair, Result.DIRECT, outcome.elapsed, since - started)
