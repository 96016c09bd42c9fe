"""
Programs that use endpoints.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure

from punch.endpoints.endpoints import PunchClientEndpoint, PunchServerEndpoint
from punch.endpoints.server import ServicePort
from punch.events import Connected
from punch.streams.servicename import DEFAULT

from .meetings import isDown
from .program import Program, Talker
from .services import NAME, SECRET, Talkers
from .world import WHERE, World, pair


class Serving:
    """
    A server endpoint of a program, and what its factory made.

    @ivar port: what C{listen} gave, if it did.
    @ivar error: or what it failed with.
    """

    def __init__(
        self, program: Program, service: str = DEFAULT, coded: bool = False, **more: Any
    ) -> None:
        """
        @param coded: wait under a code.
        """
        self.program = program
        self.factory = Talkers(program.network, b"Served.")
        self.port: ServicePort | None = None
        self.error: BaseException | None = None
        self.endpoint = PunchServerEndpoint(
            program.host,
            WHERE,
            name="" if coded else NAME,
            secret=b"" if coded else SECRET,
            service=service,
            settings=program.settings(**more),
        )
        self.listening: Deferred[Any] = self.endpoint.listen(self.factory)
        self.listening.addCallbacks(self._listens, self._failed)

    def _listens(self, port: ServicePort) -> None:
        self.port = port

    def _failed(self, failure: Failure) -> None:
        self.error = failure.value

    def stop(self) -> Deferred[None]:
        """
        Stop listening.
        """
        assert self.port is not None
        return self.port.stopListening()


class Connecting:
    """
    One connection of a client endpoint.

    @ivar error: why it did not come about, if it did not.
    """

    def __init__(self, endpoint: PunchClientEndpoint, program: Program) -> None:
        self.factory = Talkers(program.network, b"Asked.")
        self._talker: Talker | None = None
        self.error: BaseException | None = None
        self.connecting: Deferred[Any] = endpoint.connect(self.factory)
        self.connecting.addCallbacks(self._connected, self._failed)

    def _connected(self, protocol: IProtocol) -> None:
        assert isinstance(protocol, Talker)
        self._talker = protocol

    def _failed(self, failure: Failure) -> None:
        self.error = failure.value

    @property
    def isConnected(self) -> bool:
        """
        Whether it came about.
        """
        return self._talker is not None

    @property
    def talker(self) -> Talker:
        """
        What runs on it, once it has come about.
        """
        assert self._talker is not None, self.error
        return self._talker

    @property
    def over(self) -> bool:
        """
        Whether there is a result.
        """
        return self.isConnected or self.error is not None

    def lose(self) -> None:
        """
        End the connection, or give it up if there is none yet.
        """
        if self.isConnected:
            self.talker.transport.loseConnection()
        else:
            self.connecting.cancel()


def endpointOf(
    program: Program, service: str = DEFAULT, **more: Any
) -> PunchClientEndpoint:
    """
    A client endpoint of a program, for the server under the standing name.
    """
    settings = program.settings(**more)
    return PunchClientEndpoint(
        program.host,
        WHERE,
        name=NAME,
        secret=SECRET,
        service=service,
        settings=settings,
    )


def connecting(program: Program, service: str = DEFAULT, **more: Any) -> Connecting:
    """
    Connect, by an endpoint of its own.
    """
    return Connecting(endpointOf(program, service, **more), program)


def serving(*services: str, **options: Any) -> tuple[World, list[Serving]]:
    """
    A world whose listener serves, by default the default service.
    """
    world = pair(**options)
    made = [Serving(world.listener, each) for each in services or (DEFAULT,)]
    assert world.until(lambda: all(each.port for each in made))
    world.run(1.0)
    return world, made


def connected(world: World, *services: str) -> list[Connecting]:
    """
    Connections from the dialer, once they are there.
    """
    made = [connecting(world.dialer, each) for each in services or (DEFAULT,)]
    assert world.until(lambda: all(each.over for each in made))
    assert not [each.error for each in made if each.error]
    return made


def failure(world: World, client: Connecting) -> BaseException:
    """
    Why a connection does not come about.
    """
    assert world.until(lambda: client.over)
    assert client.error is not None
    return client.error


def links(program: Program) -> int:
    """
    How many links a program has had.
    """
    return len(program.told(Connected))


def finish(world: World, *servings: Serving) -> None:
    """
    Stop what listens, and see that all programs are released, and the world empty.
    """
    for each in servings:
        world.spin(each.stop())
        assert each.factory.starts == 0
    world.run(1.0)
    assert all(isDown(world, program) for program in world.programs), world
    world.end()
