"""
How many files this process may have open, sockets among them.
"""

from __future__ import annotations


def allowFiles(wanted: int) -> int:
    """
    Ask the system for so many.  It gives 1,024 to most programs, and more to those
    who ask.

    @return: how many there may be: fewer than C{wanted} if the system has its limits.
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
