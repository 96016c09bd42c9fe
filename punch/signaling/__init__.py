"""
What two peers prove and tell each other through the rendezvous, sans-IO.

Codes and secrets, the PAKE, and the sealed details and notes.  The rendezvous forwards
all of it and can read none of it.  Imports C{link}'s sizes, C{ice}, C{nat}, C{net} and
the vocabulary.
"""
