"""
Yamux, the multiplexing protocol: many streams on one ordered stream of bytes, sans-IO.

Written after
U{the specification <https://github.com/hashicorp/yamux/blob/master/spec.md>}.  Bytes
and calls go in, bytes and events come out; L{punch.streams} puts it on a link.  Imports
C{util} and the vocabulary.
"""
