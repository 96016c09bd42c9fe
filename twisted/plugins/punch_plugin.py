"""
What C{twist} finds of us: instances only.
"""

from __future__ import annotations

from twisted.application.service import ServiceMaker

punch = ServiceMaker(
    "Punch",
    "punch.tap",
    "One direct, authenticated link to a program behind another NAT.",
    "punch",
)

rendezvous = ServiceMaker(
    "Punch rendezvous",
    "punch.rendezvous_tap",
    "Introduce peers behind NATs to each other.",
    "punch-rendezvous",
)
