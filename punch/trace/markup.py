"""
Markup: text and elements of XML, so that HTML and XML parsers read them alike.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

_STRANGE = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """
    C{text} as it is put between tags, whatever it is; what cannot be seen (XML
    forbids some of it) is shown as a replacement.
    """
    return escape("".join(each if each.isprintable() else _STRANGE for each in text))


def element(name: str, *inside: str, **attributes: object) -> str:
    """
    An element.

    @param inside: markup.
    @param attributes: values are text; of a name C{__} is a hyphen and a C{_} at the
        end is dropped.
    """
    named = "".join(
        f' {each.rstrip("_").replace("__", "-")}="{_quoted(value)}"'
        for each, value in attributes.items()
    )
    return f"<{name}{named}>{''.join(inside)}</{name}>"


def _quoted(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return plain(str(value)).replace('"', "&quot;")
