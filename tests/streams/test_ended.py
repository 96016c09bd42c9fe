"""
When a stream is over, for those who gave it to a protocol.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import succeed

from tests.support.programs import HalfCloser, Recorder

from .pairs import Streams


def test_ended() -> None:
    """
    C{whenEnded} fires when the protocol has heard of the end, not before.
    """
    streams = Streams()
    [mine, other] = streams.joined()
    heard: list[bool] = []
    ended = mine.transport.whenEnded()
    ended.addCallback(lambda result: heard.append(mine.isOpen))
    mine.transport.loseConnection()
    streams.run()
    assert heard == []
    other.transport.loseConnection()
    streams.run()
    assert heard == [False]


def test_endedAnyway() -> None:
    """
    It fires though the protocol fails in hearing it; and for who asks later.
    """

    class Failing(HalfCloser):
        def connectionLost(self, reason: object = None) -> None:
            raise ArithmeticError()

    streams = Streams()
    mine = streams.joined(Failing)[0]
    ended = mine.transport.whenEnded()
    with suppress(ArithmeticError):
        mine.transport.abortConnection()
    assert ended.called
    assert mine.transport.whenEnded().called


def test_abortedWhenAccepted() -> None:
    """
    Who aborts a stream as soon as it is accepted hears nothing of the data that came
    with the answer.
    """

    class Speaker(Recorder):
        def connectionMade(self) -> None:
            self.transport.write(b"Hello.")

    streams = Streams()
    streams.offers["service"] = lambda peer: succeed(Speaker())
    request = streams.request("service")
    mine = Recorder()

    def abort(result: None) -> None:
        request.stream.start(mine)
        request.stream.abortConnection()

    request.whenAccepted().addCallback(abort)
    streams.run()
    assert mine.received == b""
    assert not mine.isOpen
