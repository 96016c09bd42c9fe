"""
The peer: dialing, listening, and the introduction in which the parts meet.

L{punch.peer.dialer} and L{punch.peer.listener} are the two roles;
L{punch.peer.introduction} is one meeting of the two.  Imports every package but those
at the edge (C{check}, C{cli}, C{endpoints}, C{forwarding}, C{protocols}, C{trace}).
"""
