"""
The verdict: why two peers found no direct path, judged from what each of them saw.

Each peer tells the other what it saw, so both judge by the same and give the same
reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punch.nat import errors
from punch.nat.behavior import BadBehavior, ObservedBehavior
from punch.net.outcome import Outcome

# That no connect was possible is the probe's to tell, not a peer's.
_KNOWN = frozenset(each.value for each in Outcome if each is not Outcome.FAILED)

_SILENT = frozenset({Outcome.TIMED_OUT.value})

_BLOCKED = frozenset({Outcome.REFUSED.value, Outcome.UNREACHABLE.value})

_NO_ROUTE = frozenset({Outcome.UNREACHABLE.value})


class BadReport(ValueError):
    """
    The fields are not a peer's report of its attempts.
    """


@dataclass(frozen=True)
class AttemptReport:
    """
    What one peer saw of its attempts to reach the other.

    @ivar behavior: of its NATs; C{None} if it is not known.
    @ivar outcomes: what came of its attempts at the other peer's server-reflexive
        address (values of L{Outcome}).
    @ivar maySearch: whether it may search ports.
    @ivar isThorough: whether its attempts had enough time to succeed if they could.
    @ivar isBlocked: whether it reached the rendezvous, but none of the observers beside
        it (L{punch.nat.discovery}).
    """

    behavior: ObservedBehavior | None
    outcomes: frozenset[str] = frozenset()
    maySearch: bool = True
    isThorough: bool = False
    isBlocked: bool = False

    def toFields(self) -> dict[str, Any]:
        """
        The JSON fields that tell the other side.
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
        Read the JSON fields that the other side sent.  Outcomes that we do not know are
        ignored.

        @raise BadReport: the fields are not a report.
        """
        try:
            outcomes = frozenset(_KNOWN.intersection(fields["outcomes"]))
            nat = fields.get("nat")
            behavior = None if nat is None else ObservedBehavior.fromFields(nat)
            flags = [fields["searches"], fields["thorough"], fields.get("blocked")]
            return cls(behavior, outcomes, *(each is True for each in flags))
        except (TypeError, KeyError, AttributeError, BadBehavior) as bad:
            raise BadReport("not the shape of a report") from bad


def verdictFor(
    listener: AttemptReport, dialer: AttemptReport, isBehindSameNAT: bool = False
) -> type[errors.NoDirectPath] | None:
    """
    Why there is no direct path; C{None} if that cannot be told.

    @param isBehindSameNAT: whether the rendezvous sees both peers at one IP address.
    """
    if listener.outcomes == dialer.outcomes == _NO_ROUTE:
        # One has only IPv6 and the other only IPv4; NATs do not matter.
        return None
    if _isBlocked(listener, dialer):
        return errors.ListenerBlocksOutbound
    if _isBlocked(dialer, listener):
        return errors.DialerBlocksOutbound
    first, second = listener.behavior, dialer.behavior
    if first is None or second is None:
        return None
    if first.isEndpointIndependent and second.isEndpointIndependent:
        return _unmet(listener, dialer, isBehindSameNAT)
    certain = verdictForBehaviors(first, second)
    if certain is not None:
        return certain
    isSearch = first.isRandom or second.isRandom
    if isSearch and not (listener.maySearch and dialer.maySearch):
        return errors.NoSearch
    # With enough time a port that can be searched or predicted is nearly always found,
    # if the NATs let anything in.
    isThorough = listener.isThorough and dialer.isThorough
    unmet = _unmet(listener, dialer, isBehindSameNAT) if isThorough else None
    return unmet or (errors.SearchFailed if isSearch else errors.PredictionFailed)


def verdictForBehaviors(
    first: ObservedBehavior | None, second: ObservedBehavior | None
) -> type[errors.NoDirectPath] | None:
    """
    Why there is never a direct path between such NATs, whatever is tried; C{None} if
    there may be one.
    """
    if first is None or second is None:
        return None
    if first.isRandom and second.isRandom:
        return errors.BothRandomMapping
    isNext = first.isSequential or second.isSequential
    isAny = first.isRandom or second.isRandom
    return errors.RandomAgainstSequential if isNext and isAny else None


def _unmet(
    listener: AttemptReport, dialer: AttemptReport, isBehindSameNAT: bool
) -> type[errors.NoDirectPath] | None:
    """
    Why nothing came through although both external ports were known.
    """
    seen = listener.outcomes | dialer.outcomes
    if isBehindSameNAT and seen <= _SILENT | _BLOCKED:
        return errors.NoHairpin
    return errors.NoSimultaneousOpen if seen <= _SILENT else None


def _isBlocked(one: AttemptReport, other: AttemptReport) -> bool:
    """
    Whether one side's network blocks outbound connections: the other side reached an
    observer, and this one reached neither an observer nor the other side.
    """
    isBlocked = one.isBlocked and other.behavior is not None
    return isBlocked and bool(one.outcomes) and one.outcomes <= _BLOCKED | _SILENT
