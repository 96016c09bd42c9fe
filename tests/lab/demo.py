"""
The demonstration: the three programs, seen at work.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from time import monotonic, sleep

from .nats import DROP
from .requirements import missing
from .run import Meeting, NotStarted, Outcome
from .topology import Laboratory, Loopback, MeetingPoint

_TOLD = re.compile(r"\S+ \[(?P<system>[^\]#]*)(?:#(?P<level>\w+))?\] (?P<text>.*)")

_NATS = """\
Two peers who have never met, each behind a home router of its own, and a
rendezvous on the public Internet; all of it inside this machine: network
namespaces, the kernel's own NAT, and a wire with 20 ms on each leg, so that
every round trip takes 80 ms.

    listener {a.address}                        dialer {b.address}
        |                                            |
    router {a.publicAddress} ---- Internet ---- router {b.publicAddress}
                                 |
                        rendezvous {r.address}

Each router drops what nobody behind it asked for: neither peer can simply
connect to the other.  The rendezvous introduces them, and they meet by
connecting to each other at the same instant, each through its own router.
"""

_LOOPBACK = """\
Two peers and a rendezvous on this machine's loopback: the same programs and the
same introduction, code, keys and TLS; but with no NAT between them.

For two NATs, run it where it can make network namespaces.  What it misses here:
{missing}.
"""

_MORAL = """\
One direct TCP link, TLS 1.3, each side sure of the other: by a {o.kind}
candidate, {o.how} at the dialer, {milliseconds:.0f} ms after it began to dial."""

_FOR_THE_READER = 0.5


class Script:
    """
    The lines of the programs as a person reads them: whose, when, what.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        self._write = write
        self._started = monotonic()

    def say(self, text: str) -> None:
        """
        Something that no program says.
        """
        self._write(f"\n{text.strip()}\n")

    def hear(self, name: str, line: str) -> None:
        """
        A line of a program's log; Twisted's own news is left out.
        """
        told = _TOLD.fullmatch(line)
        if told is None:
            text = line
        elif told["system"].startswith("punch") or told["level"] not in ("info", None):
            text = told["text"]
        else:
            return
        elapsed = monotonic() - self._started
        self._write(f"{name:<10} | {elapsed:5.2f} s  {text}")


def demo() -> int:
    """
    Show it, across two NATs if we can.

    @return: the exit status.
    """
    lacking = missing()
    script = Script()
    if lacking:
        script.say(_LOOPBACK.format(missing=", ".join(lacking)))
        return _show(script, Loopback())
    with Laboratory(DROP, DROP) as lab:
        script.say(_NATS.format(a=lab.a, b=lab.b, r=lab.rendezvous))
        return _show(script, lab)


def _show(script: Script, place: MeetingPoint) -> int:
    with TemporaryDirectory(prefix="punch-demo-") as directory:
        try:
            outcome = _play(script, Meeting(place, Path(directory), echo=script.hear))
        except NotStarted as error:
            script.say(f"This did not start: {error}")
            return 1
    if not outcome.connected or outcome.elapsed is None:
        explanation = indent(outcome.explanation, "  ")
        script.say(f"No link: {outcome.reason}.\n{explanation}")
        return 1
    script.say(_MORAL.format(o=outcome, milliseconds=outcome.elapsed * 1000))
    if isinstance(place, Laboratory):
        script.say("(The least that it can cost is four round trips: 320 ms.)")
    return 0


def _play(script: Script, meeting: Meeting) -> Outcome:
    at = f"tcp:{meeting.place.rendezvousAddress}:{meeting.place.rendezvousPort}"
    script.say(
        f"$ twist punch-rendezvous --listen tcp:{meeting.place.rendezvousPort}\n"
        f"$ twist punch --rendezvous {at}"
    )
    with meeting:
        sleep(_FOR_THE_READER)
        script.say(
            "The listener's user tells the code to the dialer's, who types:\n"
            f"$ twist punch --rendezvous {at} --code {meeting.code}"
        )
        outcome = meeting.dial(linger=lambda: sleep(2 * _FOR_THE_READER))
        script.say("The dialer was stopped; now the listener and the rendezvous.")
    return outcome
