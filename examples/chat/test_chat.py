"""
The chat, in memory.
"""

from __future__ import annotations

from typing import Any

import pytest
from punch_chat import Chat, ChatProtocol
from twisted.internet.testing import StringTransport
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from punch.errors import BadOption
from punch.interfaces import IStandardStreamsProtocol


class ChatTests(SynchronousTestCase):
    """
    One side, with transports that remember what is written.
    """

    def setUp(self) -> None:
        self.link, self.screen = StringTransport(), StringTransport()
        self.chat = Chat("ann")
        self.chat.terminal.makeConnection(self.screen)
        self.chat.makeConnection(self.link)

    def test_talks(self) -> None:
        """
        First the names pass, then what is said, both ways.
        """
        self.chat.terminal.dataReceived(b"good day\n")
        self.chat.dataReceived(b"bob\nhel")
        self.chat.dataReceived(b"lo\n")
        assert self.link.value() == b"ann\ngood day\n"
        assert self.screen.value() == b"* bob is here\nbob: hello\n"

    def test_harmless(self) -> None:
        """
        Nothing that comes commands our terminal.
        """
        self.chat.dataReceived(b"bob\n\x1b[2J\xff\n")
        assert self.screen.value().decode().endswith("bob: \ufffd[2J\ufffd\n")

    def test_weLeave(self) -> None:
        """
        When our user ends the input, the link ends.
        """
        self.chat.terminal.connectionLost()
        assert self.link.disconnecting

    def test_otherLeaves(self) -> None:
        """
        When the link ends, the terminal is released.
        """
        self.chat.connectionLost()
        assert self.screen.disconnecting


class PluginTests(SynchronousTestCase):
    """
    What C{twist punch} finds.
    """

    def test_plugin(self) -> None:
        """
        It provides what a plugin has to.
        """
        for interface in (IPlugin, IStandardStreamsProtocol):
            verifyObject(interface, ChatProtocol())

    def test_name(self) -> None:
        """
        It wants a name that can be shown.
        """
        reactor: Any = None
        for args in ("", "a\nb"):
            with pytest.raises(BadOption):
                ChatProtocol().factory(reactor, args)
