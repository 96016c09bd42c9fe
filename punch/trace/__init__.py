"""
Pictures of a meeting: what was tried when, what won, and why nothing else did.

L{punch.trace.recorder} turns the trace events of a meeting into a L{punch.trace.model};
the other modules render that as SVG, HTML, JSON or text, and L{punch.trace.file} writes
it.  Imports C{ice}'s names of candidates, C{util} and the vocabulary.
"""
