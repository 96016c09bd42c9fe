"""
The first words on a stream: which service its opener wants, and the answer.

The opener sends the length of the service's name (1 byte) and the name (UTF-8);
its data may follow at once.  The other side answers with one byte, L{Answer}, and
its own data; or, if it refuses, ends the stream.
"""

from __future__ import annotations

from enum import IntEnum

from punch.streams.errors import (
    NoSuchService,
    StreamError,
    StreamRefused,
    TargetRefused,
    TooManyStreams,
)

LONGEST_NAME = 255
"""
Bytes of UTF-8 in a service's name, at most.
"""

DEFAULT = "default"
"""
The service of those who name none.
"""


class Answer(IntEnum):
    """
    Whether the stream may go on.  What a later version adds is a refusal too.
    """

    ACCEPTED = 0
    NO_SUCH_SERVICE = 1
    TARGET_REFUSED = 2
    TOO_MANY_STREAMS = 3
    REFUSED = 255

    def encode(self) -> bytes:
        """
        The answer as it is sent.
        """
        return bytes([self])


_REFUSALS: dict[int, type[StreamError]] = {
    Answer.NO_SUCH_SERVICE: NoSuchService,
    Answer.TARGET_REFUSED: TargetRefused,
    Answer.TOO_MANY_STREAMS: TooManyStreams,
}


def answerTo(error: BaseException | None) -> Answer:
    """
    How to tell the opener of this error of ours.
    """
    for answer, kind in _REFUSALS.items():
        if isinstance(error, kind):
            return Answer(answer)
    return Answer.REFUSED


def refusal(answer: int, service: str) -> StreamError | None:
    """
    What an answer's byte means; L{None}: accepted.
    """
    if answer == Answer.ACCEPTED:
        return None
    return _REFUSALS.get(answer, StreamRefused)(service)


def isServiceName(text: str) -> bool:
    """
    Whether a service can have this name.
    """
    return 0 < len(text.encode("utf-8", "surrogatepass")) <= LONGEST_NAME


def encodeService(service: str) -> bytes:
    """
    What the opener sends first.

    @raise ValueError: the name is empty or too long.
    """
    if not isServiceName(service):
        raise ValueError(f"a service's name has 1 to {LONGEST_NAME} bytes")
    name = service.encode()
    return bytes([len(name)]) + name


class ServiceNameReader:
    """
    Reads what an opener sends first.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> tuple[str, bytes] | None:
        """
        Take the bytes that arrived.

        @return: when it is whole, the service and the data behind; bytes that are
            no UTF-8 make a name that no service has.
        """
        self._buffer += data
        end = 1 + self._buffer[0] if self._buffer else 1
        if len(self._buffer) < end:
            return None
        name = self._buffer[1:end].decode("utf-8", "replace")
        return name, self._buffer[end:]
