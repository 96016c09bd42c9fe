"""
Tests for L{punch.util.framing}.  (Real framings: L{tests.link.test_records} and
L{tests.yamux.test_frames}.)
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punch.util.framing import PieceDecoder


class _Counted(PieceDecoder[int]):
    """
    A head is one byte: how many bytes of payload follow; it is told as a number.
    """

    def _next(self, received: bytes, start: int, found: list[int | bytes]) -> int:
        self._remaining = received[start]
        found.append(received[start])
        return 1


@given(st.lists(st.binary(max_size=255), max_size=5), st.lists(st.integers(1, 300)))
def test_passes(payloads: list[bytes], sizes: list[int]) -> None:
    """
    However the bytes arrive, each head comes once and its payload behind it, whole
    in pieces none of which is empty; nothing is held.
    """
    wire = b"".join(bytes([len(each)]) + each for each in payloads)
    decoder, found = _Counted(), list[int | bytes]()
    for size in (*sizes, len(wire)):
        found += decoder.feed(wire[:size])
        wire = wire[size:]
        assert not decoder._partial
    told: list[bytes] = []
    for each in found:
        if isinstance(each, int):
            told.append(b"")
        else:
            assert each
            told[-1] += each
    assert told == payloads


def test_hotPath() -> None:
    """
    What is payload altogether passes as the very object that came.
    """
    decoder = _Counted()
    assert decoder.feed(b"\xff") == [255]
    data = bytes(255)
    [passed] = decoder.feed(data)
    assert passed is data
