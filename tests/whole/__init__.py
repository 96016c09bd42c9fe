"""
Whole peers and a whole rendezvous, in memory.
"""
