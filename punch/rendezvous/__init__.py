"""
The rendezvous: the server that introduces two peers, and its client.
"""
