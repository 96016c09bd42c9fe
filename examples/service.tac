"""
A digest service behind a NAT, for C{twistd -ny service.tac}: everybody with the
secret of the name may ask.
"""

import time
from pathlib import Path

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.protocol import Factory

from digest import Digester
from punch import Settings
from punch.eventlog import EventLog
from punch.peer.description import rendezvousEndpoint
from punch.peer.peer import Peer
from punch.service import ListeningService
from punch.signaling.meetingpoint import MeetingPoint
from punch.signaling.secretfile import readSecret

application = Application("digest")
ListeningService(
    Peer(reactor, Settings(tell=EventLog(time.time))),
    rendezvousEndpoint(reactor, "tcp:rv.example.org:4040"),
    MeetingPoint.standing("digest", readSecret(Path("secret"))),
    Factory.forProtocol(Digester),
).setServiceParent(application)
