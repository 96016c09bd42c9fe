"""
Markup: text and elements of XML, written so that HTML parsers read them alike.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

_STRANGE = "\N{REPLACEMENT CHARACTER}"


def escaped(text: str) -> str:
    """
    C{text}, whatever it is, as it is written between tags.  A replacement character
    stands for each character that cannot be seen, since XML forbids some of those.
    """
    return escape("".join(each if each.isprintable() else _STRANGE for each in text))


def element(name: str, *inside: str, **attributes: object) -> str:
    """
    An element.

    @param inside: markup, which is not escaped again.
    @param attributes: values are text.  In a name, C{__} stands for a hyphen, and a
        C{_} at the end is dropped.
    """
    named = "".join(
        f' {each.rstrip("_").replace("__", "-")}="{_attribute(value)}"'
        for each, value in attributes.items()
    )
    return f"<{name}{named}>{''.join(inside)}</{name}>"


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return escaped(str(value)).replace('"', "&quot;")
