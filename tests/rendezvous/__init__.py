"""
The rendezvous.
"""
