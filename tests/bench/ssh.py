"""
C{ssh -L}: OpenSSH's client and a server of our own on loopback, with keys that live
as long as they do.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.program import Program
from tests.support.processes import freePort

_SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
"""

_CLIENT = """
Host *
IdentityFile {directory}/user
IdentitiesOnly yes
BatchMode yes
UserKnownHostsFile /dev/null
StrictHostKeyChecking no
ExitOnForwardFailure yes
"""


def _find(tool: str) -> str:
    """
    Where it is installed.

    @raise FileNotFoundError: nowhere.
    """
    found = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        raise FileNotFoundError(tool)
    return found


@contextmanager
def _configured(port: int) -> Iterator[Path]:
    """
    A directory with keys and both sides' configuration.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for key in ("host", "user"):
            command = [_find("ssh-keygen"), "-q", "-t", "ed25519", "-N", ""]
            subprocess.run([*command, "-f", directory / key], check=True)
        for side, text in (("server", _SERVER), ("client", _CLIENT)):
            (directory / side).write_text(text.format(port=port, directory=name))
        yield directory


@contextmanager
def forwarding(port: int, target: int) -> Iterator[tuple[Program, Program]]:
    """
    Forward C{port} to C{target} by it.

    @raise FileNotFoundError: it is not installed.
    """
    client, server, sshPort = _find("ssh"), _find("sshd"), freePort()
    if os.getuid() == 0:
        # Where it locks itself up; the system makes it when it starts the service.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with ExitStack() as stack:
        directory = stack.enter_context(_configured(sshPort))
        command = [server, "-D", "-e", "-f", f"{directory}/server"]
        far = stack.enter_context(Program.running(*command))
        far.says(rb"(Server listening)")
        command = [client, "-F", f"{directory}/client", "-N", "-p", str(sshPort)]
        command += ["-L", f"127.0.0.1:{port}:127.0.0.1:{target}"]
        command += [f"{getpass.getuser()}@127.0.0.1"]
        near = stack.enter_context(Program.running(*command))
        yield near, far
