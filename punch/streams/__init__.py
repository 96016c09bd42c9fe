"""
Many streams on one link, each a transport of its own for one service.

The multiplexing protocol itself is L{punch.yamux}.  Imports C{yamux}, C{net}, C{util}
and the vocabulary; knows nothing of C{link} and C{rendezvous}.
"""
