"""
What every test here relies on: an error that nobody handled fails it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    eventAsText,
    globalLogBeginner,
    globalLogPublisher,
)
from zope.interface import implementer

from tests.support.whole.seeds import fixedIdentities as fixedIdentities


@pytest.fixture(autouse=True, scope="session")
def quickCollection() -> None:
    """
    Let a test's own garbage be collected without looking at all that was there
    before.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def noHistory() -> None:
    """
    Let nobody keep what is logged, and all that hangs on it, until logging begins.
    """
    if globalLogBeginner._temporaryObserver is not None:
        globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)


@pytest.fixture(autouse=True)
def loggedErrors() -> Iterator[list[LogEvent]]:
    """
    The errors that were logged while the test ran.
    """
    found: list[LogEvent] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        level = event.get("log_level")
        if "log_failure" in event or level in (LogLevel.error, LogLevel.critical):
            found.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield found
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert not found, "\n".join(eventAsText(event) for event in found)
