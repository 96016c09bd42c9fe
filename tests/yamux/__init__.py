"""
Tests for L{punch.yamux}.
"""
