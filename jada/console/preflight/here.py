"""Looks at this side: settings and keys, the database, who works, the broker, the disk."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.checks import CheckMessage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import KombuError

from jada.checks import findings as unsafe_settings
from jada.console.preflight import schedule
from jada.findings import Check, Finding, error, ok, warning
from jada.outbox import signs
from jada.outbox.heartbeats import SCHEDULE
from jada.outbox.tasks import publish_ring

KEYS: Final = {
    "keys.service": ("SERVICE_KEY_HASHES", "manage.py new_key"),
    "keys.dashboard": ("DASHBOARD_TOKEN_HASHES", "manage.py new_key --kind dashboard"),
    "keys.crew-link": ("CREW_LINK_KEYS", "manage.py new_key --kind crew-link"),
}
DAILY: Final = "console.preflight"
PROMPT: Final = 1.0  # seconds that a ring may take
LITTLE, NONE = 500, 100  # MB free on a disk: time to make room; nothing can be written soon
MEGABYTE: Final = 1024 * 1024


def checks(*, at: datetime, clock: Callable[[], float] = time.monotonic) -> list[Check]:
    """Those that use the database are near; all but the broker's work without a network."""
    return [
        Check(("settings.safe",), safe, "manage.py check", far=False),
        Check(tuple(KEYS), keys, "manage.py check", far=False),
        Check(("database.migrations",), migrations, "manage.py migrate", far=False),
        Check(("database.durable",), durable, "manage.py check --database default", far=False),
        Check(
            ("host.delivers", "host.worker", "host.sweeper", "host.schedule", "host.jobs"),
            partial(host, at),
            "manage.py outbox_worker",
            far=False,
        ),
        Check(("disk.data", "disk.temporary"), disk, "df -h", far=False),
        Check(("host.broker",), partial(broker, clock), "manage.py outbox_worker"),
    ]


# --- settings and keys ---------------------------------------------------------------------------------------------


def safe() -> Iterator[Finding]:
    """`settings.safe`: what the start refuses, also where it was not asked (a check can be silenced, a command skips it)."""
    wrong = [found for found in unsafe_settings() if not _is_of_keys(found)]
    if wrong:
        hints = " ".join(str(found.hint) for found in wrong if found.hint)
        said = " ".join(str(found.msg) for found in wrong)
        yield error("settings.safe", f"{said} {hints}".strip(), mend="manage.py check --deploy")
    else:
        yield ok("settings.safe", "The settings are ones to start with.")


def keys() -> Iterator[Finding]:
    """`keys.service`, `keys.dashboard`, `keys.crew-link`: set, missing or weak; their values are never said."""
    found = list(unsafe_settings())
    for code, (setting, mend) in KEYS.items():
        if wrong := [str(each.msg) for each in found if _is_of(setting, each)]:
            yield error(code, " ".join(wrong), mend=mend)
        else:
            count = len(getattr(settings, setting))
            yield ok(code, f"{setting} has {count} key{'s' if count > 1 else ''}.")


def _is_of_keys(found: CheckMessage) -> bool:
    return any(_is_of(setting, found) for setting, _ in KEYS.values())


def _is_of(setting: str, found: CheckMessage) -> bool:
    text = str(found.msg)
    return text.startswith(setting) or (setting == "CREW_LINK_KEYS" and text.startswith("The crew link key"))


