"""
Streams: many flows on one link, each a transport of its own.
"""
