"""
The link: one ordered two-way stream of bytes over one path after another.

L{punch.link.transport.Link} is what an application sees; C{paths} attaches and leaves
paths; C{sequencing}, C{sendbuffer} and C{receivebuffer} see to it that no byte is lost,
doubled or reordered.  Imports C{ice}, C{net}, C{util} and the vocabulary; knows nothing
of C{streams} and C{rendezvous}.
"""
