"""
Tests for L{punch.signaling.rejoin}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punch.link.attach import LINK_SIZE
from punch.signaling.pake import MESSAGE_SIZE
from punch.signaling.rejoin import Rejoin, splitPreface

_links = st.binary(min_size=LINK_SIZE, max_size=LINK_SIZE)
_pakes = st.binary(min_size=MESSAGE_SIZE, max_size=MESSAGE_SIZE)


@given(_links, st.binary(), _pakes)
def test_preface(link: bytes, secret: bytes, pake: bytes) -> None:
    """
    The listener reads the id of the link, and the PAKE message after it.
    """
    assert splitPreface(Rejoin(link, secret).preface + pake) == (link, pake)


@given(_pakes)
def test_fresh(pake: bytes) -> None:
    """
    A PAKE message alone is for a new link.
    """
    assert splitPreface(pake) == (None, pake)


@given(st.binary(max_size=200))
def test_anything(message: bytes) -> None:
    """
    Any bytes are read as one or the other, and none of them is lost.
    """
    link, pake = splitPreface(message)
    assert message.endswith(pake)
    assert len(message) - len(pake) == (0 if link is None else 1 + LINK_SIZE)


def test_secret() -> None:
    """
    The secret is the link's own, and does not show it.
    """
    one, other = (Rejoin(bytes(LINK_SIZE), each).secret for each in (b"a", b"b"))
    assert one != other
    assert len(one) == 32
    assert "sesame" not in repr(Rejoin(bytes(LINK_SIZE), b"sesame"))
