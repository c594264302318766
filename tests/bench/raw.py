"""The physical limit: the bare driver, one connection, the rows and commits of a booking and nothing else.

One commit with one row and the six that are owed; then six commits, each marking one of them done. A process of its own:
`python -m tests.bench.raw BOOKINGS`, the database by DATABASE_URL.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.child import answer

TABLES = (
    "create table raw_booking(id {id}, code text unique, body text)",
    "create table raw_effect(id {id}, booking bigint, kind text, state text, payload text)",
    "create index raw_state on raw_effect(state, id)",
    "create index raw_of on raw_effect(booking)",
)
BOOKING = "insert into raw_booking(code, body) values(?, ?) returning id"
EFFECT = "insert into raw_effect(booking, kind, state, payload) values(?, ?, 'pending', ?)"
DONE = "update raw_effect set state = 'done' where booking = ? and kind = ?"
KINDS = tuple(f"kind{n}" for n in range(6))


def main(bookings: int) -> None:
    url = urlsplit(os.environ["DATABASE_URL"])
    begin, execute, many = _sqlite(Path(url.path)) if url.scheme == "sqlite" else _postgres(url.geturl())
    commits, started = [], time.perf_counter()
    for number in range(bookings):
        at = time.perf_counter()
        execute(begin)
        (booking,) = execute(BOOKING, (f"c{number}", "x" * 300)).fetchone()
        many(EFFECT, [(booking, kind, "y" * 200) for kind in KINDS])
        execute("commit")
        commits.append((time.perf_counter() - at) * 1000)
        for kind in KINDS:
            execute(begin)
            execute(DONE, (booking, kind))
            execute("commit")
    answer(bookings=bookings, per_s=bookings / (time.perf_counter() - started), p50=sorted(commits)[len(commits) // 2])


def _sqlite(file: Path) -> tuple[str, Callable, Callable]:
    for part in ("", "-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    for table in TABLES:
        connection.execute(table.format(id="integer primary key"))
    return "begin immediate", connection.execute, connection.executemany


def _postgres(url: str) -> tuple[str, Callable, Callable]:
    import psycopg  # SQLite's limit is measured where it is missing

    connection = psycopg.connect(url, autocommit=True)
    connection.execute("drop table if exists raw_booking, raw_effect")
    for table in TABLES:
        connection.execute(table.format(id="bigserial primary key"))

    def execute(text: str, values: tuple = ()) -> psycopg.Cursor:
        return connection.execute(text.replace("?", "%s"), values)

    def many(text: str, rows: list[tuple]) -> None:
        connection.cursor().executemany(text.replace("?", "%s"), rows)

    return "begin", execute, many


if __name__ == "__main__":
    main(int(sys.argv[1]))
