"""
The verdict on a pair: why its peers found no direct path, from what each of them saw.

Both tell each other, and judge by the same: so they come to the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from punch.checklist import Outcome
from punch.pairerrors import (
    BothRandomMapping,
    DialerBlocksOutbound,
    ListenerBlocksOutbound,
    NoDirectPath,
    NoSearch,
    NoSimultaneousOpen,
    PredictionFailed,
    RandomAgainstSequential,
    SearchFailed,
)
from punch.translation import BadTranslation, Translation

_WORDS = frozenset(outcome.value for outcome in Outcome)

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
    what it tried has had the time that it needs.
    """

    translation: Translation | None
    outcomes: frozenset[str] = frozenset()
    searches: bool = True
    isThorough: bool = False

    def toFields(self) -> dict[str, Any]:
        """
        The fields in which the other side is told.
        """
        fields: dict[str, Any] = {
            "outcomes": sorted(self.outcomes),
            "searches": self.searches,
            "thorough": self.isThorough,
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
            searches, thorough = fields["searches"], fields["thorough"]
            return cls(translation, outcomes, searches is True, thorough is True)
        except (TypeError, KeyError, AttributeError, BadTranslation) as bad:
            raise BadAccount("not the shape of an account") from bad


def judge(listener: Account, dialer: Account) -> type[NoDirectPath] | None:
    """
    Why there is no direct path; C{None} if that can't be told.
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
        return NoSimultaneousOpen if _areSilent(listener, dialer) else None
    if first.isRandom and second.isRandom:
        return BothRandomMapping
    if (first.isRandom and second.isSequential) or (
        first.isSequential and second.isRandom
    ):
        return RandomAgainstSequential
    return _missed(listener, dialer, first.isRandom or second.isRandom)


def _missed(listener: Account, dialer: Account, isSearch: bool) -> type[NoDirectPath]:
    """
    Why a port was not met that can be found, or foretold.  With time enough it nearly
    always is, if anything is let in.
    """
    if isSearch and not (listener.searches and dialer.searches):
        return NoSearch
    isThorough = listener.isThorough and dialer.isThorough
    if isThorough and _areSilent(listener, dialer):
        return NoSimultaneousOpen
    return SearchFailed if isSearch else PredictionFailed


def _isBlocked(one: Account, other: Account) -> bool:
    """
    Whether one side's network lets out little: somebody else could look at the other
    from a second port, and it could not even get there.
    """
    isDark = one.translation is None and other.translation is not None
    return isDark and bool(one.outcomes) and one.outcomes <= _BLOCKED


def _areSilent(listener: Account, dialer: Account) -> bool:
    """
    Whether nobody answered at all.
    """
    silent = {Outcome.TIMED_OUT.value}
    return listener.outcomes <= silent and dialer.outcomes <= silent
