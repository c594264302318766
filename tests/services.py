"""What a test may need and a machine may lack: PostgreSQL, Redis, Chromium. Register it in `pytest_plugins`.

A test says so by a marker: `postgres`, `redis` or `browser`. Where the thing is missing the test is skipped and the
reason says how to get it; with CI=true it fails instead, so that nothing is skipped unseen. PostgreSQL is a run of its
own (DATABASE_URL names it; `.ci/run` does both), so on SQLite its tests are skipped everywhere.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from kombu import pools

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def ring_at(url: str, **conf: object) -> None:
    """Celery's one application rings at this broker from now on, by connections of its own.

    kombu keeps its pools by address for the whole process: one that a test has closed would be met again by the next.
    """
    from jada.celery import app  # this plugin is loaded before there are settings

    pools.reset()
    app.conf.update(broker_url=url, **conf)
    app._pool = app.amqp._producer_pool = None  # both remember what they were made for


def browser_path() -> str:
    """Debian's Chromium, or "" where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), "")


def _no_postgres() -> str:
    on_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    return "proved by the run on PostgreSQL (DATABASE_URL=postgres://…); this one is on SQLite" if on_sqlite else ""


def _no_redis() -> str:
    found = os.environ.get("REDIS_URL") or shutil.which("redis-server")
    return "" if found else "needs a Redis server: apt install redis-server, or set REDIS_URL"


def _no_browser() -> str:
    return "" if browser_path() else "needs Chromium: apt install chromium fonts-liberation2"


MISSING: dict[str, Callable[[], str]] = {"postgres": _no_postgres, "redis": _no_redis, "browser": _no_browser}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, missing in MISSING.items():
        if item.get_closest_marker(marker) and (reason := missing()):
            if os.environ.get("CI") == "true" and marker != "postgres":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of this process's own, empty at first; or the one that REDIS_URL names."""
    if given := os.environ.get("REDIS_URL"):
        yield given
        return
    port, folder = _free_port(), tmp_path_factory.mktemp("redis")
    server = shutil.which("redis-server") or "redis-server"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with (
        Path(folder / "log").open("wb") as log,
        subprocess.Popen([server, *options], stdout=log, stderr=log) as process,
    ):
        _await(port, process)
        yield f"redis://127.0.0.1:{port}/0"
        process.terminate()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("redis-server did not start within 10 s.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
