"""
Tests for L{punch.forwarding.expose}.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionLost

from punch.errors import BadOption
from punch.forwarding.expose import CONNECT_TIMEOUT, parseExposed
from punch.forwarding.localconnection import LocalConnections
from punch.streams.errors import NoSuchService, StreamError, TargetRefused
from punch.streams.outbound import OutboundRequest
from tests.support.doubles import watching
from tests.support.forwardedpair import ForwardedPair
from tests.support.programs import HalfCloser, Service


def asked(
    forwarded: ForwardedPair, service: str
) -> tuple[OutboundRequest, list[Any], HalfCloser]:
    """
    A request of the dialer's, its outcome so far, and the protocol that runs on it.
    """
    multiplexer = forwarded.near.pool.newest()
    assert multiplexer is not None
    request = forwarded.spin(multiplexer.open(service))
    outcome: list[Any] = []
    request.whenAccepted().addBoth(outcome.append)
    request.stream.start(protocol := HalfCloser())
    forwarded.run()
    return request, outcome, protocol


def refusal(forwarded: ForwardedPair, service: str) -> StreamError:
    """
    How a request was refused.
    """
    _, [failure], protocol = asked(forwarded, service)
    assert protocol.reason is not None
    assert protocol.reason.check(ConnectionLost)
    error: StreamError = failure.value
    return error


def test_named() -> None:
    """
    Each name leads to its own target.
    """
    targets = ["tcp:192.0.2.4:22", "web=tcp:192.0.2.4:80", "ssh=tcp:192.0.2.4:22"]
    forwarded = ForwardedPair(expose=targets).link()
    web = Service(forwarded.target, 80)
    for service, target in (
        ("web", web),
        ("ssh", forwarded.service),
        ("default", forwarded.service),
    ):
        before = len(target.accepted)
        _, outcome, _ = asked(forwarded, service)
        assert outcome == [None]
        assert len(target.accepted) == before + 1


@pytest.mark.parametrize(
    "service", ["ssh", "", "Default", "tcp:192.0.2.4:22", "\ufffd"]
)
def test_noSuchService(service: str) -> None:
    """
    What has no name here can't be reached.
    """
    forwarded = ForwardedPair().link()
    if service:
        assert isinstance(refusal(forwarded, service), NoSuchService)
    assert forwarded.service.accepted == []
    assert len(forwarded.far.connections) == 0


def test_targetRefuses() -> None:
    """
    A target that refuses is a refusal there; here the log has the cause.
    """
    forwarded = ForwardedPair().link()
    forwarded.service.listening.stopListening()
    with watching() as log:
        assert isinstance(refusal(forwarded, "default"), TargetRefused)
    [line] = [each for each in log.sentences if "was refused 'default'" in each]
    assert "TargetRefused" in line
    assert "Connection was refused by other side" in line
    assert forwarded.isQuiet


def test_targetSilent() -> None:
    """
    So is one that does not answer within the time it has.
    """
    forwarded = ForwardedPair(expose=["tcp:192.0.2.4:22:timeout=9999"]).link()
    forwarded.target.cut()
    _, outcome, _ = asked(forwarded, "default")
    forwarded.run(CONNECT_TIMEOUT - 2)
    assert outcome == []
    with watching() as log:
        forwarded.run(2)
    assert isinstance(outcome[0].value, TargetRefused)
    assert "timeout" in log.sentences[-1]
    assert forwarded.isQuiet


def test_openerLeaves() -> None:
    """
    If whoever asked has gone, we don't go on to connect.
    """
    forwarded = ForwardedPair().link()
    forwarded.target.cut()
    request, outcome, _ = asked(forwarded, "default")
    with watching() as log:
        request.stream.abortConnection()
        forwarded.run()
    assert log.sentences == []
    forwarded.target.mend()
    forwarded.run(60)
    assert forwarded.service.accepted == []
    assert len(outcome) == 1
    assert forwarded.isQuiet


def test_mistakes() -> None:
    """
    No endpoint, or one name twice, is a mistake.
    """
    clock: Any = ForwardedPair().network.clock
    connections = LocalConnections(clock)
    with pytest.raises(BadOption, match="--expose"):
        parseExposed(clock, ["nonsense"], connections)
    with pytest.raises(BadOption, match="'default'"):
        parseExposed(clock, ["tcp:h:1", "tcp:h:2"], connections)
    with pytest.raises(BadOption, match="'a'"):
        parseExposed(clock, ["a=tcp:h:1", "b=tcp:h:1", "a=tcp:h:2"], connections)
