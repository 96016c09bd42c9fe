"""
A trace as text, for the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from punch.trace import Lane, Span, Trace


def milliseconds(seconds: float) -> str:
    """
    A time as a person reads it.
    """
    value = seconds * 1000
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def spanText(span: Span) -> str:
    """
    A span in words.
    """
    many = f"{span.count} x " if span.count > 1 else ""
    outcome = span.outcome or "goes on"
    times = f"{milliseconds(span.start)} to {milliseconds(span.end)}"
    return f"{many}{span.what}: {outcome}, {times}"


def traceText(trace: Trace) -> str:
    """
    A line for what came of it, and for each thing that happened, lane by lane.
    """
    lines = [f"{trace.role}: {trace.verdict}"]
    for lane in trace.lanes:
        lines.append("  " + _headline(lane))
        lines += (f"    {milliseconds(at):>9}  {text}" for at, text in _happened(lane))
    return "\n".join(lines)


def _headline(lane: Lane) -> str:
    about = f" ({lane.about})" if lane.about else ""
    return f"{lane.title}{about}" + (f": {lane.result}" if lane.result else "")


def _happened(lane: Lane) -> Iterator[tuple[float, str]]:
    happened = [(each.at, each.text) for each in lane.marks]
    happened += ((each.start, spanText(each)) for each in (*lane.spans, *lane.stages))
    yield from sorted(happened)
