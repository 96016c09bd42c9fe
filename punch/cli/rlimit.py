"""
The limit of open files of this process, sockets included.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.logger import Logger

from punch.peer.settings import Settings

_log = Logger(namespace="punch")

LEAST_FILES = 128
"""
Open files that a search leaves to the rest of the process.
"""


def raiseFileLimit(wanted: int) -> int:
    """
    Raise the limit of open files to C{wanted}, as far as the system allows.  Most
    programs start with 1,024, and may raise that.

    @return: how many files may be open; that may be fewer than C{wanted}.
    """
    try:
        import resource
    except ImportError:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # No limit is -1.
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def limitSearch(settings: Settings, beside: int) -> Settings:
    """
    Ask the system for the files of a search (L{punch.nat.portsearch}) and of the rest.

    @param beside: how many files the rest wants.
    @return: the settings, with a search that leaves L{LEAST_FILES} to the rest.
    """
    allowed = raiseFileLimit(beside + settings.search)
    most = max(0, allowed - LEAST_FILES)
    if settings.search <= most:
        return settings
    _log.warn(
        "The system allows {files} open files, so a search gets {most} sockets;"
        " see ulimit -n.",
        files=allowed,
        most=most,
    )
    return replace(settings, search=most)
