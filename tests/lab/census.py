"""
The census: what the trials of a population come to, in tables.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import ceil, sqrt

from .table import milliseconds
from .trial import Result, Trial
from .truth import causeOf

_Z = 1.959964
_LINE = "{:>5}  {:<20} {:<20} {:<8} {:>9} {:>9}  {}"


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """
    The 95 % interval of a rate after Wilson.
    """
    if not trials:
        return 0.0, 1.0
    rate, z2 = successes / trials, _Z**2
    middle = rate + z2 / (2 * trials)
    margin = _Z * sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2))
    whole = 1 + z2 / trials
    return max(0.0, (middle - margin) / whole), min(1.0, (middle + margin) / whole)


def quantile(values: Iterable[float], share: float) -> float | None:
    """
    The value that so large a share of them does not exceed; L{None} of none.
    """
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def headline() -> str:
    """
    The head of what L{line} says.
    """
    return _LINE.format(
        "pair", "listener", "dialer", "result", "usable", "direct", "why not direct"
    )


def line(trial: Trial) -> str:
    """
    One trial.
    """
    pair = trial.pair
    return _LINE.format(
        pair.index,
        pair.listener,
        pair.dialer,
        trial.result.value,
        milliseconds(trial.usable),
        milliseconds(trial.direct),
        trial.why or ("-" if trial.direct is not None else "not said"),
    )


def summary(trials: Sequence[Trial]) -> str:
    """
    All tables.
    """
    parts = (_rates(trials), _times(trials), _classes(trials), _pairs(trials))
    return "\n\n".join(filter(None, (*parts, _whys(trials), _truths(trials))))


def _rates(trials: Sequence[Trial]) -> str:
    lines = []
    for result in Result:
        count = sum(trial.result is result for trial in trials)
        low, high = wilson(count, len(trials))
        lines.append(
            f"{result.value:<8} {count:>4} of {len(trials)}"
            f"  {_percent(count / max(1, len(trials)))}"
            f"  (95 %: {_percent(low)} to {_percent(high)})"
        )
    return "\n".join(lines)


def _times(trials: Sequence[Trial]) -> str:
    lines = [f"{'time to':<16} {'links':>5} {'median':>9} {'95th':>9}"]
    for name, values in (
        ("a usable link", [t.usable for t in trials if t.usable is not None]),
        ("a direct link", [t.direct for t in trials if t.direct is not None]),
    ):
        shown = [milliseconds(quantile(values, share)) for share in (0.5, 0.95)]
        lines.append(f"{name:<16} {len(values):>5} {shown[0]:>9} {shown[1]:>9}")
    return "\n".join(lines)


def _classes(trials: Sequence[Trial]) -> str:
    """
    Each class with the pairs that have a peer of it, on whichever side.
    """
    groups: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        for name in {trial.pair.listener, trial.pair.dialer}:
            groups[name].append(trial)
    return _table("class", groups)


def _pairs(trials: Sequence[Trial]) -> str:
    """
    The pairs of classes, whoever listens.
    """
    groups: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        names = sorted((trial.pair.listener, trial.pair.dialer))
        groups[" x ".join(names)].append(trial)
    return _table("pair of classes", groups)


def _table(title: str, groups: dict[str, list[Trial]]) -> str:
    width = max([len(title), *map(len, groups)])
    head = [each.value for each in Result]
    lines = [f"{title:<{width}} pairs {' '.join(f'{each:>8}' for each in head)}"]
    for name, trials in sorted(groups.items(), key=lambda item: (-len(item[1]), item)):
        counts = Counter(trial.result for trial in trials)
        shown = " ".join(f"{counts[each] or '-':>8}" for each in Result)
        lines.append(f"{name:<{width}} {len(trials):>5} {shown}")
    return "\n".join(lines)


def _whys(trials: Sequence[Trial]) -> str:
    missed = [trial for trial in trials if trial.result is not Result.DIRECT]
    if not missed:
        return "every pair became direct"
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for trial in missed:
        groups[trial.result.value, trial.why or "not said"].append(trial.pair.index)
    lines = ["not direct, and why: which pairs"]
    for (result, why), indices in sorted(groups.items()):
        shown = " ".join(str(index) for index in indices)
        lines.append(f"{result}, {why} ({len(indices)}): {shown}")
    return "\n".join(lines)


def _truths(trials: Sequence[Trial]) -> str:
    """
    How often the reason is the true one, of pairs that can't be direct, or were not.
    """
    told = [
        (trial.why, cause.value)
        for trial in trials
        if trial.result is not Result.DIRECT
        and (cause := causeOf(trial.pair.listener, trial.pair.dialer)) is not None
    ]
    right = sum(why == true for why, true in told)
    if all(trial.result is Result.DIRECT for trial in trials):
        return ""
    unknown = sum(trial.result is not Result.DIRECT for trial in trials) - len(told)
    lines = [f"the reason is the true one {right} of {len(told)} times"]
    for (why, true), count in sorted(Counter(told).items()):
        if why != true:
            lines.append(f"{why or 'not said'} for {true}: {count}")
    if unknown:
        lines.append(f"no cause is known of {unknown} others")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
