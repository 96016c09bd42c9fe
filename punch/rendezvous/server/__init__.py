"""
The rendezvous server: it introduces two peers, relays for them, and answers STUN.

Imports the commands and the preamble of L{punch.rendezvous}, C{nat.stun}, C{net},
C{util} and the vocabulary; no part of a peer.
"""
