"""
The verdict on a pair: why its peers found no direct path, from what each of them saw.

Both tell each other, and judge by the same: so they come to the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punch.nat.behavior import BadTranslation, Translation
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


class BadAccount(ValueError):
    """
    This is no account.
    """


@dataclass(frozen=True)
class Account:
    """
    What one peer saw.

    C{translation}: what its NATs do with ports; C{None} if that could not be told.
    C{outcomes}: of its attempts at the address at which the rendezvous sees the other
    (values of L{Outcome}).  C{searches}: whether it may search.  C{isThorough}: whether
    what it tried has had the time that it needs.  C{isBlocked}: it reached the
    rendezvous, and none of its other vantages.
    """

    translation: Translation | None
    outcomes: frozenset[str] = frozenset()
    searches: bool = True
    isThorough: bool = False
    isBlocked: bool = False

    def toFields(self) -> dict[str, Any]:
        """
        The fields in which the other side is told.
        """
        fields: dict[str, Any] = {
            "outcomes": sorted(self.outcomes),
            "searches": self.searches,
            "thorough": self.isThorough,
            "blocked": self.isBlocked,
        }
        if self.translation is not None:
            fields["nat"] = self.translation.toFields()
        return fields

    @classmethod
    def fromFields(cls, fields: Any) -> Account:
        """
        Read what the other side tells; outcomes that we don't know are passed over.

        @raise BadAccount: it is nothing of the kind.
        """
        try:
            outcomes = frozenset(_WORDS.intersection(fields["outcomes"]))
            nat = fields.get("nat")
            translation = None if nat is None else Translation.fromFields(nat)
            flags = [fields["searches"], fields["thorough"], fields.get("blocked")]
            return cls(translation, outcomes, *(each is True for each in flags))
        except (TypeError, KeyError, AttributeError, BadTranslation) as bad:
            raise BadAccount("not the shape of an account") from bad


def judge(
    listener: Account, dialer: Account, isBehindOne: bool = False
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
    first, second = listener.translation, dialer.translation
    if first is None or second is None:
        return None
    if first.keepsPort and second.keepsPort:
        return _unmet(listener, dialer, isBehindOne)
    foretold = foretell(first, second)
    if foretold is not None:
        return foretold
    isSearch = first.isRandom or second.isRandom
    if isSearch and not (listener.searches and dialer.searches):
        return NoSearch
    # With time enough a port that can be found, or foretold, nearly always is, if
    # anything is let in.
    isThorough = listener.isThorough and dialer.isThorough
    deaf = _unmet(listener, dialer, isBehindOne) if isThorough else None
    return deaf or (SearchFailed if isSearch else PredictionFailed)


def foretell(
    first: Translation | None, second: Translation | None
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
    listener: Account, dialer: Account, isBehindOne: bool
) -> type[NoDirectPath] | None:
    """
    Why there was nobody where the other side was sure to be.
    """
    seen = listener.outcomes | dialer.outcomes
    if isBehindOne and seen <= _SILENT | _BLOCKED:
        return NoHairpin
    return NoSimultaneousOpen if seen <= _SILENT else None


def _isBlocked(one: Account, other: Account) -> bool:
    """
    Whether one side's network lets out little: the other's came to where somebody
    looked at it, and this one's did not, nor to the other.
    """
    isDark = one.isBlocked and other.translation is not None
    return isDark and bool(one.outcomes) and one.outcomes <= _BLOCKED | _SILENT
