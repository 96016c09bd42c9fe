"""
The digest service across two NATs, in memory.
"""

from __future__ import annotations

from hashlib import sha256

from digest import Digester, Question
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from punch import Settings, dial, listen
from punch.events import CodeAllotted, Event
from punch.link.errors import ResumeExpired
from punch.rendezvous.server.factory import RendezvousFactory
from punch.testing import NAT_KINDS, MemoryHost, MemoryNetwork, spin

RENDEZVOUS = "tcp:192.0.2.1:4040"


class DigestTests(SynchronousTestCase):
    """
    A rendezvous, and two hosts behind a NAT each.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork(Clock(), seed=1)
        server = self.network.host("192.0.2.1")
        server.listenTCP(4040, RendezvousFactory(server))
        self.listener = self.behind("reset", "198.51.100.1", "192.168.1.2")
        self.dialer = self.behind("drop", "203.0.113.1", "10.0.0.2")
        self.codes: list[str] = []

    def behind(self, kind: str, outside: str, inside: str) -> MemoryHost:
        """
        A host behind a NAT of some kind.
        """
        behavior = NAT_KINDS[kind]
        assert behavior is not None
        return self.network.host(inside, behind=self.network.nat(outside, behavior))

    def settings(self, host: MemoryHost) -> Settings:
        """
        This host's addresses, not the machine's; and codes are noted.
        """
        return Settings(tell=self.tell, hostAddresses=lambda: host.addresses)

    def tell(self, event: Event) -> None:
        """
        Note the code.
        """
        if isinstance(event, CodeAllotted):
            self.codes.append(event.code)

    def meet(self, question: Question) -> None:
        """
        Let C{question} run on the dialer's end of a link, a L{Digester} on the
        other.
        """
        listening = listen(self.listener, RENDEZVOUS, self.settings(self.listener))
        assert self.network.runUntil(lambda: self.codes, limit=10)
        dialing = dial(
            self.dialer, RENDEZVOUS, self.codes[0], self.settings(self.dialer)
        )
        spin(listening, self.network).start(Digester())
        spin(dialing, self.network).start(question)

    def test_answer(self) -> None:
        """
        The answer to a megabyte is its digest.
        """
        question = Question(b"?" * 1_000_000)
        self.meet(question)
        answer = spin(question.answer, self.network)
        assert answer == sha256(b"?" * 1_000_000).digest()

    def test_cut(self) -> None:
        """
        If the network goes away for good, the question fails when the link has waited
        for as long as it was told to.
        """
        question = Question(b"?" * 1_000_000)
        self.meet(question)
        failures: list[Failure] = []
        question.answer.addErrback(failures.append)
        self.listener.cut()
        self.network.run(60)
        assert not failures
        self.network.run(600)
        lost = failures[0].value
        assert isinstance(lost, ConnectionLost)
        assert isinstance(lost.__cause__, ResumeExpired)
