"""
What two peers prove and tell each other through the rendezvous, sans-IO.

Codes and secrets, the PAKE, the sealed details and notes.  The rendezvous carries all
of it and can read none of it.  Imports C{link}'s sizes, C{ice}, C{nat}, C{net} and the
vocabulary.
"""
