"""
C{punch-check}: probes of our NATs, and what their answers mean for direct links.

L{punch.check.probes} asks, L{punch.check.assessment} judges, and L{punch.check.report}
renders that.  L{punch.check.trialdial} tries a dial.  Imports C{peer} and what is below
it.
"""
