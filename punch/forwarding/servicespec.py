"""
Named endpoints: the C{[NAME=]ENDPOINT} of C{--expose} and C{--forward}.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from punch.errors import BadOption
from punch.streams.servicename import DEFAULT, LONGEST_NAME, isServiceName

E = TypeVar("E")

# Python's message about a missing argument begins with the name of the function.
_FUNCTION = re.compile(r"^[\w.]+\(\) ")


def splitService(text: str) -> tuple[str, str]:
    """
    Split C{[NAME=]ENDPOINT}.  The name is what stands before the first C{=}, unless a
    C{:} comes earlier.

    @return: the service's name, by default L{DEFAULT}, and the endpoint's description.
    @raise ValueError: a service cannot have this name.
    """
    name, equals, description = text.partition("=")
    if not equals or ":" in name:
        return DEFAULT, text
    if not isServiceName(name):
        raise ValueError(f"a name has 1 to {LONGEST_NAME} bytes")
    return name, description


def parseNamedEndpoint(
    usage: str, parse: Callable[[Any, str], E], reactor: Any, text: str
) -> tuple[str, E]:
    """
    Parse C{[NAME=]ENDPOINT}.

    @param usage: an example of the option whose value C{text} is.
    @param parse: L{clientFromString<twisted.internet.endpoints.clientFromString>} or
        L{serverFromString<twisted.internet.endpoints.serverFromString>}.
    @return: the service's name, and the endpoint.
    @raise BadOption: C{text} is neither a name and an endpoint, nor an endpoint.
    """
    try:
        service, description = splitService(text)
        return service, parse(reactor, description)
    except Exception as why:
        # Each kind of endpoint has its own parser, which raises its own errors.
        cause = _FUNCTION.sub("", str(why)) or type(why).__name__
        raise BadOption(f"{text!r}: {cause}; write for example {usage}") from why
