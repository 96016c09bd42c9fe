"""
A named endpoint: the C{[NAME=]ENDPOINT} of C{--expose} and C{--forward}.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from punch.errors import BadOption
from punch.streams.servicename import DEFAULT, LONGEST_NAME, isServiceName

E = TypeVar("E")

# Where Python tells whose argument is missing.
_FUNCTION = re.compile(r"^[\w.]+\(\) ")


def splitService(text: str) -> tuple[str, str]:
    """
    The service, and the endpoint's description.  The service is what stands before
    the first C{=} if it holds no C{:}, else the default one.

    @raise ValueError: a service can't have this name.
    """
    name, equals, description = text.partition("=")
    if not equals or ":" in name:
        return DEFAULT, text
    if not isServiceName(name):
        raise ValueError(f"a name has 1 to {LONGEST_NAME} bytes")
    return name, description


def namedEndpoint(
    usage: str, parse: Callable[[Any, str], E], reactor: Any, text: str
) -> tuple[str, E]:
    """
    The service, and the endpoint itself.

    @param usage: the option whose value C{text} is, and how that is written.
    @param parse: L{twisted.internet.endpoints.clientFromString}, or the server's.
    @raise BadOption: it is neither.
    """
    try:
        service, description = splitService(text)
        return service, parse(reactor, description)
    except Exception as why:
        # Each kind of endpoint has a parser of its own, with errors of its own.
        cause = _FUNCTION.sub("", str(why)) or type(why).__name__
        raise BadOption(f"{text!r}: {cause}; write for example {usage}") from why
