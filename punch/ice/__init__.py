"""
Candidates, checklist, race and selection: from addresses to one path (RFC 8445, 6544).

Imports C{net}, C{util} and the vocabulary; knows nothing of C{nat}.
"""
