"""
Local ports and local services, carried over a link.

L{punch.forwarding.forward} opens ports here for what the peer exposes, and
L{punch.forwarding.expose} connects the peer's streams to services here.  It imports
C{service}, C{streams}, C{yamux}, C{net}, C{util} and the vocabulary.
"""
