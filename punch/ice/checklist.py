"""
The checklist: which address of the peer to try when.

Its rules are pure: time and randomness are arguments.  They answer what kernels
and NATs do to peers that connect from the port that they listen on (RFC 5382;
Ford, Srisuresh and Kegel 2005):

  - A pending connect keeps our NAT's door open; it is not given up while it can
    still come to anything.  One that has been pending for some seconds is renewed:
    duplicates and resets out of order can leave it half open, where it no longer
    opens our NAT and waits for an answer that the peer has long forgotten; and a
    fresh one repeats its SYN after 1 and 3 s again, not after 7 and 15.
  - A refusal (RST or ICMP) closes that door, so a fresh connect follows at once.
    The gap matters: if the peer's SYN finds the listening socket alone, a NAT that
    follows sequence numbers (Linux) takes the answer for no part of the connect
    that it saw, drops it, and drops whatever we send on this pair of ports for the
    next two minutes.  Connects that are refused quickly keep a distance; a short one
    at first, when the other side is just about to begin.
  - Two sides that retry on one fixed period can miss each other for ever.  Where a
    refusal takes long, the time that it takes is such a period: if we meet nobody in
    some of those, random pauses follow.
  - "Address in use" says that the four-tuple lives already: the peer came in
    through our listening socket.
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
Seconds of nothing but refusals after which a pause follows each, as long as the attempt
was, at most: it shifts our rhythm against the other side's.
"""

_SHORTEST = 0.001
_GROWTH = 0.05
_DISTANCE = 0.010
"""
Seconds from one connect to the next where refusals come quickly, at least (and twice
that, at most): at first L{_SHORTEST}, since the other side is just about to begin; then
that part of the time in which there was nothing but refusals; in the end this.
"""

_PREDICTED = 0.005
"""
Seconds from one new connect to the next, of all predicted candidates together.
"""

_PATIENCE = (6.0, 6.9)
"""
Seconds until a pending connect is renewed: shortly before the kernel would send its
SYN for the fourth time.
"""

_PAUSES: dict[Outcome, tuple[float, float]] = {
    Outcome.TAKEN: (0.8, 1.2),
    Outcome.UNREACHABLE: (0.8, 1.2),
}
_EASED = (0.2, 0.4)

_REJECTED = (0.05, 0.1)
"""
Seconds of pause after the first rejection; each further one doubles it, up to
L{_LONGEST}.  The first may be no more than the peer's not yet expecting us.
"""
_LONGEST = 2.0


@dataclass
class _Check:
    """
    One candidate's place on the list.
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
    The addresses of one peer and when each is to be tried (next).
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._checks: dict[Address, _Check] = {}
        self._told: dict[Address, str] = {}
        self._slot = 0.0

    def add(self, candidate: Candidate, now: float) -> bool:
        """
        Take a candidate, due at once; C{False} if its address is known already.
        """
        if candidate.address in self._checks:
            return False
        self._checks[candidate.address] = _Check(candidate, dueAt=now)
        return True

    def __contains__(self, address: Address) -> bool:
        return address in self._checks

    def knowsHost(self, host: str) -> bool:
        """
        Whether some candidate has this IP address.
        """
        return any(address.host == host for address in self._checks)

    def kindOf(self, address: Address) -> Kind:
        """
        The kind of the candidate at C{address}; one that nobody told us of is
        peer-reflexive (RFC 8445 section 7.3.1.3).
        """
        check = self._checks.get(address)
        return Kind.PEER_REFLEXIVE if check is None else check.candidate.kind

    def due(self, now: float) -> list[Candidate]:
        """
        The candidates to connect to now.  Each then stays pending until
        L{conclude}.
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
        Seconds that an attempt may take, from its start.
        """
        return self._random.uniform(*_PATIENCE)

    def nextDue(self) -> float | None:
        """
        When L{due} will have something to say again, if nothing happens before.
        """
        times = [
            check.dueAt
            for check in self._checks.values()
            if check.dueAt is not None and not check.held
        ]
        return min(times, default=None)

    def conclude(self, address: Address, outcome: Outcome, now: float) -> None:
        """
        The attempt on C{address} came to its C{outcome}.
        """
        check = self._checks[address]
        check.outcomes.add(outcome)
        if outcome is not Outcome.REFUSED:
            check.refusedSince = None
        elif check.refusedSince is None:
            check.refusedSince = now
        if outcome is not Outcome.CONNECTED and not check.isStopped:
            check.dueAt = self._next(check, outcome, now)
            if check.candidate.kind is Kind.PREDICTED:
                self._slot = max(now, self._slot) + _PREDICTED
                check.dueAt = max(check.dueAt, self._slot)

    def _next(self, check: _Check, outcome: Outcome, now: float) -> float:
        """
        When to try again.
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
        A connection with C{address} exists: no attempt can be made while it lives.
        """
        check = self._checks.get(address)
        if check is not None:
            check.held += 1

    def release(self, address: Address, outcome: Outcome, now: float) -> None:
        """
        A held connection ended without being chosen.
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
        Whether an attempt did not go as the last one that was told of: a NAT that
        refuses does so many times a second.
        """
        before, self._told[address] = self._told.get(address), outcome
        return before != outcome

    def outcomes(self) -> frozenset[str]:
        """
        What has come of attempts at the address that the rendezvous saw (values of
        L{Outcome}).
        """
        found: set[Outcome] = set()
        for check in self._checks.values():
            if check.candidate.kind is Kind.SERVER_REFLEXIVE:
                found |= check.outcomes
        return frozenset(outcome.value for outcome in found)

    def stopTrying(self, kind: Kind) -> None:
        """
        Make no more attempts at candidates of a kind; those that are pending go on.
        """
        for check in self._checks.values():
            if check.candidate.kind is kind:
                check.isStopped = True
                check.dueAt = None

    def failure(self, searched: int = 0) -> PunchError:
        """
        Why there is no path, for when time has run out.

        @param searched: connects that a search has made beside.
        """
        checks = self._checks.values()
        observed = [c for c in checks if c.candidate.kind is Kind.SERVER_REFLEXIVE]
        # The address that the rendezvous saw says most: it is surely the peer's.
        verdicts = {_verdictOf(check) for check in observed or checks}
        tried = ", ".join(self._tried(searched))
        detail = f"tried {tried}" if tried else ""
        for failure in (NotAttached, WrongPin, Refused, NoAnswer, Unreachable):
            if failure in verdicts:
                return failure(detail)
        return NoAnswer(detail)

    def _tried(self, searched: int) -> Iterator[str]:
        """
        What was tried, in words.  Predicted ports are many, and one like the other.
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


def _verdictOf(check: _Check) -> type[PunchError]:
    """
    Why one address gave no path.
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
