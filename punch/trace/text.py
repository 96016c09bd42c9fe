"""
The text form of a trace, for the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from punch.trace.model import Lane, Span, Trace


def shortened(text: str, most: int) -> str:
    """
    C{text}; if it has more than C{most} characters, it is cut between two words, where
    that is possible, and ends in an ellipsis.
    """
    if len(text) <= most:
        return text
    start, space, _ = text[:most].rpartition(" ")
    if not space or len(start) < most // 2:
        start = text[: most - 2]
    return f"{start.rstrip()} …"


def milliseconds(seconds: float) -> str:
    """
    A time as a person reads it: in milliseconds, with a decimal if there are few.
    """
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def spanText(span: Span) -> str:
    """
    A span in words: how many, of what, with which outcome, from when to when.
    """
    many = f"{span.count} x " if span.count > 1 else ""
    outcome = span.outcome or "goes on"
    times = f"{milliseconds(span.start)} to {milliseconds(span.end)}"
    return f"{many}{span.what}: {outcome}, {times}"


def traceText(trace: Trace) -> str:
    """
    A trace in lines of text: first what came of the meeting; then lane by lane what
    came of the lane, and what happened in it, in the order of time.
    """
    detail = f" ({trace.detail})" if trace.detail else ""
    lines = [f"{trace.role}: {trace.verdict}{detail}"]
    for lane in trace.lanes:
        lines.append("  " + _headline(lane))
        lines += (f"    {milliseconds(at):>9}  {text}" for at, text in _events(lane))
    return "\n".join(lines)


def _headline(lane: Lane) -> str:
    about = f" ({lane.about})" if lane.about else ""
    return f"{lane.title}{about}" + (f": {lane.result}" if lane.result else "")


def _events(lane: Lane) -> Iterator[tuple[float, str]]:
    spans = (*lane.spans, *lane.stages)
    events = [((s.start, s.end, not s.outcome), spanText(s)) for s in spans]
    events += (((each.at, each.at, False), each.text) for each in lane.marks)
    # Of what began in one instant, what ended in it comes before what goes on.
    for when, text in sorted(events, key=lambda each: each[0]):
        yield when[0], text
