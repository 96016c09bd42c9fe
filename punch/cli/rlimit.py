"""
The limit of open files of this process, sockets included.
"""

from __future__ import annotations


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
