"""Other systems at the same work, in the same run, on the same cluster: the scripts that PEERS names, one subprocess each.

They belong to nobody's requirements: `PEERS_PYTHON` is a Python that has their packages.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.places import Places
from tests.bench.plan import Choice, Failed, Figures, Job, modes

SCRIPTS = (  # what the report calls it, database, script and arguments before and after the load, environment
    ("DBOS direct", "sqlite", ("dbos_bench.py", "direct", "sqlite"), (), {"WAL": "1"}),
    ("DBOS outbox, poll 1 s", "sqlite", ("dbos_bench.py", "outbox", "sqlite"), (), {"WAL": "1"}),
    ("DBOS direct", "postgres", ("dbos_bench.py", "direct", "pg"), (), {}),
    ("DBOS outbox, poll 1 s", "postgres", ("dbos_bench.py", "outbox", "pg"), (), {}),
    ("DBOS outbox, poll 0.1 s", "postgres", ("dbos_bench.py", "outbox", "pg"), ("0.1",), {}),
    ("Procrastinate", "postgres", ("procrastinate_bench.py", "run"), (), {}),
    ("plain Celery, loses work", "postgres", ("celery_bench.py", "run"), ("pg",), {}),
)


def jobs(places: Places, choice: Choice, folder: str, python: str) -> Iterator[Job]:
    if not folder or not (Path(folder) / "dbos_bench.py").exists():
        yield Job(("peers",), skip="SKIP peers: set PEERS=DIR, the folder of their scripts")
        return
    if not python:
        yield Job(
            ("peers",), skip="SKIP peers: set PEERS_PYTHON to a Python with dbos, SQLAlchemy, procrastinate, celery"
        )
        return
    for name, database, before, after, environment in SCRIPTS:
        if database in choice.databases:
            for mode, count, rate in modes(choice.load):
                command = [python, *before, str(count), str(rate), *after]
                yield Job(("peers", database, name, mode), Peer(places, Path(folder), command, environment))


class Peer:
    def __init__(self, places: Places, folder: Path, command: list[str], environment: dict[str, str]) -> None:
        self.places, self.folder, self.command, self.environment = places, folder, command, environment

    def __call__(self) -> Figures:
        named = {"PEER_RUN": str(self.places.folder / "peers"), "PEER_PG": self.places.postgres}
        environment = {**os.environ, **named, "PEER_REDIS": self.places.redis, "EFFECT": "file", **self.environment}
        done = subprocess.run(
            self.command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        for line in done.stdout.splitlines():
            if line.startswith("RESULT "):
                return _ours(json.loads(line.removeprefix("RESULT ")))
        raise Failed((done.stdout + done.stderr).strip()[-400:])


def _ours(theirs: dict) -> Figures:
    names = {
        "bookings": "bookings",
        "effects_lost": "lost",
        "effects_duplicated": "twice",
        "bookings_per_s": "per_s",
        "p50_ms": "p50",
        "p95_ms": "p95",
    }
    return {ours: theirs[name] for name, ours in names.items()}
