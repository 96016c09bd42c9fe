"""
What the laboratory needs of the machine, and what of it is missing.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from .tun import PATH

_CAPABILITIES = 1 << 12 | 1 << 21  # CAP_NET_ADMIN, CAP_SYS_ADMIN

TOOLS = {
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "sysctl": "procps",
}


def missing() -> list[str]:
    """
    A phrase for each thing that the laboratory lacks here; none if it can run.
    """
    if not sys.platform.startswith("linux"):
        return ["Linux"]
    lacking = _lackingRights()
    if lacking:
        return lacking
    lacking = [
        f"{tool} (package {package})"
        for tool, package in TOOLS.items()
        if shutil.which(tool) is None
    ]
    return lacking if os.path.exists(PATH) else [*lacking, PATH]


def isRoot() -> bool:
    """
    Are we root, who means it when running the laboratory?
    """
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _lackingRights() -> list[str]:
    """
    Root alone is not enough: in a container it may lack capabilities.
    """
    if not isRoot():
        return ["root (try sudo)"]
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    if effective & _CAPABILITIES != _CAPABILITIES:
        return ["CAP_SYS_ADMIN and CAP_NET_ADMIN (a privileged container)"]
    return []
