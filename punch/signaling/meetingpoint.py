"""
A meeting place: the name that the rendezvous knows, the secret that it doesn't,
and how many guesses at it are left.
"""

from __future__ import annotations

from punch.errors import BadName
from punch.signaling.code import Code
from punch.signaling.greeting import ListenerGreeting
from punch.signaling.guesslimit import GuessLimit

CODE_GUESSES = 1
NAME_GUESSES = 8
NAME_REFILL = 5.0


class MeetingPoint:
    """
    Where a listener waits.

    C{isLasting}: it is a standing name, not a code.
    """

    def __init__(
        self, name: str, secret: bytes, guessLimit: GuessLimit, isLasting: bool
    ):
        self.name = name
        self.isLasting = isLasting
        self.guessLimit = guessLimit
        self._secret = secret
        self._spare: ListenerGreeting | None = None
        self.prepareGreeting()

    @classmethod
    def coded(cls, code: Code) -> MeetingPoint:
        """
        The place of a code: one wrong guess and it is dead.
        """
        return cls(code.name, code.secret, GuessLimit(CODE_GUESSES), isLasting=False)

    @classmethod
    def standing(cls, name: str, secret: bytes) -> MeetingPoint:
        """
        A chosen name with a strong secret: wrong guesses slow the next ones.

        @raise BadName: it is a number, as codes have.
        """
        if name.isdigit():
            raise BadName(name)
        guessLimit = GuessLimit(NAME_GUESSES, NAME_REFILL)
        return cls(name, secret, guessLimit, isLasting=True)

    def greeting(self) -> ListenerGreeting:
        """
        A greeting for one dialer.
        """
        spare, self._spare = self._spare, None
        return spare or ListenerGreeting(self.name, self._secret)

    def prepareGreeting(self) -> None:
        """
        Have the next greeting ready: that takes milliseconds, which its dialer is
        spared.
        """
        if self._spare is None:
            self._spare = ListenerGreeting(self.name, self._secret)
