"""
What the NATs in front of this host do to TCP, and which address the outside sees.

STUN (RFC 8489) as message codec and client, how a NAT maps and allocates ports (RFC
4787, 5382, 5780), what can be predicted from that, and the verdict on a pair of peers.
Whatever asks a NAT, or a server beyond it, belongs here.
Imports C{net}, C{util} and the vocabulary; knows nothing of C{ice}.
"""
