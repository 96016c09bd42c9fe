"""
C{punch-check}: probes of our NATs, and what their answers mean for direct links.

L{punch.check.probes} asks, L{punch.check.assessment} judges, L{punch.check.report}
tells.  Imports C{peer} and what is below it.
"""
