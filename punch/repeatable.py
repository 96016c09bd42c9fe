"""
The options of C{twist punch} that may be given more than once.
"""

from __future__ import annotations

from typing import ClassVar

from punch.commandline import PlainOptions


class RepeatableOptions(PlainOptions):
    """
    Options of which each collects its values in a list.

    @cvar repeatable: what each means.
    """

    repeatable: ClassVar[dict[str, str]] = {
        "expose": "The other side may connect to this: [NAME=]CLIENT-ENDPOINT;"
        " repeatable.",
        "forward": "What connects to this gets what the other side exposes by that"
        " name: [NAME=]SERVER-ENDPOINT; repeatable.",
        "draw": "With --trace FILE.html: draw this FILE.json, or two sides' in one"
        " picture, and exit; repeatable.",
        "stun": "Ask this STUN server, too, over TCP, where it sees us, and tell the"
        " other side: HOST:PORT; repeatable.",
    }

    def __init__(self) -> None:
        PlainOptions.__init__(self)
        self.docs.update(self.repeatable)
        self.update({each: [] for each in self.repeatable})

    def opt_expose(self, endpoint: str) -> None:
        """
        One more.
        """
        self["expose"].append(endpoint)

    def opt_forward(self, endpoint: str) -> None:
        """
        One more.
        """
        self["forward"].append(endpoint)

    def opt_draw(self, path: str) -> None:
        """
        One more.
        """
        self["draw"].append(path)

    def opt_stun(self, server: str) -> None:
        """
        One more.
        """
        self["stun"].append(server)
