"""
The TUN device: a network interface whose packets a program reads and writes.
"""

from __future__ import annotations

import fcntl
import os
import struct

PATH = "/dev/net/tun"

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000


def openTUN(name: str) -> int:
    """
    Make an interface called C{name} in the calling thread's network namespace.

    @return: a non-blocking file descriptor: one packet a read, one a write.  The
        interface goes when it is closed.
    @raise OSError: we may not, or the name is taken.
    """
    descriptor = os.open(PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    request = struct.pack("16sH22x", name.encode("ascii"), _IFF_TUN | _IFF_NO_PI)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
