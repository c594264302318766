"""Where the runs happen: a folder on a real disk, a PostgreSQL and a Redis of our own on loopback, durable and then ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = ("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "shared_buffers=256MB")


@dataclass(frozen=True)
class Places:
    folder: Path
    postgres: str  # host:port:user, trusted
    redis: str

    def url(self, database: str, name: str) -> str:
        if database == "sqlite":
            return f"sqlite:///{self.folder / name}.sqlite3"
        host, port, user = self.postgres.split(":")
        return f"postgres://{user}@{host}:{port}/{name}"

    def sql(self, statement: str) -> str:
        """One statement at the cluster itself, outside any transaction."""
        import psycopg

        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return str(cursor.fetchone()[0]) if cursor.description else ""

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A process of the project's own Python, at the top of the tree."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )

    def environment(self, **more: str) -> dict[str, str]:
        named = {
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "BENCH_RUN": str(self.folder),
            "BENCH_REDIS": self.redis,
            "PYTHONPATH": str(ROOT),
        }
        return {**os.environ, **named, **more}


class Databases:
    """One empty database a run, copied from a migrated one; the filled ones are kept between runs of the bench."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.made: set[str] = set()

    def empty(self, database: str) -> str:
        """The URL of a fresh database with all tables and no row."""
        self._template(database, "bench_template")
        return self._copy(database, "bench_template", "bench_run")

    def filled(self, database: str, fill: Callable[[str], None], *, name: str, copied: bool) -> str:
        """The URL of a database that `fill(url)` filled; a copy of it, or the one itself where a copy would take long."""
        kept = f"bench_{name}_{_schema()}"
        if not self._exists(database, kept):
            sys.stdout.write(f"  filling {database}: {name} …\n")
            sys.stdout.flush()
            self._template(database, f"{kept}_part")
            fill(self.places.url(database, f"{kept}_part"))
            self._rename(database, f"{kept}_part", kept)
        return self._copy(database, kept, "bench_run") if copied else self.places.url(database, kept)

    def _template(self, database: str, name: str) -> None:
        if f"{database} {name}" in self.made:
            return
        self._drop(database, name)
        if database == "postgres":
            self.places.sql(f"create database {name}")
        url = self.places.url(database, name)
        done = self.places.python("manage.py", "migrate", "--run-syncdb", "-v0", DATABASE_URL=url)
        if done.returncode:
            raise RuntimeError(f"The tables could not be made: {done.stderr[-2000:]}")
        self.made.add(f"{database} {name}")

    def _copy(self, database: str, name: str, copy: str) -> str:
        self._drop(database, copy)
        if database == "postgres":
            self.places.sql(f"create database {copy} template {name}")
        else:
            for part in ("", *(["-wal"] if self._file(name, "-wal").exists() else [])):
                shutil.copyfile(self._file(name, part), self._file(copy, part))
        return self.places.url(database, copy)

    def _rename(self, database: str, name: str, kept: str) -> None:
        if database == "postgres":
            self.places.sql(f"alter database {name} rename to {kept}")
        else:
            for part in ("", "-wal"):
                if self._file(name, part).exists():
                    self._file(name, part).rename(self._file(kept, part))

    def _exists(self, database: str, name: str) -> bool:
        if database == "postgres":
            return self.places.sql(f"select count(*) from pg_database where datname = '{name}'") == "1"
        return self._file(name).exists()

    def _drop(self, database: str, name: str) -> None:
        if database == "postgres":
            self.places.sql(f"drop database if exists {name} with (force)")
            return
        for part in ("", "-wal", "-shm"):
            self._file(name, part).unlink(missing_ok=True)

    def _file(self, name: str, part: str = "") -> Path:
        return self.places.folder / f"{name}.sqlite3{part}"


def _schema() -> str:
    """A name of all tables as they are: what was filled under another schema is not used."""
    models = ROOT / "tests/bench/noop/models.py"
    files = [*sorted(ROOT.glob("*/migrations/*.py")), *sorted(ROOT.glob("*/*/migrations/*.py")), models]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


@contextmanager
def places(folder: Path, *, postgres: str = "") -> Iterator[Places]:
    """Everything up; the given PostgreSQL (host:port:user) instead of one of our own."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        given = postgres or stack.enter_context(_postgres(folder / "pg"))
        yield Places(folder, given, stack.enter_context(_redis(folder)))


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """A cluster with fsync and synchronous commits; its data stay for the next time."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        raise SystemExit("PostgreSQL is not installed: apt install postgresql, or name one with --postgres.")
    user, run = "bench", []
    if os.getuid() == 0:  # PostgreSQL does not run as root
        run = ["runuser", "-u", "postgres", "--"]
        folder.mkdir(exist_ok=True)
        folder.parent.chmod(0o755)
        shutil.chown(folder, "postgres")
    if not (folder / "data").exists():
        made = [*run, str(binaries[-1]), "-D", str(folder / "data"), "-U", user, "-A", "trust", "-E", "UTF8"]
        _quietly([*made, "--no-locale"])
    port = free_port()
    control = [*run, str(binaries[-1].with_name("pg_ctl")), "-D", str(folder / "data"), "-w"]
    options = " ".join((f"-p {port} -k {folder}", *POSTGRES))
    running = folder / "data" / "postmaster.pid"
    if running.exists() and Path("/proc", running.read_text().split()[0]).exists():
        raise SystemExit(f"A PostgreSQL runs in {folder} already: let the other bench end, or name another --folder.")
    _quietly([*control, "-l", str(folder / "log"), "-o", options, "start"])
    try:
        yield f"127.0.0.1:{port}:{user}"
    finally:
        subprocess.run(  # whatever became of it: what was measured is still to be reported
            [*control, "-m", "fast", "stop"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", check=False
        )


def _quietly(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{Path(command[-1]).name}: {done.stderr[-500:]}")


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    server, port = shutil.which("redis-server"), free_port()
    if not server:
        yield ""
        return
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL) as process:
        try:
            await_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def await_port(port: int, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"Nothing answers at port {port} after {seconds:.0f} s.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
