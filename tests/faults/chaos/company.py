"""The product's processes in a chaos run, and the environment that they share."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.chaos.machine import free_port, listens, until
from tests.rig.client import ROOT, Rig

SERVICE_KEY = "sjk_k1_" + "c" * 43
TOKEN = "token="
NOBODY = "redis://127.0.0.1:9/0"


@dataclass
class Company:
    """`host` is the product's own word: thread, worker or celery."""

    host: str
    folder: Path
    rig: Rig
    database: str
    broker: str = NOBODY
    workers: int = 2
    port: int = field(default_factory=free_port)
    web: subprocess.Popen[bytes] | None = None
    crew: list[subprocess.Popen[bytes]] = field(default_factory=list)
    passing: list[subprocess.Popen[bytes]] = field(default_factory=list)  # workers with a fault of their own

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing of the caller's environment but what finds programs: two runs with one seed are the same run."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {
            "DJANGO_SETTINGS_MODULE": "jada.settings",
            "READ_DOTENV": "false",
            "DEBUG": "true",  # else a local AWS stops the start
            "ENVIRONMENT": "chaos",
            "SECRET_KEY": "chaos-only-" + "k" * 60,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SERVICE_KEY_HASHES": json.dumps({"k1": hashlib.sha256(SERVICE_KEY.encode()).hexdigest()}),
            "DASHBOARD_TOKEN_HASHES": json.dumps({"d1": hashlib.sha256(b"nobody").hexdigest()}),
            "CREW_LINK_KEYS": json.dumps({"c1": base64.b64encode(bytes(range(32))).decode()}),
            "CREW_LINK_ACTIVE_KID": "c1",
            "CREW_BASE_URL": f"http://127.0.0.1:{self.port}",
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": self.database,
            "CELERY_BROKER_URL": self.broker,
            "OUTBOX_HOST": self.host,
            "OUTBOX_THREADS": "3",
            "SES_SEND_RATE": "60",  # at the 14 of a new account a season of 300 bookings needs 80 s for its mails alone
            "LOG_LEVEL": "WARNING",
            "LOG_FORMAT": "text",
            "PYTHONWARNINGS": "ignore",
        }
        return kept | self.rig.environment | ours | more

    # --- processes -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        self.ask("prepare")

    def open(self) -> None:
        gunicorn = [sys.executable, "-m", "gunicorn", "tests.faults.chaos.web:application", "--worker-class", "gthread"]
        options = [
            "-b",
            f"127.0.0.1:{self.port}",
            "--workers",
            "2",
            "--threads",
            "6",
            "--timeout",
            "20",
            "--backlog",
            "256",
        ]
        self.web = self._start([*gunicorn, *options], "web")
        until(lambda: listens(self.port), "The start of the web process")
        self.crew = [] if self.host == "thread" else [self.worker() for _ in range(self.workers)]

    def worker(self, **more: str) -> subprocess.Popen[bytes]:
        role = "celery" if self.host == "celery" else "worker"
        return self._start([sys.executable, "-m", "tests.faults.chaos.process", role], "worker", **more)

    def ask(self, role: str) -> Any:
        """Run a role to its end; answers what it says."""
        command = [sys.executable, "-m", "tests.faults.chaos.process", role]
        done = subprocess.run(command, cwd=ROOT, env=self.environment(), stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout) if done.stdout else None

    def web_workers(self) -> list[int]:
        """gunicorn's children: those that answer, and with host `thread` deliver."""
        if self.web is None:
            return []
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text().split()
            return [int(child) for child in children]
        return []

    def relieve(self, number: int) -> None:
        """Whoever stands at this place goes at once, and another takes it."""
        _end(self.crew[number], signal.SIGKILL)
        self.crew[number] = self.worker()

    def close(self) -> None:
        for process in (*self.crew, *self.passing, *([self.web] if self.web else [])):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
            _end(process, signal.SIGKILL)

    def _start(self, command: list[str], name: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment(**more),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(20)


class Office:
    """The one process in which people act; it tells when the database could not be asked."""

    def __init__(self, company: Company) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.chaos.process", "office"],
            cwd=ROOT,
            env=company.environment(OUTBOX_HOST="none"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def act(self, act: str, **asked: Any) -> Any:
        """None when the database was away: ask again."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"act": act, **asked}).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        return answer.get("done")

    def close(self) -> None:
        if self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.wait(20)
            self._process.stdout.close()
