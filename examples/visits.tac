"""
The site behind a NAT, for C{PUNCH_RENDEZVOUS=tcp:HOST:PORT twistd -ny visits.tac}:
everybody with the secret of the name may look.
"""

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

from visits import siteService

WHERE = "punch:name=attic:secretfile=punch.secret"

application = Application("visits")
siteService(
    reactor,
    serverFromString(reactor, f"{WHERE}:service=web"),
    serverFromString(reactor, f"{WHERE}:service=feed"),
).setServiceParent(application)
