"""
Local ports and local services, carried over a link.

L{punch.forwarding.forward} opens ports here for what the peer exposes;
L{punch.forwarding.expose} connects the peer's streams to services here.  Imports
C{service}, C{streams}, C{net}, C{util} and the vocabulary.
"""
