"""
C{twist punch-check} as a user meets it: real processes on loopback.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM

import pytest

from punch.check.report import LABELS
from punch.cli.check_tap import Options
from punch.nat.portsearch import DEFAULT_SOCKETS
from tests.support.processes import (
    FEW_FILES,
    Program,
    Start,
    assertRefused,
    certificate,
    freePort,
    openFiles,
    startRendezvous,
)

LINES = r"""likely
IPv4 address: 127.0.0.1:(\d+) \(no NAT\)
IPv6 address: [^\n]+
Mapping: endpoint-independent
Filtering: address-dependent or endpoint-independent
Allocation: preserves the port \(no NAT\)
Answer to an unsolicited SYN: accepted
Hairpin: not tested \(no NAT\)
Port preservation: yes
Mapping lifetime: not tested \(--long tests it\)
Peer: not tested \(--code, or --name, tests it\)
Pair: not tested \(--code, or --name, tests it\)
Evidence: hello to the rendezvous from port \1: seen as 127.0.0.1:\1, [\d.]+ ms
Evidence: knock of the rendezvous: accepted, [\d.]+ ms
(?:Evidence: STUN at [^\n]+: port \d+ seen as 127.0.0.1:\d+, [\d.]+ ms
){9}Advice: the rendezvous stands inside your own network, [^\n]+
"""


@pytest.fixture
def where(start: Start) -> str:
    """
    A rendezvous that looks from two ports.
    """
    return startRendezvous(start, 2)


def report(start: Start, where: str, *options: str, **environment: str) -> str:
    """
    What a check prints that ends well, and says nothing on standard error.
    """
    arguments = ("--rendezvous", where, *options)
    program = start("punch-check", *arguments, environment=environment)
    assert program.end() == (0, "")
    return program.log.read_text()


def test_text(start: Start, where: str) -> None:
    """
    Standard output has the report, and nothing but that; so standard error nothing.
    """
    said = report(start, where)
    assert re.fullmatch(LINES, said), said


def test_json(start: Start, where: str) -> None:
    """
    So it has one JSON object.
    """
    told = json.loads(report(start, where, "--json"))
    assert (told["schema"], told["verdict"]) == (1, "likely")
    assert {"evidence", "advice", *LABELS} < set(told)
    assert told["mapping"]["value"] == "endpoint-independent"


def test_environment(start: Start, where: str) -> None:
    """
    The rendezvous may stand in the environment, and the port on the command line.
    """
    port = freePort()
    environment = {"PUNCH_RENDEZVOUS": where}
    program = start("punch-check", "--port", str(port), environment=environment)
    assert program.end() == (0, "")
    assert f"IPv4 address: 127.0.0.1:{port} (no NAT)" in program.log.read_text()


def test_again(start: Start, where: str) -> None:
    """
    A check leaves nothing in the way of the next one from the same port.
    """
    port = str(freePort())
    for _ in range(3):
        report(start, where, "--port", port)


def test_stun(start: Start, where: str) -> None:
    """
    A STUN server at another address is asked, too; one that is not there is named.
    """
    port = freePort()
    stun = f"tcp:{port}:interface=127.0.0.2"
    listen = f"tcp:{freePort()}:interface=127.0.0.2"
    server = start("punch-rendezvous", "--listen", listen, "--stun", stun)
    server.awaitLine("listens on", 2)
    options = ("--stun", f"127.0.0.2:{port}", "--stun", "nobody.invalid:3478")
    said = report(start, where, *options)
    assert f"STUN at 127.0.0.2:{port} from port" in said
    assert "STUN at nobody.invalid:3478: it has no IPv4 address" in said


def test_longest(start: Start, where: str) -> None:
    """
    Silence is tested for as long as one likes.
    """
    said = report(start, where, "--longest", "1")
    assert "\nMapping lifetime: at least 1 s of silence\n" in said


def test_secondAddress(start: Start) -> None:
    """
    A rendezvous whose STUN servers are at two addresses knocks from the other one, too.
    """
    stun = [f"--stun=tcp:{freePort()}:interface=127.0.0.{n}" for n in (1, 2)]
    said = report(start, startRendezvous(start, 3, *stun))
    assert "\nFiltering: endpoint-independent\n" in said


def test_noSTUN(start: Start) -> None:
    """
    With a rendezvous that neither looks nor knocks nothing is known of a NAT; that
    there is none is.
    """
    said = report(start, startRendezvous(start, 1, "--no-stun"))
    assert "Mapping: not tested (the rendezvous looks from one port only)" in said
    assert "Filtering: not tested (this rendezvous does not knock)" in said


def test_nobody(start: Start) -> None:
    """
    Without a rendezvous one line says why, and the status that nothing is known.
    """
    program = start("punch-check", "--rendezvous", f"tcp:127.0.0.1:{freePort()}")
    status, error = program.end()
    assert status == 2
    assert error.startswith("punch-check: The rendezvous refuses connections")
    assert error.count("\n") == 1
    assert program.log.read_text().startswith("blocked\n")


def test_portTaken(start: Start, where: str) -> None:
    """
    Likewise if the port cannot be had; there is no report then.
    """
    port = where.rpartition(":")[2]
    program = start("punch-check", "--rendezvous", where, "--port", port)
    status, error = program.end()
    assert status == 2
    assert "Another program uses this port" in error
    assert program.log.read_text() == ""


MISTAKES = [
    ([], "--rendezvous (or $PUNCH_RENDEZVOUS)"),
    (["--rendezvous", "nonsense"], "not an endpoint"),
    (["--rendezvous", "tcp:h"], "not HOST:PORT"),
    (["--rendezvous", "tcp:h:1", "--port", "x"], "--port takes a number"),
    (["--rendezvous", "tcp:h:1", "extra"], "unexpected argument 'extra'"),
    (["--nonsense"], "--nonsense"),
]


def test_mistakes(start: Start) -> None:
    """
    Each mistake gets one line, and the status for misuse.
    """
    running = [(start("punch-check", *args), line) for args, line in MISTAKES]
    for program, line in running:
        assert assertRefused(program, line) == 64
        assert program.log.read_text() == ""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--port", "65536"], "a port is below 65536"),
        (["--port", "-1"], "a port is below 65536"),
        (["--timeout", "x"], "--timeout takes a number"),
        (["--timeout", "0"], "--timeout takes seconds"),
        (["--timeout", "nan"], "--timeout takes seconds"),
        (["--longest", "0"], "--longest takes seconds"),
        (["--longest", "1h"], "--longest takes a number"),
        (["--stun", "h"], "--stun h: not HOST:PORT"),
        (["--code", ""], "--code is empty"),
        (["--code", "7-zebra"], "1 word"),
        (["--code", "7-zebra-xyzzy"], "'xyzzy'"),
        (["--code", "7-zebra-zoo", "--name", "n"], "one of them only"),
        (["--name", "n"], "--name needs --secret-file"),
        (["--secret-file", "f"], "--secret-file needs --name"),
        (["--name", "n", "--secret-file", "/none"], "/none: No such file"),
    ],
)
def test_badValue(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    So does each value that does not do.
    """
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--rendezvous", "tcp:h:1", *options])
    assert ended.value.code == 64
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_stopped(start: Start) -> None:
    """
    Stopped before it has an answer, it says nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        program = start("punch-check", "--rendezvous", f"tcp:127.0.0.1:{port}")
        silent.settimeout(30.0)
        with silent.accept()[0]:
            program.stop()
    assert program.process.returncode != 0
    assert program.log.read_text() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_files(start: Start) -> None:
    """
    It lets itself have the files that the search of a port takes.
    """
    import resource

    with socket.create_server(("127.0.0.1", 0)) as silent, openFiles(FEW_FILES):
        port = silent.getsockname()[1]
        program = start("punch-check", "--rendezvous", f"tcp:127.0.0.1:{port}")
        silent.settimeout(30.0)
        with silent.accept()[0]:
            pid = program.process.pid
            soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert soft > DEFAULT_SOCKETS > FEW_FILES


def listening(start: Start, where: str) -> tuple[Program, str]:
    """
    A program that waits for one link, and its code.
    """
    program = start("punch", "--rendezvous", where, "--once")
    program.await_("waiting")
    return program, program.await_("code")["code"]


def test_pair(start: Start, where: str) -> None:
    """
    With a code it tells how the two would meet; the listener goes on waiting, and is
    met under the same code.
    """
    listener, code = listening(start, where)
    said = report(start, where, "--code", code)
    assert re.search(r"^Peer: 127.0.0.1:\d+ \(endpoint-independent\)$", said, re.M)
    assert re.search(r"^Pair: likely \(direct after \d+ ms, \w+", said, re.M), said
    assert code not in said
    dialer = start("punch", "--rendezvous", where, "--code", code, "--once")
    dialer.awaitLine("Heard: hello world!", 2)
    dialer.stop()
    assert listener.end()[0] == 0
    assert "only tried how it would meet us" in listener.log.read_text()


def test_wrongCode(start: Start, where: str) -> None:
    """
    A wrong code is told with the status that the pair is not known; of our own side all
    is.
    """
    _, code = listening(start, where)
    number = code.partition("-")[0]
    environment = {"PUNCH_CODE": f"{number}-zebra-zoo"}
    options = ("--rendezvous", where, "--json")
    program = start("punch-check", *options, environment=environment)
    status, error = program.end()
    assert (status, error.count("\n")) == (2, 1)
    assert error.startswith("punch-check: The two sides do not have the same words")
    told = json.loads(program.log.read_text())
    assert told["verdict"] == "likely"
    assert (told["pair"]["state"], told["pair"]["value"]) == ("failed", None)


def test_nobodyWaits(start: Start, where: str) -> None:
    """
    Likewise that nobody waits.
    """
    options = ("--rendezvous", where, "--code", "999-zebra-zoo")
    program = start("punch-check", *options)
    status, error = program.end()
    assert status == 2
    assert error.startswith("punch-check: Nobody waits")
    assert "Pair: failed (no-such-name: " in program.log.read_text()


def test_tls(start: Start, tmp_path: Path) -> None:
    """
    A rendezvous may speak TLS; one whose certificate is not its name's tells nothing.
    """
    pem, port = certificate(tmp_path), freePort()
    listen = f"ssl:{port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
    start("punch-rendezvous", "--listen", listen).awaitLine("listens on", 2)
    where = f"tls:localhost:{port}"
    trusts = {"SSL_CERT_FILE": str(pem)}
    options = ("--once", "--rendezvous", where)
    listener = start("punch", *options, environment=trusts)
    listener.await_("waiting")
    environment = {**trusts, "PUNCH_CODE": listener.await_("code")["code"]}
    said = report(start, where, **environment)
    assert re.search(r"^Filtering: address-dependent or", said, re.M)
    assert re.search(r"^Pair: likely ", said, re.M)
    wary = start("punch-check", "--rendezvous", where)
    status, error = wary.end()
    assert status == 2
    assert "certificate is not valid" in error


@pytest.mark.parametrize("signal", [SIGINT, SIGTERM])
def test_interrupted(start: Start, where: str, signal: int) -> None:
    """
    Interrupted in the middle it ends at once, by that signal, and says nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30.0)
        stun = f"127.0.0.1:{silent.getsockname()[1]}"
        program = start("punch-check", "--rendezvous", where, "--stun", stun)
        with silent.accept()[0]:
            program.process.send_signal(signal)
            assert program.end() == (-signal, "")
    assert program.log.read_text() == ""
