"""
The verdict on a pair: why its peers found no direct path, from what each of them saw.

Both tell each other, and judge by the same: so they come to the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punch.nat.behavior import BadBehavior, ObservedBehavior
from punch.nat.errors import (
    BothRandomMapping,
    DialerBlocksOutbound,
    ListenerBlocksOutbound,
    NoDirectPath,
    NoHairpin,
    NoSearch,
    NoSimultaneousOpen,
    PredictionFailed,
    RandomAgainstSequential,
    SearchFailed,
)
from punch.net.outcome import Outcome

_WORDS = frozenset(outcome.value for outcome in Outcome)

_SILENT = frozenset({Outcome.TIMED_OUT.value})

_BLOCKED = frozenset({Outcome.REFUSED.value, Outcome.UNREACHABLE.value})

_NO_ROUTE = frozenset({Outcome.UNREACHABLE.value})


class BadReport(ValueError):
    """
    This is no account.
    """


@dataclass(frozen=True)
class AttemptReport:
    """
    What one peer saw.

    C{behavior}: what its NATs do with ports; C{None} if that could not be told.
    C{outcomes}: of its attempts at the address at which the rendezvous sees the other
    (values of L{Outcome}).  C{maySearch}: whether it may search.  C{isThorough}:
    whether what it tried has had the time that it needs.  C{isBlocked}: it reached the
    rendezvous, and none of its other vantages.
    """

    behavior: ObservedBehavior | None
    outcomes: frozenset[str] = frozenset()
    maySearch: bool = True
    isThorough: bool = False
    isBlocked: bool = False

    def toFields(self) -> dict[str, Any]:
        """
        The fields in which the other side is told.
        """
        fields: dict[str, Any] = {
            "outcomes": sorted(self.outcomes),
            "searches": self.maySearch,
            "thorough": self.isThorough,
            "blocked": self.isBlocked,
        }
        if self.behavior is not None:
            fields["nat"] = self.behavior.toFields()
        return fields

    @classmethod
    def fromFields(cls, fields: Any) -> AttemptReport:
        """
        Read what the other side tells; outcomes that we don't know are passed over.

        @raise BadAccount: it is nothing of the kind.
        """
        try:
            outcomes = frozenset(_WORDS.intersection(fields["outcomes"]))
            nat = fields.get("nat")
            behavior = None if nat is None else ObservedBehavior.fromFields(nat)
            flags = [fields["searches"], fields["thorough"], fields.get("blocked")]
            return cls(behavior, outcomes, *(each is True for each in flags))
        except (TypeError, KeyError, AttributeError, BadBehavior) as bad:
            raise BadReport("not the shape of an account") from bad


def verdictFor(
    listener: AttemptReport, dialer: AttemptReport, isBehindSameNAT: bool = False
) -> type[NoDirectPath] | None:
    """
    Why there is no direct path; C{None} if that can't be told.

    @param isBehindOne: the rendezvous sees both at one address.
    """
    if listener.outcomes == dialer.outcomes == _NO_ROUTE:
        # One has IPv6 alone and the other IPv4 alone, whatever their NATs do.
        return None
    if _isBlocked(listener, dialer):
        return ListenerBlocksOutbound
    if _isBlocked(dialer, listener):
        return DialerBlocksOutbound
    first, second = listener.behavior, dialer.behavior
    if first is None or second is None:
        return None
    if first.isEndpointIndependent and second.isEndpointIndependent:
        return _unmet(listener, dialer, isBehindSameNAT)
    foretold = verdictForBehaviors(first, second)
    if foretold is not None:
        return foretold
    isSearch = first.isRandom or second.isRandom
    if isSearch and not (listener.maySearch and dialer.maySearch):
        return NoSearch
    # With time enough a port that can be found, or foretold, nearly always is, if
    # anything is let in.
    isThorough = listener.isThorough and dialer.isThorough
    deaf = _unmet(listener, dialer, isBehindSameNAT) if isThorough else None
    return deaf or (SearchFailed if isSearch else PredictionFailed)


def verdictForBehaviors(
    first: ObservedBehavior | None, second: ObservedBehavior | None
) -> type[NoDirectPath] | None:
    """
    Why there is never a direct path between such NATs, whatever is tried.
    """
    if first is None or second is None:
        return None
    if first.isRandom and second.isRandom:
        return BothRandomMapping
    isNext = first.isSequential or second.isSequential
    isAny = first.isRandom or second.isRandom
    return RandomAgainstSequential if isNext and isAny else None


def _unmet(
    listener: AttemptReport, dialer: AttemptReport, isBehindSameNAT: bool
) -> type[NoDirectPath] | None:
    """
    Why there was nobody where the other side was sure to be.
    """
    seen = listener.outcomes | dialer.outcomes
    if isBehindSameNAT and seen <= _SILENT | _BLOCKED:
        return NoHairpin
    return NoSimultaneousOpen if seen <= _SILENT else None


def _isBlocked(one: AttemptReport, other: AttemptReport) -> bool:
    """
    Whether one side's network lets out little: the other's came to where somebody
    looked at it, and this one's did not, nor to the other.
    """
    isDark = one.isBlocked and other.behavior is not None
    return isDark and bool(one.outcomes) and one.outcomes <= _BLOCKED | _SILENT
