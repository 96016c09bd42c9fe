"""
Small things that Twisted lacks: timers, Deferreds, framing, parts of transports.

Imports nothing else of punch.
"""
