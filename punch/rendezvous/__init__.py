"""
The way to the rendezvous: its client, the commands that pass, and the relay's client.

The server's side is L{punch.rendezvous.server}.  Imports C{ice}, C{nat}, C{net},
C{util} and the vocabulary; knows nothing of C{link} and C{streams}.
"""
