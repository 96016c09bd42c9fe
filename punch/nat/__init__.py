"""
What the NATs in front of this host do to TCP, and which address others see us at.

STUN messages and a client (RFC 8489), how a NAT maps and allocates ports (RFC 4787,
5382, 5780), what two peers can do about it, and the verdict on a pair of peers.
Whatever asks a NAT, or a server beyond it, belongs here.
Imports C{net}, C{util} and the vocabulary; knows nothing of C{ice}.
"""
