"""
The trace page: pictures of meetings in one HTML page, which loads nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

from punch.trace.markup import element, escaped
from punch.trace.model import Trace
from punch.trace.svg import renderSVG
from punch.trace.text import traceText

_MARGIN = 1.12
"""
A picture's length, as a multiple of what happens in it.
"""

_LONG = 2.5
"""
If a meeting is this many times as long as the time to the first path, or as the first
second, there is a picture of that time before the picture of the whole.
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1b1e23; --faint: #5c6470;
  --line: #dfe3e8; --head: #eef1f5; --winner: #e9f6ea; --word: #14171b;
  --pending: #c9d0da; --good: #58b368; --refused: #e58a7b; --silent: #d9a441;
  --taken: #b9a2dd; --bad: #e2604f; --stopped: #dde1e6; --various: #c98fa9;
  --begun: #a5b4c8; --ask: #8db8ea; --wait: #ecdca0; --tls: #7fb2f0; --attach: #55bdb4;
  --link: #4fae5f; --start: #8a5a00; --won: #17792c; --lost: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #15181c; --ink: #e8ebef;
  --faint: #a3acb8; --line: #30363e; --head: #22272e; --winner: #18301e;
  --word: #f4f6f8; --pending: #4d5662; --good: #2f7d3f; --refused: #94483c;
  --silent: #87620f; --taken: #66508f; --bad: #b3372b; --stopped: #363d46;
  --various: #7d4a62; --begun: #5a6880; --ask: #2f5f97; --wait: #5f5426; --tls: #28619f;
  --attach: #1f736c; --link: #2f7d3f; --start: #e0b050; --won: #6ecb80;
  --lost: #ff9486; } }
body { margin: 1.5rem auto; padding: 0 1rem; max-width: 80rem; background: var(--page);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.2rem; margin: 0 0 1rem; color: var(--faint); font-weight: normal; }
h2 { font-size: 1.2rem; margin: 1.5rem 0 0.2rem; overflow-wrap: anywhere; }
h2.connected { color: var(--won); } h2.failed { color: var(--lost); }
p { margin: 0.2rem 0; color: var(--faint); overflow-wrap: anywhere; }
figure { margin: 0.8rem 0; overflow-x: auto; }
figcaption { color: var(--faint); margin-bottom: 0.2rem; }
svg { box-sizing: border-box; width: 100%; min-width: 58rem; display: block;
  border: 1px solid var(--line); border-radius: 6px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .grid path { stroke: var(--line); } svg .grid text { fill: var(--faint); }
svg .head { fill: var(--head); } svg text.role { font-weight: bold; font-size: 14px; }
svg .back { fill: none; stroke: var(--line); }
svg .winner .back { fill: var(--winner); }
svg text.title { font: 12px ui-monospace, monospace; font-weight: bold; }
svg text.long { font-size: 9px; }
svg text.about { fill: var(--faint); font-size: 11px; }
svg text.result { font-size: 11.5px; } svg .winner text.result { fill: var(--won);
  font-weight: bold; }
svg text.words { font-size: 11px; fill: var(--word); }
svg text.beside { fill: var(--faint); }
svg text.beside, svg .instant text { paint-order: stroke; stroke: var(--page);
  stroke-width: 3px; stroke-linejoin: round; }
svg .winner text.beside { stroke: var(--winner); }
svg .began { stroke: var(--ink); stroke-opacity: 0.55; }
svg .mark { fill: var(--ink); }
svg .instant path { stroke-width: 1.5; fill: none; }
svg .start path { stroke: var(--start); stroke-dasharray: 5 3; }
svg .start text { fill: var(--start); } svg .won text { fill: var(--won); }
svg .won path { stroke: var(--won); }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem;
  font-size: 13px; color: var(--faint); }
i { display: inline-block; width: 1.4em; height: 0.8em; margin-right: 0.4em; }
details { margin: 0.4rem 0 2rem; } summary { cursor: pointer; color: var(--faint); }
pre { overflow-x: auto; font-size: 12.5px; }
"""

_LEGEND = (
    ("begun", "many connects begun"),
    ("pending", "connecting"),
    ("good", "connected"),
    ("refused", "refused"),
    ("silent", "no answer, or unreachable"),
    ("taken", "taken: the other side came in meanwhile"),
    ("bad", "rejected: it broke off, or had the wrong pin"),
    ("stopped", "stopped, as the race was over"),
    ("various", "various outcomes"),
    ("ask", "hello and dial"),
    ("wait", "waiting for the other side, or for the agreed instant"),
    ("tls", "TLS"),
    ("attach", "attaching"),
    ("link", "the link"),
)


def tracePage(meetings: Iterable[Sequence[Trace]]) -> str:
    """
    A page of meetings.

    @param meetings: for each meeting one trace, or both sides' traces.
    """
    return page([section(each) for each in meetings])


def page(sections: Sequence[str]) -> str:
    """
    A page of meetings.

    @param sections: for each meeting what L{section} answers.
    """
    count = len(sections)
    nothing = element("p", "No meeting has begun yet.")
    head = element(
        "head",
        '<meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>',
        element("title", "punch: trace"),
        element("style", _STYLE, *(_fill(kind) for kind, _ in _LEGEND)),
    )
    body = element(
        "body",
        element("h1", f"twist punch: {count} meeting{'' if count == 1 else 's'}"),
        *(sections or [nothing]),
        _legend(),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _fill(kind: str) -> str:
    color = f"var(--{kind})"
    return f"svg .{kind} {{ fill: {color}; }} i.{kind} {{ background: {color}; }}\n"


def _legend() -> str:
    colors = [(element("i", class_=kind), text) for kind, text in _LEGEND]
    return element("ul", *(element("li", i, escaped(text)) for i, text in colors))


def section(traces: Sequence[Trace]) -> str:
    """
    One meeting, as a section of a page.

    @param traces: one side's trace, or both sides'.
    """
    first = traces[0]
    state = first.state.replace(" ", "-")
    return element(
        "section",
        element("h2", escaped(first.verdict), class_=state),
        *_details(traces),
        *(element("p", escaped(_facts(each))) for each in traces),
        *_figures(traces),
        element(
            "details",
            element("summary", "In words"),
            *(element("pre", _lines(traceText(each))) for each in traces),
        ),
        "\n",
    )


def _details(traces: Sequence[Trace]) -> Iterator[str]:
    for each in traces:
        if each.detail:
            yield element("p", escaped(f"The {each.role} {each.detail}."))


def _facts(trace: Trace) -> str:
    began = datetime.fromtimestamp(trace.began, timezone.utc)
    met = f"; introduction {trace.introduction}" if trace.introduction else ""
    return (
        f"By the {trace.role}'s clock, 0 ms is {began:%Y-%m-%d %H:%M:%S}."
        f"{began.microsecond // 1000:03} UTC{met}"
    )


def _lines(text: str) -> str:
    return "\n".join(map(escaped, text.splitlines()))


def _figures(traces: Sequence[Trace]) -> Iterator[str]:
    whole = max(each.length for each in traces) * _MARGIN
    won, start = traces[0].won, traces[0].start
    if won is not None:
        early, caption = won * _MARGIN * _MARGIN, "Until the first path:"
    else:
        early, caption = (start or 0.0) + 1.0, "The first second:"
    if whole > early * _LONG:
        yield _figure(traces, early, caption)
        yield _figure(traces, whole, "All of it:")
    else:
        yield _figure(traces, whole, "")


def _figure(traces: Sequence[Trace], until: float, caption: str) -> str:
    shown = [element("figcaption", escaped(caption))] if caption else []
    return element("figure", *shown, renderSVG(traces, until))
