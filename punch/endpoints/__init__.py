"""
Twisted endpoints across NATs, and the C{punch:} strings that make them.

Imports nothing when it is imported, since C{twist} imports our plugin file for whatever
it runs.  Its modules import C{eventlog}, C{peer}, C{streams} and what is below them.
"""
