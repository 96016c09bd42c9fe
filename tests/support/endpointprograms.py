"""
Programs that know nothing of punch but their endpoint strings: C{python
endpointprograms.py NAME STRING...}
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IHalfCloseableProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import react
from twisted.protocols.amp import AMP, Command, Integer
from twisted.python.failure import Failure
from twisted.spread import pb
from twisted.web.client import URI, Agent, readBody
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

LAST_WORDS = 200_000


class Sum(Command):
    """
    Of two numbers.
    """

    arguments = [(b"a", Integer()), (b"b", Integer())]
    response = [(b"total", Integer())]


class Calculator(AMP):
    """
    Knows sums.
    """

    @Sum.responder
    def sum(self, a: int, b: int) -> dict[str, int]:
        """
        The sum.
        """
        return {"total": a + b}


class Root(pb.Root):
    """
    Repeats what it is told.
    """

    def remote_echo(self, text: str) -> str:
        """
        The same again.
        """
        return text


@implementer(IHalfCloseableProtocol)
class FinishesFirst(Protocol):
    """
    Says nothing, and counts what the other side has to say.
    """

    transport: Any

    def connectionMade(self) -> None:
        self._heard = 0
        self.transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        self._heard += len(data)

    def readConnectionLost(self) -> None:
        """
        That was all.
        """
        print(f"heard {self._heard}", flush=True)

    def writeConnectionLost(self) -> None:
        """
        We have finished; of course.
        """


@implementer(IHalfCloseableProtocol)
class FinishesLast(Protocol):
    """
    Writes when the other side has finished, and then is done, with everything.
    """

    transport: Any

    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred()

    def readConnectionLost(self) -> None:
        """
        Now it is our turn.
        """
        self.transport.write(b"!" * LAST_WORDS)
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        We have written.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(None)


@implementer(IAgentEndpointFactory)
class Always:
    """
    Whatever the URL says, here it is.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """
        The endpoint to connect to.
        """
        return self._endpoint


async def serve(reactor: Any, *strings: str) -> None:
    """
    Listen as C{FinishesFirst}, for PB, and for AMP.
    """
    factories: list[Any] = [
        Factory.forProtocol(FinishesFirst),
        pb.PBServerFactory(Root()),
        Factory.forProtocol(Calculator),
    ]
    for string, factory in zip(strings, factories, strict=True):
        await serverFromString(reactor, string).listen(factory)
    print("listening", flush=True)
    await Deferred()


async def get(reactor: Any, string: str, path: str) -> None:
    """
    Print what a web server has.
    """
    endpoint = clientFromString(reactor, string)
    agent = Agent.usingEndpointFactory(reactor, Always(endpoint))
    for _ in range(2):
        response = await agent.request(b"GET", b"http://home/" + path.encode())
        print(response.code, (await readBody(response)).decode(), end="")


async def call(reactor: Any, forPB: str, forAMP: str) -> None:
    """
    Call something by PB, then something by AMP.
    """
    factory = pb.PBClientFactory()
    await clientFromString(reactor, forPB).connect(factory)
    root = await factory.getRootObject()
    print(await root.callRemote("echo", "Hello."))
    endpoint = clientFromString(reactor, forAMP)
    caller: Any = await endpoint.connect(Factory.forProtocol(AMP))
    print(await caller.callRemote(Sum, a=1, b=2))
    factory.disconnect()
    caller.transport.loseConnection()


async def last(reactor: Any, string: str) -> None:
    """
    Have the last word, and end at once.
    """
    endpoint = clientFromString(reactor, string)
    protocol: Any = await endpoint.connect(Factory.forProtocol(FinishesLast))
    await protocol.done


PROGRAMS = {each.__name__: each for each in (serve, get, call, last)}

if __name__ == "__main__":
    program: Any = PROGRAMS[sys.argv[1]]
    react(lambda reactor, *args: program(reactor, *args), sys.argv[2:])
