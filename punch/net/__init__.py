"""
This host's network: sockets, TLS, interfaces, addresses and names.

Everything here concerns one host and one connection; nothing here knows that there is a
peer to be found.  Imports C{util} and the vocabulary.
"""
