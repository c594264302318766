"""The one command, run as it is run: a process, its children, its lines, its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

not_on_postgres = pytest.mark.skipif(
    "os.environ.get('DATABASE_URL', '').startswith('postgres')", reason="brings a file of its own"
)
pytestmark = [pytest.mark.slow, not_on_postgres]

ROOT = Path(__file__).resolve().parents[2]
LINES = ("console", "guest page", "crew link", "mailbox")


def three_free_ports() -> int:
    """The first of three that follow each other and are free."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 65500 and not any(answers(port + n) for n in range(3)):
            return port


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(port: int, var: Path) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    env |= {"PORT": str(port), "VAR_DIR": str(var), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "jada.embedded"]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(30)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, dict[str, str]]]:
    """The process, its port, and what it said where."""
    port = three_free_ports()
    process = start(port, tmp_path / "var")
    said: dict[str, str] = {}
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(line)
        if found := re.match(rf"({'|'.join(LINES)}): (\S+)", line):
            said[found[1]] = found[2]
        if line.startswith("Ctrl-C"):
            break
    assert set(said) == set(LINES), "".join(heard)
    assert not any("does not answer" in line for line in heard), "".join(heard)  # it would rest for half a minute
    yield process, port, said
    if process.poll() is None:
        end(process)
    process.stdout.close()


def test_it_serves_what_it_printed_and_ends_with_all_its_children(
    running: tuple[subprocess.Popen[str], int, dict[str, str]],
) -> None:
    process, port, said = running

    for name in ("console", "guest page", "crew link"):
        with urllib.request.urlopen(said[name]) as answer:
            assert answer.status == 200, name
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready") as answer:
        assert b'"dead": 0' in answer.read()

    assert end(process) == 0
    assert not any(answers(port + n) for n in range(3))


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(taken.getsockname()[1], tmp_path)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert re.fullmatch(r"JADA cannot run: port \d+ \(the console\) is in use: .*PORT=\d+\.\n", said)