# --- the database --------------------------------------------------------------------------------------------------


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    waiting = [f"{m.app_label}.{m.name}" for m, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if waiting:
        first = ", ".join(waiting[:5]) + (", …" if len(waiting) > 5 else "")
        said = f"The database lacks {len(waiting)} migrations of this release ({first})."
        yield error("database.migrations", said, mend="manage.py migrate")
    else:
        yield ok("database.migrations", "The database has every migration.")


def durable() -> Iterator[Finding]:
    """A mail that is out cannot be rolled back: what was committed about it must survive a power cut."""
    yield _sqlite() if connection.vendor == "sqlite" else _postgresql()


def _sqlite() -> Finding:
    mode, level = _ask("PRAGMA journal_mode"), int(_ask("PRAGMA synchronous"))
    if mode.lower() == "wal" and level >= 2:
        return ok("database.durable", "SQLite writes ahead and waits for the disk.")
    said = f"SQLite runs with journal_mode={mode} and synchronous={level}: the last commits may be lost with the power."
    mend = "unset DJANGO_SETTINGS_MODULE  # jada.settings sets WAL and FULL"
    return error("database.durable", said, mend=mend)


def _postgresql() -> Finding:
    off = [
        name for name in ("fsync", "full_page_writes", "synchronous_commit") if _ask(f"SHOW {name}") in ("off", "local")
    ]
    if not off:
        return ok("database.durable", "PostgreSQL waits for the disk.")
    said = f"PostgreSQL runs with {', '.join(off)} off: the last commits may be lost with the power."
    return error(
        "database.durable",
        said,
        mend=f'psql "$DATABASE_URL" -c "ALTER SYSTEM RESET {off[0]}" -c "SELECT pg_reload_conf()"',
    )


def _ask(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return str(cursor.fetchone()[0])


# --- who works -----------------------------------------------------------------------------------------------------


def host(at: datetime) -> Iterator[Finding]:
    """`host.delivers`, `host.worker`, `host.sweeper`, `host.schedule`, `host.jobs`."""
    if settings.OUTBOX_HOST == "none":
        said = "OUTBOX_HOST is none: nobody delivers what is owed."
        yield error("host.delivers", said, mend="export OUTBOX_HOST=worker && manage.py outbox_worker")
        return
    yield ok("host.delivers", f"Deliveries are the work of OUTBOX_HOST={settings.OUTBOX_HOST}.")
    silent = {part for silence in signs.silences(at) for part in silence.parts}
    starts = signs.STARTED_BY[settings.OUTBOX_HOST]
    for part, last in signs.beats().items():
        if part in silent:
            since = f"has not run since {last:%Y-%m-%d %H:%M} UTC" if last else "has never run"
            yield error(f"host.{part}", f"The {part} {since}: {signs.WITHOUT[part]}.", mend=starts[part])
        else:
            yield ok(f"host.{part}", f"The {part} runs.")
    # This look is itself a job: while it is taken for the first time, it has not run yet.
    if late := [job.task for job in schedule.jobs() if job.is_late(at) and job.task != DAILY]:
        yield warning(
            "host.jobs",
            f"These jobs of the schedule have not run when they should have: {', '.join(late)}.",
            mend=starts[SCHEDULE],
        )
    else:
        yield ok("host.jobs", "Every job of the schedule ran when it should have.")


def broker(clock: Callable[[], float]) -> Iterator[Finding]:
    """`host.broker`: a real ring, which carries nothing and makes a worker look for work."""
    if settings.OUTBOX_HOST != "celery":
        yield ok("host.broker", f"OUTBOX_HOST={settings.OUTBOX_HOST} needs no broker.")
        return
    where = settings.CELERY_BROKER_URL.partition("://")[0]
    if where == "memory":
        said = "CELERY_BROKER_URL is memory://: no worker hears a bell that stays in this process."
        yield error("host.broker", said, mend="export CELERY_BROKER_URL=redis://HOST:6379/0")
        return
    began = clock()
    try:
        publish_ring()
    except (KombuError, OSError) as failure:
        said = f"The broker ({where}) takes no ring ({type(failure).__name__}): deliveries wait for the sweeper."
        yield error("host.broker", said, mend="celery -A jada inspect ping")
        return
    took = clock() - began
    if took > PROMPT:
        said = f"The broker ({where}) took {took:.1f} s for one ring."
        yield warning("host.broker", said, mend="celery -A jada inspect ping")
    else:
        yield ok("host.broker", f"The broker ({where}) takes a ring at once.")


# --- the disk ------------------------------------------------------------------------------------------------------


def disk() -> Iterator[Finding]:
    """`disk.data`, `disk.temporary`. Uploads are in a bucket."""
    yield _room("disk.data", Path(settings.VAR_DIR), "VAR_DIR")
    yield _room("disk.temporary", Path(tempfile.gettempdir()), "the temporary folder")


def _room(code: str, folder: Path, name: str) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free // MEGABYTE
    said = f"{free} MB are free on the disk of {name}"
    if free < NONE:
        return error(code, f"{said}: soon nothing can be written.", mend=f"du -xsh {there}/* | sort -h | tail")
    if free < LITTLE:
        return warning(code, f"{said}: make room.", mend=f"du -xsh {there}/* | sort -h | tail")
    return ok(code, f"{said}.")
