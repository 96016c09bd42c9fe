"""
The checklist: says when to try which address of the peer (RFC 8445 section 6.1.2).

Its rules are pure: time and randomness are arguments.  They follow from what kernels
and NATs do to peers that connect from the port that they listen on (RFC 5382;
Ford, Srisuresh and Kegel 2005):

  - A pending connect keeps the mapping and the filter of our NAT open, so it is not
    given up while it can still succeed.  After some seconds it is replaced by a new
    one.  Duplicates and resets out of order can leave a connect half open, so that it
    no longer opens our NAT and waits for an answer that the peer has forgotten.  And a
    new connect repeats its SYN after 1 and 3 s again, not after 7 and 15.
  - A refusal (RST or ICMP) closes the NAT's filter, so a new connect follows at once.
    The gap matters: if the peer's SYN arrives in it, our listening socket answers
    alone.  A NAT that tracks sequence numbers (Linux) does not take that answer for
    part of the connect that it saw.  It drops the answer, and for the next two minutes
    all that we send on this pair of ports.  Connects that are refused quickly follow
    each other at a distance, which is short at first, when the peer is about to start.
  - Two sides that retry with one fixed period can miss each other for ever.  If each
    refusal takes long, that time is such a period, so after some refusals we add
    random pauses.
  - "Address in use" means that the four-tuple is taken already: the peer's connection
    came in through our listening socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from punch.errors import (
    NoAnswer,
    NotAttached,
    PunchError,
    Refused,
    Unreachable,
    WrongPin,
)
from punch.ice.candidate import Candidate, Kind
from punch.net.address import Address
from punch.net.outcome import Outcome

EASE_AFTER = 3.0
"""
Seconds of nothing but refusals after which an address is tried more slowly.
"""

SHIFT_AFTER = 1.0
"""
Seconds of nothing but refusals after which a random pause follows each refusal, at most
as long as the attempt took, so that the two sides' attempts shift against each other.
"""

_SHORTEST = 0.001
_GROWTH = 0.05
_DISTANCE = 0.010
"""
Seconds from one connect to the next if refusals come quickly; a random time up to twice
this is taken.  It starts at L{_SHORTEST}, since the peer is about to start, grows with
the time of nothing but refusals (by L{_GROWTH} of it), and ends at this.
"""

_PREDICTED = 0.005
"""
Seconds from one retry to the next, of all predicted candidates together.
"""

_PATIENCE = (6.0, 6.9)
"""
Seconds, at least and at most, until a pending connect is replaced: shortly before the
kernel would send its SYN for the fourth time.
"""

_PAUSES: dict[Outcome, tuple[float, float]] = {
    Outcome.TAKEN: (0.8, 1.2),
    Outcome.UNREACHABLE: (0.8, 1.2),
}
_EASED = (0.2, 0.4)

_REJECTED = (0.05, 0.1)
"""
Seconds, at least and at most, of the pause after a first rejected connection; each
further rejection doubles it, up to L{_LONGEST}.  The peer may have rejected the first
only because it did not expect us yet.
"""
_LONGEST = 2.0


@dataclass
class _Check:
    """
    The state of one candidate on the checklist.

    @ivar dueAt: when to try it next; C{None} while an attempt is pending, or if there
        will be none.
    @ivar startedAt: when the last attempt started.
    @ivar held: connections with this address that exist.
    @ivar rejections: connections with this address that were rejected.
    @ivar refusedSince: since when every attempt has been refused; C{None} if the last
        was not.
    @ivar isStopped: whether there are to be no more attempts.
    @ivar outcomes: what has come of attempts and connections.
    """

    candidate: Candidate
    dueAt: float | None
    startedAt: float = 0.0
    held: int = 0
    rejections: int = 0
    refusedSince: float | None = None
    isStopped: bool = False
    outcomes: set[Outcome] = field(default_factory=set)


class Checklist:
    """
    The candidates of one peer, and when to try each next.

    Each race has one.  It starts nothing itself: the race asks what is L{due}, makes
    the attempts, and reports with L{conclude}, L{hold} and L{release}.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._checks: dict[Address, _Check] = {}
        self._lastOutcomes: dict[Address, str] = {}
        self._predictedDue = 0.0

    def add(self, candidate: Candidate, now: float) -> bool:
        """
        Add a candidate, which is due at once.

        @return: C{False} if its address is known already.
        """
        if candidate.address in self._checks:
            return False
        self._checks[candidate.address] = _Check(candidate, dueAt=now)
        return True

    def __contains__(self, address: Address) -> bool:
        return address in self._checks

    def knowsHost(self, host: str) -> bool:
        """
        Whether a candidate has this IP address, at any port.
        """
        return any(address.host == host for address in self._checks)

    def kindOf(self, address: Address) -> Kind:
        """
        The kind of the candidate at C{address}.  An address that nobody told us is
        peer-reflexive (RFC 8445 section 7.3.1.3).
        """
        check = self._checks.get(address)
        return Kind.PEER_REFLEXIVE if check is None else check.candidate.kind

    def due(self, now: float) -> list[Candidate]:
        """
        The candidates to connect to now.  Each is pending until L{conclude}.
        """
        ready = [
            check
            for check in self._checks.values()
            if check.dueAt is not None and check.dueAt <= now and not check.held
        ]
        for check in ready:
            check.dueAt = None
            check.startedAt = now
        return [check.candidate for check in ready]

    def patience(self) -> float:
        """
        Seconds after which a pending attempt is to be replaced.
        """
        return self._random.uniform(*_PATIENCE)

    def nextDue(self) -> float | None:
        """
        When a candidate will be due next, unless something happens before; C{None} if
        none will.
        """
        times = [
            check.dueAt
            for check in self._checks.values()
            if check.dueAt is not None and not check.held
        ]
        return min(times, default=None)

    def conclude(self, address: Address, outcome: Outcome, now: float) -> None:
        """
        Record what came of the attempt at C{address}.
        """
        check = self._checks[address]
        check.outcomes.add(outcome)
        if outcome is not Outcome.REFUSED:
            check.refusedSince = None
        elif check.refusedSince is None:
            check.refusedSince = now
        if outcome is not Outcome.CONNECTED and not check.isStopped:
            check.dueAt = self._retryAt(check, outcome, now)
            if check.candidate.kind is Kind.PREDICTED:
                self._predictedDue = max(now, self._predictedDue) + _PREDICTED
                check.dueAt = max(check.dueAt, self._predictedDue)

    def _retryAt(self, check: _Check, outcome: Outcome, now: float) -> float:
        """
        When to try a candidate again after C{outcome}.
        """
        if outcome in _PAUSES:
            return now + self._random.uniform(*_PAUSES[outcome])
        since = check.refusedSince
        refused = 0.0 if since is None else now - since
        if refused >= EASE_AFTER:
            return now + self._random.uniform(*_EASED)
        low = min(max(_SHORTEST, refused * _GROWTH), _DISTANCE)
        due = check.startedAt + self._random.uniform(low, 2 * low)
        if refused >= SHIFT_AFTER:
            now += self._random.uniform(0.0, min(now - check.startedAt, _EASED[1]))
        return max(now, due)

    def hold(self, address: Address) -> None:
        """
        Make no attempts at C{address}, since a connection with it exists.
        """
        check = self._checks.get(address)
        if check is not None:
            check.held += 1

    def release(self, address: Address, outcome: Outcome, now: float) -> None:
        """
        Record that a connection was rejected, and allow attempts at C{address} again.

        @param outcome: why it was rejected.
        """
        check = self._checks.get(address)
        if check is None:
            return
        check.held -= 1
        check.outcomes.add(outcome)
        pause = self._random.uniform(*_REJECTED) * 2**check.rejections
        check.rejections += 1
        if not check.isStopped:
            check.dueAt = now + min(pause, _LONGEST)

    def isNewOutcome(self, address: Address, outcome: str) -> bool:
        """
        Whether C{outcome} differs from the last at C{address}.  Only then is it told as
        an event, since a NAT may refuse many times a second.
        """
        before, self._lastOutcomes[address] = self._lastOutcomes.get(address), outcome
        return before != outcome

    def outcomes(self) -> frozenset[str]:
        """
        What has come of attempts at the peer's server-reflexive addresses (values of
        L{Outcome}).
        """
        found: set[Outcome] = set()
        for check in self._checks.values():
            if check.candidate.kind is Kind.SERVER_REFLEXIVE:
                found |= check.outcomes
        return frozenset(outcome.value for outcome in found)

    def stopTrying(self, kind: Kind) -> None:
        """
        Make no more attempts at candidates of a kind.  Pending attempts go on.
        """
        for check in self._checks.values():
            if check.candidate.kind is kind:
                check.isStopped = True
                check.dueAt = None

    def failure(self, searched: int = 0) -> PunchError:
        """
        Why there is no path, if time runs out now.

        @param searched: connects that a port search has made as well.
        """
        checks = self._checks.values()
        observed = [c for c in checks if c.candidate.kind is Kind.SERVER_REFLEXIVE]
        # The address that the rendezvous saw is surely the peer's, so it counts most.
        failures = {_failureOf(check) for check in observed or checks}
        tried = ", ".join(self._tried(searched))
        detail = f"tried {tried}" if tried else ""
        for failure in (NotAttached, WrongPin, Refused, NoAnswer, Unreachable):
            if failure in failures:
                return failure(detail)
        return NoAnswer(detail)

    def _tried(self, searched: int) -> Iterator[str]:
        """
        What was tried, in words.  Predicted ports are counted, not listed.
        """
        predicted: list[int] = []
        for each in self._checks.values():
            if each.candidate.kind is Kind.PREDICTED:
                predicted.append(each.candidate.address.port)
            else:
                yield str(each.candidate)
        if len(predicted) == 1:
            yield f"predicted port {predicted[0]}"
        elif predicted:
            ports = f"{min(predicted)} to {max(predicted)}"
            yield f"{len(predicted)} predicted ports {ports}"
        if searched:
            yield f"{searched} connect{'' if searched == 1 else 's'} of a search"


def _failureOf(check: _Check) -> type[PunchError]:
    """
    Why one candidate gave no path.
    """
    if Outcome.WRONG_PIN in check.outcomes and not check.held:
        return WrongPin
    if check.held or check.outcomes & {Outcome.CONNECTED, Outcome.REJECTED}:
        return NotAttached
    if Outcome.REFUSED in check.outcomes:
        return Refused
    if check.outcomes == {Outcome.UNREACHABLE}:
        return Unreachable
    return NoAnswer
