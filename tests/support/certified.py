"""
TLS options that show an identity's certificate.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import CertificateOptions

from punch.net.identity import Identity


def certified(identity: Identity, **more: Any) -> CertificateOptions:
    """
    Options with the key and the certificate of C{identity}, as C{cryptography} has
    them: pyOpenSSL deprecates its own.

    @param more: further arguments of L{CertificateOptions}.
    """
    # Twisted passes them on to pyOpenSSL, but is annotated for pyOpenSSL's alone.
    key: Any = identity.key
    certificate: Any = identity.certificate
    return CertificateOptions(privateKey=key, certificate=certificate, **more)
