"""
The plugins that C{twist} and Twisted's endpoints find: instances only.
"""

from __future__ import annotations

from twisted.application.service import ServiceMaker

from punch.endpoints.parser import PunchParser
from punch.protocols.hello import EchoProtocol, HelloProtocol
from punch.protocols.simple import SimpleProtocol, StdioPlugin

punch = ServiceMaker(
    "Punch",
    "punch.cli.tap",
    "One direct, authenticated link to a program behind another NAT.",
    "punch",
)

rendezvous = ServiceMaker(
    "Punch rendezvous",
    "punch.cli.rendezvous_tap",
    "Introduce peers behind NATs to each other.",
    "punch-rendezvous",
)

check = ServiceMaker(
    "Punch check",
    "punch.cli.check_tap",
    "What the NATs before this host do, and what that means for direct links.",
    "punch-check",
)

hello = SimpleProtocol(
    "hello", "Say hello, and repeat what is heard first.", HelloProtocol
)
echo = SimpleProtocol("echo", "Send back whatever comes.", EchoProtocol)
stdio = StdioPlugin()

endpoints = PunchParser()
