"""
The meeting point: the name under which a listener waits, and its secret.
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
    The name that a listener publishes, the secret that goes with it, and how many
    guesses at the secret are left.

    Programs make one with L{coded} or L{standing}, and give it to a listener.

    @ivar isLasting: whether it is a standing name; if not, it is a code's.
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
        The meeting point of a code.  One wrong guess ends it.
        """
        return cls(code.name, code.secret, GuessLimit(CODE_GUESSES), isLasting=False)

    @classmethod
    def standing(cls, name: str, secret: bytes) -> MeetingPoint:
        """
        The meeting point of a chosen name with a strong secret.  Wrong guesses delay
        the next ones.

        @raise BadName: the name is a number, as a code's is.
        """
        if name.isdigit():
            raise BadName(name)
        guessLimit = GuessLimit(NAME_GUESSES, NAME_REFILL)
        return cls(name, secret, guessLimit, isLasting=True)

    def greeting(self) -> ListenerGreeting:
        """
        A new greeting, for one dialer.
        """
        spare, self._spare = self._spare, None
        return spare or ListenerGreeting(self.name, self._secret)

    def prepareGreeting(self) -> None:
        """
        Compute the next greeting in advance.  It takes milliseconds, for which the next
        dialer need not wait then.
        """
        if self._spare is None:
            self._spare = ListenerGreeting(self.name, self._secret)
