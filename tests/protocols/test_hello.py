"""
Tests for L{punch.protocols.hello}.
"""

from __future__ import annotations

import pytest
from twisted.internet.testing import StringTransport

from punch.protocols.hello import EchoProtocol, HelloProtocol
from tests.support.doubles import Log


def hello() -> tuple[HelloProtocol, StringTransport]:
    """
    One side of the conversation.
    """
    protocol, transport = HelloProtocol(), StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def test_greets() -> None:
    """
    It says hello first.
    """
    assert hello()[1].value() == b"hello world!\n"


def test_repeatsTheFirst(logged: Log) -> None:
    """
    It repeats the first line that it hears, and logs every one.
    """
    protocol, transport = hello()
    transport.clear()
    protocol.dataReceived(b"good ")
    assert transport.value() == b""
    protocol.dataReceived(b"day\nand")
    assert transport.value() == b"good day\n"
    protocol.dataReceived(b" again\n")
    assert transport.value() == b"good day\n"
    assert logged.sentences == ["Heard: good day", "Heard: and again"]


def test_twoOfThem() -> None:
    """
    Two of them hear three lines in all and fall silent.
    """
    (one, to), (other, fro) = hello(), hello()
    for _ in range(5):
        said, answered = to.value(), fro.value()
        to.clear()
        fro.clear()
        other.dataReceived(said)
        one.dataReceived(answered)
        if not (to.value() or fro.value()):
            break
    assert (to.value(), fro.value()) == (b"", b"")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"dos\r", "dos"),
        (b"", ""),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n".encode(), "gr\xfcn"),
        (b"{braces}", "{braces}"),
    ],
)
def test_anyLine(logged: Log, line: bytes, said: str) -> None:
    """
    Any line is repeated as it came, and logged as far as it can be read.
    """
    protocol, transport = hello()
    transport.clear()
    protocol.dataReceived(line + b"\n")
    assert transport.value() == line + b"\n"
    assert logged.sentences == [f"Heard: {said}"]


def test_endless() -> None:
    """
    A line without an end is not listened to for ever.
    """
    protocol, transport = hello()
    protocol.dataReceived(b"x" * 100_000)
    assert transport.disconnecting


def test_echo() -> None:
    """
    Echo sends back what comes.
    """
    protocol, transport = EchoProtocol(), StringTransport()
    protocol.makeConnection(transport)
    for data in (b"any", b"\0\xff", b"thing"):
        protocol.dataReceived(data)
    assert transport.value() == b"any\0\xffthing"
