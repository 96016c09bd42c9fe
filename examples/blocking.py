"""
The other side of C{twist punch --peer localhost:5002 --port 5001 --plaintext}, with
plain blocking sockets.
"""

from __future__ import annotations

import socket

HERE, THERE = ("127.0.0.1", 5002), ("127.0.0.1", 5001)


def onSharedPort() -> socket.socket:
    """
    One of the sockets on our port.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(HERE)
    return made


listening, connection = onSharedPort(), onSharedPort()
listening.listen()
try:
    connection.connect(THERE)
except OSError:
    # Nobody there yet, or its connection to us exists already.
    connection, _ = listening.accept()
connection.sendall(b"hello world!\n")
lines = connection.makefile("rb")
heard = lines.readline()
connection.sendall(heard)
print(heard, lines.readline())
connection.close()
