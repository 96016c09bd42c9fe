"""
The laboratory: real kernel NATs in network namespaces, and a wire between them.

C{python -m tests.lab A B} runs one pair by hand; L{tests.lab.topology.Laboratory}
is the same for a program.  It needs root on Linux with nftables, iproute2 and
conntrack.
"""
