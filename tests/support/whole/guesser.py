"""
A guesser: a program at the rendezvous that dials a name and does not know its
secret, or behaves as if it did not.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint

from punch.errors import PunchError, WrongCode
from punch.reasons import Reason
from punch.rendezvous.client import CommandReceiver, RendezvousClient, connect
from punch.signaling.code import parseCode
from punch.signaling.greeting import DialerGreeting
from punch.signaling.messages import Details
from punch.testing import MemoryHost

from .world import PORT, RENDEZVOUS

WRONG_WORDS = "zebra-zoo"


class Guesser(CommandReceiver):
    """
    One guess.

    @ivar answers: what the listener sent.
    @ivar reason: why the listener left, if it did.
    @ivar isRight: whether the guess was; L{None} before the answer.
    @ivar error: why the rendezvous refused.
    """

    def __init__(self, host: MemoryHost, name: str, secret: bytes) -> None:
        self._host = host
        self._name = name
        self._greeting = DialerGreeting(name, secret)
        self._client: RendezvousClient | None = None
        self._introduction = b""
        self.answers: list[bytes] = []
        self.reason = ""
        self.isRight: bool | None = None
        self.error: PunchError | None = None

    @property
    def isIntroduced(self) -> bool:
        """
        Whether the rendezvous knows the name.
        """
        return bool(self._introduction)

    def begin(self) -> Guesser:
        """
        Dial.
        """
        Deferred.fromCoroutine(self._dial())
        return self

    async def _dial(self) -> None:
        endpoint = TCP4ClientEndpoint(self._host, RENDEZVOUS, PORT)
        try:
            client = self._client = await connect(self._host, endpoint, self)
            await client.hello()
            terms = await client.dial(self._name, self._greeting.message)
            self._introduction = terms.id
        except PunchError as error:
            self.error = error

    def leave(self, reason: Reason | None = None) -> None:
        """
        Go, with a word or without.
        """
        if self._client is not None:
            if reason is not None:
                self._client.leave(self._introduction, reason)
            self._client.disconnect()

    # What the rendezvous says.

    def relayed(self, introduction: bytes, message: bytes) -> None:
        """
        The listener let us have our guess.
        """
        self.answers.append(message)
        try:
            self._greeting.answer(message, Details(bytes(32), ()))
        except WrongCode:
            self.isRight = False
        else:
            self.isRight = True

    def left(self, introduction: bytes, reason: str) -> None:
        """
        The listener left.
        """
        self.reason = reason


def wrong(code: str) -> str:
    """
    The same number, with other words.
    """
    return f"{parseCode(code).name}-{WRONG_WORDS}"
