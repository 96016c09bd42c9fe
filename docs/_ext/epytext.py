"""
Epytext in reStructuredText's words: the docstrings are written in the one, Sphinx
reads the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_MARKUP = re.compile(r"([BCIL])\{([^{}]*)\}")
_LINK = re.compile(r"(?P<text>.*?)\s*<(?P<target>.*)>")
_FIELD = re.compile(r"(?P<indent>\s*)@(?P<tag>\w+)(?P<argument>[^:]*):(?P<rest>.*)")

_CLUMSY = (
    (re.compile(r"TypeAliasForwardRef\('(\w+)'\)"), r"\1"),
    (re.compile(r"<function (\w+)>"), r"\1"),
    (re.compile(r"<factory>"), "..."),
)

_FIELDS = {
    "param": "param",
    "return": "returns",
    "raise": "raises",
    "ivar": "ivar",
    "cvar": "cvar",
}


def _marked(match: re.Match[str]) -> str:
    """
    One piece of inline markup.
    """
    kind, text = match[1], " ".join(match[2].split())
    if kind == "I":
        return f"*{text}*"
    if kind == "B":
        return f"**{text}**"
    if kind == "C":
        return f"``{text}``"
    link = _LINK.fullmatch(text)
    if link is None:
        return f":py:obj:`{text}`"
    return f":py:obj:`{link['text']} <{link['target']}>`"


def _fielded(line: str) -> str | None:
    """
    The first line of a field; L{None} if C{line} is none.
    """
    match = _FIELD.fullmatch(line)
    if match is None or match["tag"] not in _FIELDS:
        return None
    argument = match["argument"].strip()
    name = f"{_FIELDS[match['tag']]} {argument}".strip()
    return f"{match['indent']}:{name}:{match['rest']}"


def translate(lines: list[str]) -> list[str]:
    """
    The lines of a docstring.
    """
    # Inline markup may go over a line's end; where it does, lines are joined.
    text = _MARKUP.sub(_marked, "\n".join(lines))
    translated: list[str] = []
    within = False
    for line in text.split("\n"):
        field = _fielded(line)
        if field is not None and not within and translated and translated[-1]:
            translated.append("")
        within = field is not None or (within and bool(line.strip()))
        translated.append(line if field is None else field)
    return translated


def _process(
    app: Sphinx,
    what: str,
    name: str,
    subject: object,
    options: object,
    lines: list[str],
) -> None:
    """
    C{autodoc-process-docstring}: change C{lines} in place.
    """
    lines[:] = translate(lines)


def _tidy(text: str | None) -> str | None:
    """
    A signature, without what no person would write.
    """
    for clumsy, plain in _CLUMSY:
        text = clumsy.sub(plain, text) if text else text
    return text


def _processSignature(
    app: Sphinx,
    what: str,
    name: str,
    subject: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """
    C{autodoc-process-signature}.
    """
    return _tidy(signature), _tidy(returns)


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Sphinx asks for this.
    """
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _processSignature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
