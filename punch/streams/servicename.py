"""
The first bytes of a stream: the name of the service that its opener wants.

The opener sends the length of the service's name (1 byte) and the name (UTF-8); its
data may follow at once.  The other side answers with a status of one byte and then
sends its own data; or, if it refuses, ends the stream.
"""

from __future__ import annotations

from punch.streams import errors
from punch.util.statusbyte import StatusByte

LONGEST_NAME = 255
"""
Bytes of UTF-8 in a service's name, at most.
"""

DEFAULT = "default"
"""
The service that is used where none is named.
"""

STATUSES: StatusByte[errors.StreamError] = StatusByte(
    {1: errors.NoSuchService, 2: errors.TargetRefused, 3: errors.TooManyStreams},
    errors.StreamRefused,
)
"""
The byte that answers a service's name; 0 means that the stream may go on.
"""


def isServiceName(text: str) -> bool:
    """
    Whether C{text} can be the name of a service.
    """
    return 0 < len(text.encode("utf-8", "surrogatepass")) <= LONGEST_NAME


def encodeService(service: str) -> bytes:
    """
    The bytes that the opener sends first.

    @raise ValueError: the name is empty or too long.
    """
    if not isServiceName(service):
        raise ValueError(f"a service's name has 1 to {LONGEST_NAME} bytes")
    name = service.encode()
    return bytes([len(name)]) + name


class ServiceNameReader:
    """
    Reads the service's name from the first bytes of one stream.

    Each inbound request has one, until the name is complete.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> tuple[str, bytes] | None:
        """
        Take the bytes that arrived.

        @return: the name and the bytes after it; L{None} if the name is not complete.
            Bytes that are not UTF-8 make a name that no service has.
        """
        self._buffer += data
        end = 1 + self._buffer[0] if self._buffer else 1
        if len(self._buffer) < end:
            return None
        name = self._buffer[1:end].decode("utf-8", "replace")
        return name, self._buffer[end:]
