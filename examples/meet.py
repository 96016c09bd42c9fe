"""
Meet a friend: C{python meet.py tcp:RENDEZVOUS:4040} prints a code, and
C{python meet.py tcp:RENDEZVOUS:4040 CODE} on the other machine dials it.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import react

from punch import PunchError, Settings, dial, listen
from punch.events import CodeAllotted, Event


class Greeter(Protocol):
    """
    Say one thing, and print what the other side says.
    """

    transport: ITCPTransport

    def connectionMade(self) -> None:
        print("linked with", self.transport.getPeer())
        self.transport.write(b"hello from the other side\n")
        self.transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        print(data.decode(), end="")


def tell(event: Event) -> None:
    """
    Hear what happens; of all that, show the code.
    """
    if isinstance(event, CodeAllotted):
        print("the code is", event.code)


async def main(reactor: Any, rendezvous: str, code: str = "") -> None:
    """
    Dial C{code}, or wait under a new one.
    """
    settings = Settings(tell=tell)
    try:
        if code:
            link = await dial(reactor, rendezvous, code, settings)
        else:
            link = await listen(reactor, rendezvous, settings)
    except PunchError as error:
        sys.exit(f"{error.reason.value}: {error}")
    link.start(Greeter())
    lost = await link.whenEnded()
    print("the end:", lost or "everything arrived, both ways")


if __name__ == "__main__":
    react(lambda reactor, *args: main(reactor, *args), sys.argv[1:])
