"""
A trace as text, for the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from punch.trace.model import Lane, Span, Trace


def cut(text: str, most: int) -> str:
    """
    C{text}, if it is too long up to some word, and an ellipsis.
    """
    if len(text) <= most:
        return text
    start, space, _ = text[:most].rpartition(" ")
    if not space or len(start) < most // 2:
        start = text[: most - 2]
    return f"{start.rstrip()} …"


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
    detail = f" ({trace.detail})" if trace.detail else ""
    lines = [f"{trace.role}: {trace.verdict}{detail}"]
    for lane in trace.lanes:
        lines.append("  " + _headline(lane))
        lines += (f"    {milliseconds(at):>9}  {text}" for at, text in _happened(lane))
    return "\n".join(lines)


def _headline(lane: Lane) -> str:
    about = f" ({lane.about})" if lane.about else ""
    return f"{lane.title}{about}" + (f": {lane.result}" if lane.result else "")


def _happened(lane: Lane) -> Iterator[tuple[float, str]]:
    spans = (*lane.spans, *lane.stages)
    happened = [((s.start, s.end, not s.outcome), spanText(s)) for s in spans]
    happened += (((each.at, each.at, False), each.text) for each in lane.marks)
    # Of what began in one instant, what was over in it came before what goes on.
    for when, text in sorted(happened, key=lambda each: each[0]):
        yield when[0], text
