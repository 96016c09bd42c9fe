"""
The rendezvous server: it introduces two peers, relays for them, and answers STUN.

C{factory} makes a C{handlers.RendezvousProtocol} for each connection; what the
connections share is in C{state}.  C{connection} is a connection's life from hello to
loss, C{handlers} are the commands of a client, and C{amp} is the wire under both.

Imports the commands and the preamble of L{punch.rendezvous}, C{nat.stun}, C{net},
C{util} and the vocabulary; no part of a peer.
"""
