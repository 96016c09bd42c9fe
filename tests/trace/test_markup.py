"""
Tests for L{punch.trace.markup}.
"""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from punch.trace.markup import element, escaped

anyText = st.text(st.characters())


@given(anyText, anyText)
def test_anyText(inside: str, value: str) -> None:
    """
    Whatever the text is, the markup is one element that has this text.
    """
    found = ElementTree.fromstring(element("a", escaped(inside), b__c=value))
    assert len(found) == 0
    if inside.isprintable():
        assert (found.text or "") == inside
    if value.isprintable():
        assert found.attrib == {"b-c": value}


def test_hostile() -> None:
    """
    Markup in a text stays text; characters that cannot be seen are replaced.
    """
    assert escaped("<script>&") == "&lt;script&gt;&amp;"
    assert escaped("a\0\u202eb\ud800") == "a\ufffd\ufffdb\ufffd"
    assert element("a", class_='"><b>') == '<a class="&quot;&gt;&lt;b&gt;"></a>'


def test_numbers() -> None:
    """
    A number is written with at most one decimal.
    """
    assert element("a", x=1.25, y=2.0, z=3) == '<a x="1.2" y="2" z="3"></a>'
