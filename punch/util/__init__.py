"""
Small things that Twisted lacks: timers, Deferreds, producers, framing.

Imports nothing else of punch.
"""
