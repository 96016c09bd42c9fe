"""
Fixtures for the tests of C{twist punch}.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.forwarding import LOCAL, Pair, Serve, saying, serving
from tests.support.processes import FEW_FILES, Program, freePort, openFiles


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """
    The two, and their targets.
    """
    place = tmp_path_factory.mktemp("forward")
    serve: list[Serve] = []
    with ExitStack() as stack:
        first, web, back, other = (
            stack.enter_context(serving(each))
            for each in (
                *map(saying, (b"first", b"web", b"back")),
                lambda connection: serve[0](connection),
            )
        )
        stack.enter_context(serving(saying(b"unix"), place / "target"))
        crowd = freePort()

        def start(name: str, *args: str, **more: Any) -> Program:
            program = Program(place, name, *args, **more)
            stack.callback(program.stop)
            return program

        # They raise that themselves: there will be crowds.
        limit = stack.enter_context(ExitStack())
        limit.enter_context(openFiles(FEW_FILES))
        port = freePort()
        listen = f"tcp:{port}:interface=127.0.0.1"
        start("rv", "punch-rendezvous", "--listen", listen).awaitLine("listens on")
        where = ("punch", "--rendezvous", f"tcp:localhost:{port}")
        listener = start(
            "listener",
            *where,
            *("--expose", f"tcp:localhost:{first}"),
            *("--expose", f"web=tcp:localhost:{web}"),
            *("--expose", f"ssh=unix:{place / 'target'}"),
            *("--expose", "ghost=tcp:localhost:1"),
            *("--expose", f"any=tcp:127.0.0.1:{other}"),
            *("--expose", f"crowd=tcp:127.0.0.1:{crowd}"),
            *("--forward", f"back={LOCAL}"),
        )
        code = {"PUNCH_CODE": listener.await_("code")["code"]}
        dialer = start(
            "dialer",
            *where,
            *("--forward", LOCAL),
            *("--forward", f"web={LOCAL}"),
            *("--forward", f"ssh=unix:{place / 's'}:mode=600"),
            *("--forward", f"ghost={LOCAL}", "--forward", f"nobody={LOCAL}"),
            *("--forward", f"any={LOCAL}"),
            *("--forward", f"crowd={LOCAL}:backlog=1000"),
            *("--expose", f"back=tcp:localhost:{back}"),
            environment=code,
        )
        dialer.await_("connected")
        limit.close()
        yield Pair(listener, dialer, serve, crowd)
