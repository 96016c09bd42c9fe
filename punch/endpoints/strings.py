"""
Endpoint strings: what a C{punch:} string means, and what is wrong with a bad one.

Twisted finds them through L{punch.endpoints.parser}.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import quoteStringArgument

from punch.endpoints.endpoints import PunchClientEndpoint, PunchServerEndpoint
from punch.errors import BadEndpoint, PunchError
from punch.eventlog import EventLog
from punch.peer.instancelock import fileInstanceLocks
from punch.peer.relaypolicy import RelayPolicy
from punch.peer.settings import BadSetting, Settings
from punch.signaling.secretfile import readSecret

_SERVER = (
    "name",
    "secretfile",
    "rendezvous",
    "service",
    "port",
    "interface",
    "timeout",
    "search",
    "relay",
    "resumefor",
    "stun",
)
_CLIENT = ("code", *_SERVER)


class BadEndpointString(BadEndpoint, ValueError):
    """
    This punch: endpoint string is wrong; the detail says what to write.
    """

    def __str__(self) -> str:
        return f"punch: {self.detail}"


def serverEndpoint(
    reactor: Any, args: Sequence[object], kwargs: Mapping[str, object]
) -> PunchServerEndpoint:
    """
    Make the endpoint that listens where a string says.

    @param args: its values without a key, of which there should be none.
    @param kwargs: its values by their keys.
    @raise BadEndpointString: the string is wrong.
    """
    with _asBadString():
        if "code" in kwargs:
            raise BadEndpointString("a listener's code is made for it: no code=")
        values = _checked(args, kwargs, _SERVER)
        return PunchServerEndpoint(reactor, **_nameAndSecret(values), **_common(values))


def clientEndpoint(
    reactor: Any, args: Sequence[object], kwargs: Mapping[str, object]
) -> PunchClientEndpoint:
    """
    Make the endpoint that connects where a string says.  For the rest it is like
    L{serverEndpoint}.
    """
    with _asBadString():
        values = _checked(args, kwargs, _CLIENT)
        peer = _nameAndSecret(values) or _code(values)
        return PunchClientEndpoint(reactor, **peer, **_common(values))


@contextmanager
def _asBadString() -> Iterator[None]:
    """
    Turn whatever is wrong into a L{BadEndpointString}.
    """
    try:
        yield
    except BadEndpointString:
        raise
    except (PunchError, ValueError) as mistake:
        raise BadEndpointString(str(mistake)) from None


def _checked(
    args: Sequence[object], kwargs: Mapping[str, object], known: Sequence[str]
) -> dict[str, str]:
    """
    Check that each value has a known key.
    """
    if args:
        raise BadEndpointString(_aboutColons([str(each) for each in args], kwargs))
    for key, value in kwargs.items():
        if key not in known:
            keys = ", ".join(f"{each}=" for each in known)
            raise BadEndpointString(f"there is no {key}=; there are {keys}")
        if not value:
            raise BadEndpointString(f"{key}= is empty")
    return {key: str(value) for key, value in kwargs.items()}


def _aboutColons(args: Sequence[str], kwargs: Mapping[str, object]) -> str:
    """
    Say what to do about values that have no key.
    """
    rendezvous = kwargs.get("rendezvous")
    if rendezvous in ("tcp", "tls"):
        meant = quoteStringArgument(":".join([rendezvous, *args]))
        return (
            rf"write \: for a colon inside a value: rendezvous={meant}"
            " (and quote it for your shell)"
        )
    return (
        f"{args[0]!r} has no KEY= before it; if it belongs to the value before it,"
        r" write \: for the colon (and quote that for your shell)"
    )


def _nameAndSecret(kwargs: Mapping[str, str]) -> dict[str, Any]:
    """
    Read the name and the secret, if there are any.
    """
    if "code" in kwargs and "name" in kwargs:
        raise BadEndpointString("code= and name=: one of them only")
    for key, needed in (("name", "secretfile"), ("secretfile", "name")):
        if key in kwargs and needed not in kwargs:
            raise BadEndpointString(f"{key}= needs {needed}=")
    if "name" not in kwargs:
        return {}
    secret = readSecret(Path(kwargs["secretfile"]))
    return {"name": kwargs["name"], "secret": secret}


def _code(kwargs: Mapping[str, str]) -> dict[str, Any]:
    code = kwargs.get("code") or os.environ.get("PUNCH_CODE")
    if not code:
        raise BadEndpointString(
            "say code= (or $PUNCH_CODE), or name= and secretfile=: whom to meet"
        )
    return {"code": code}


def _common(kwargs: Mapping[str, str]) -> dict[str, Any]:
    """
    Read the rest of what both endpoints take.
    """
    rendezvous = kwargs.get("rendezvous") or os.environ.get("PUNCH_RENDEZVOUS")
    if not rendezvous:
        raise BadEndpointString(
            "say rendezvous= (or $PUNCH_RENDEZVOUS): where to meet, like"
            r" rendezvous=tls\:rv.example.org\:4041"
        )
    how: dict[str, Any] = {"rendezvous": rendezvous, "settings": _settings(kwargs)}
    if "service" in kwargs:
        how["service"] = kwargs["service"]
    return how


def _settings(kwargs: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {
        name: _number(name.lower(), kwargs[name.lower()])
        for name in ("port", "timeout", "search", "resumeFor")
        if name.lower() in kwargs
    }
    try:
        return Settings(
            **values,
            interface=kwargs.get("interface", ""),
            relay=RelayPolicy.named(kwargs.get("relay", "fallback")),
            instanceLocks=fileInstanceLocks,
            stun=tuple(kwargs["stun"].split(",")) if "stun" in kwargs else (),
            tell=EventLog(time.time),
        )
    except BadSetting as bad:
        text = bad.spelled(f"{bad.name.lower()}=")
        if bad.name == "stun":
            text += r"; write stun=HOST\:PORT, and a comma between two"
        raise BadEndpointString(text) from None


def _number(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e9:
        raise BadEndpointString(f"{key}= takes a number, not {text!r}")
    return int(number) if number.is_integer() else number
