"""
The link: one ordered two-way stream of bytes, over one path after another.

A protocol's bytes go from C{transport}, which it writes to, to C{paths}, which sends
them on the current C{path} and keeps them in C{sequencing} and its C{sendbuffer} until
the peer has taken them; what arrives goes back the same way.  C{attach} ties a path to
its link, C{records} is the wire's format, C{keepalive} finds a path that is dead,
C{suspension} times how long there is none, and C{state} decides when the link ends.

Imports C{ice}, C{net}, C{util} and the vocabulary; knows nothing of C{streams} and
C{rendezvous}.
"""
