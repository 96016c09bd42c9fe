"""
What the tests of whole peers on the network in memory share.
"""
