"""The statements of the hot path, by hand: one for many rows, where the ORM would need several for each (ADR 9).

The texts are the same on both databases but for three things: PostgreSQL locks what it is about to claim and skips
what others have locked, where SQLite holds the only write lock; PostgreSQL judges leases by its own clock, SQLite by
the host's; and PostgreSQL must be told the types of a list of values. States are written out, not passed: only then do
the planners see that a partial index answers the question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils.timezone import now

LEASE: Final = timedelta(seconds=90)  # longer than any handler's deadline
DEADLINE: Final = timedelta(seconds=30)  # of one handler: connect 3 s, read 10 s, twice
EPOCH: Final = 10**12  # a version is epoch * 10^12 + n

_UNFINISHED = "('pending', 'running', 'sending', 'in_doubt')"


class Claimed(NamedTuple):
    """What the claim answers of a row. `stuck`: an older row of the same object has been given up."""

    id: int
    claim_no: int
    topic: str
    key: str
    attempts: int
    payload: str
    version: int
    stuck: bool
    batch: int | None
    subject: str


class Numbered(NamedTuple):
    """A mirror after it has given out its next version."""

    id: int
    topic: str
    key: str
    version: int
    digest: str
    material: str
    applied_version: int


def clock() -> datetime:
    """The clock by which rows are due and leases end: the database's, where it is a server."""
    if connection.vendor != "postgresql":
        return now()
    ((at,),) = _rows("SELECT clock_timestamp()", [])
    moment: datetime = at
    return moment


def _rows(text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _on_server() -> bool:
    return connection.vendor == "postgresql"


def stamp(at: datetime) -> Any:
    """An instant as a value of a statement by hand."""
    return at if _on_server() else str(at.astimezone(UTC).replace(tzinfo=None))


def _in_seconds(ahead: timedelta) -> tuple[str, list[Any]]:
    """The instant so far from now, as an expression and its values."""
    if _on_server():
        return f"clock_timestamp() + interval '{ahead.total_seconds():f} seconds'", []
    return "%s", [stamp(now() + ahead)]


def _listed(count: int) -> str:
    return ", ".join(["%s"] * count)


# --- writing a row -----------------------------------------------------------------------------------------------

_INSERT = """
INSERT INTO outbox_effect (topic, "key", mode, lane, subject, fact, payload, depends_on_id, run_at, created_at,
  state, attempts, claim_no, claimed_by, version, result, cause, last_error)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, {run_at}, %s, 'pending', 0, 0, '', 0, '{{}}', '', '')
ON CONFLICT DO NOTHING RETURNING id"""
_INSERT_AT, _INSERT_NOW = _INSERT.format(run_at="%s"), _INSERT.format(run_at="clock_timestamp()")
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def insert(
    *,
    topic: str,
    key: str,
    mode: str,
    lane: str,
    subject: str = "",
    fact: str | None = None,
    payload: Mapping[str, Any] | None = None,
    depends_on: int | None = None,
    run_at: datetime | None = None,
) -> int | None:
    """Lock the lane and insert one row at its end; None when a row that may stand there once already does."""
    created, server = stamp(now()), _on_server()
    values = [topic, key, mode, lane, subject, fact, json.dumps(dict(payload)) if payload else "{}", depends_on]
    if run_at is None and server:
        text = _INSERT_NOW
    else:
        text = _INSERT_AT
        values.append(created if run_at is None else stamp(run_at))
    with connection.cursor() as cursor:
        if server:  # two statements, one way to the server and back; each sees what was committed before it
            cursor.execute(f"{_LOCK};{text}", [lane, *values, created])
            cursor.nextset()
        else:
            cursor.execute(text, [*values, created])
        row = cursor.fetchone()
    return row[0] if row else None


def supersede(lane: str, topic: str) -> list[int]:
    """The waiting state rows of a lane and topic give way to the one that comes; answers which."""
    text = """
UPDATE outbox_effect SET state = 'superseded', done_at = %s
WHERE lane = %s AND topic = %s AND mode = 'S' AND state = 'pending' RETURNING id"""
    return [row[0] for row in _rows(text, [stamp(now()), lane, topic])]


# --- claiming ------------------------------------------------------------------------------------------------------

# Both planners guess that hardly any row waits, and would sort all that do, and look into the lane of each, for every
# claim of a few. SQLite is told the index; PostgreSQL, for this transaction, that it has no other way than that order.
_BY_DUE, _BY_DEAD = " INDEXED BY outbox_due", " INDEXED BY outbox_dead"

# Head of its lane: nothing unfinished stands before it, nothing is in flight. (What a person retries comes back in its
# old place, while a later row of its lane may be in flight.)
_DUE = f"""
SELECT e.id FROM outbox_effect e{{by_due}}
WHERE e.state = 'pending' AND e.run_at <= {{now}} AND e.topic IN ({{topics}})
  AND NOT EXISTS (SELECT 1 FROM outbox_effect p WHERE p.lane = e.lane AND p.state IN {_UNFINISHED}
                  AND (p.id < e.id OR p.state <> 'pending'))
  AND (e.depends_on_id IS NULL
       OR (SELECT d.state FROM outbox_effect d WHERE d.id = e.depends_on_id) = 'done')
ORDER BY e.run_at, e.id LIMIT {{limit}} {{lock}}"""  # noqa: S608  constants and placeholders

_IN_ORDER = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; "

# MATERIALIZED: PostgreSQL must not run the locking query again for each row it is joined to.
_CLAIM = """
WITH due AS MATERIALIZED ({due})
UPDATE outbox_effect SET state = 'running', attempts = attempts + 1, claim_no = claim_no + 1, claimed_by = %s,
  lease_until = {lease}, batch_id = {batch}
WHERE id IN (SELECT id FROM due)
RETURNING id, claim_no, topic, "key", attempts, payload, version,
  EXISTS (SELECT 1 FROM outbox_effect s{by_dead} WHERE s.topic = CAST(outbox_effect.topic AS text)
          AND s."key" = CAST(outbox_effect."key" AS text) AND s.state = 'dead' AND s.id < outbox_effect.id),
  batch_id, subject"""

# A batching topic has thousands of waiting rows at times: which of them come first is asked once for all.
_WAITING = _DUE.replace("SELECT e.id FROM", 'SELECT e."key" FROM')

_texts: dict[tuple[str, int, int], str] = {}


def claim(*, topics: Sequence[str], limit: int, owner: str) -> list[Claimed]:
    """Up to `limit` due rows become ours, in the order in which they were owed."""
    key = (connection.vendor, len(topics), limit)
    if (text := _texts.get(key)) is None:
        text = _texts[key] = _claim_text(len(topics), limit)
    values = [*topics, owner] if _on_server() else [stamp(at := now()), *topics, owner, stamp(at + LEASE)]
    return _claimed(text, values)


def _claimed(text: str, values: Sequence[Any]) -> list[Claimed]:
    with connection.cursor() as cursor:
        if _on_server():
            cursor.execute(_IN_ORDER + text, values)
            while cursor.description is None and cursor.nextset():
                pass
        else:
            cursor.execute(text, values)
        return sorted(Claimed(*row) for row in cursor.fetchall())


def _claim_text(topics: int, limit: int) -> str:
    return _claiming(_due_text(topics, limit), batch="batch_id")


def _claiming(due: str, *, batch: str) -> str:
    by_dead = "" if _on_server() else _BY_DEAD
    return _CLAIM.format(due=due, lease=_in_seconds(LEASE)[0], batch=batch, by_dead=by_dead)


def _due_text(topics: int, limit: int, *, text: str = _DUE, lock: bool = True) -> str:
    server = _on_server()
    return text.format(
        now="clock_timestamp()" if server else "%s",
        topics=_listed(topics),
        limit=limit,
        lock="FOR UPDATE OF e SKIP LOCKED" if server and lock else "",
        by_due="" if server else _BY_DUE,
    )


def waiting(*, topic: str, limit: int) -> list[str]:
    """The keys of the due rows of a batching topic that are in no batch yet, the oldest first."""
    text = _due_text(1, limit, text=_WAITING, lock=False).replace("e.topic IN", "e.batch_id IS NULL AND e.topic IN")
    return [row[0] for row in _rows(text, [topic] if _on_server() else [stamp(now()), topic])]


def claim_batch(*, topic: str, limit: int, owner: str, batch: int, only: int | None = None) -> list[Claimed]:
    """Due rows become ours as members of `batch`: those of the batch `only`, or those that are in none."""
    which = "e.batch_id IS NULL" if only is None else f"e.batch_id = {int(only)}"
    due = _due_text(1, limit).replace("e.topic IN", f"{which} AND e.topic IN")
    text = _claiming(due, batch=str(int(batch)))
    values = [topic, owner] if _on_server() else [stamp(at := now()), topic, owner, stamp(at + LEASE)]
    return _claimed(text, values)


_NUMBER = """
INSERT INTO outbox_mirror (topic, "key", version, digest, material, applied_version, seen_version, differences)
VALUES {rows} ON CONFLICT (topic, "key") DO UPDATE SET version = outbox_mirror.version + 1
RETURNING id, topic, "key", version, digest, material, applied_version"""
_NEW_MIRROR = f"(%s, %s, (SELECT COALESCE(MAX(number), 0) FROM outbox_epoch) * {EPOCH} + 1, '', '', 0, 0, '[]')"  # noqa: S608


def number(objects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Numbered]:
    """The next version of each object (topic, key). Two processes take the numbers of several in the same order."""
    wanted = sorted(set(objects))
    text = _NUMBER.format(rows=", ".join([_NEW_MIRROR] * len(wanted)))
    taken = (Numbered(*row) for row in _rows(text, [part for pair in wanted for part in pair]))
    return {(mirror.topic, mirror.key): mirror for mirror in taken}


def next_due(topics: Sequence[str]) -> datetime | None:
    """When the next row of these topics is due, the past included; None when nothing waits."""
    by_due = "" if _on_server() else _BY_DUE
    text = f"SELECT run_at FROM outbox_effect{by_due} WHERE state = 'pending' AND topic IN ({_listed(len(topics))})"  # noqa: S608
    found = _rows(f"{text} ORDER BY run_at, id LIMIT 1", topics)
    if not found:
        return None
    at: datetime = found[0][0]
    return at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite keeps UTC, and does not say so


# --- recording -----------------------------------------------------------------------------------------------------


def sending(rows: Sequence[tuple[int, int]]) -> set[int]:
    """Rows (id, claim_no) that are about to leave; answers those still ours with a deadline's worth of lease left.

    Marked twice by the same claim when the answer to the first commit was lost: it has not left, and may.
    """
    lease, until = _in_seconds(LEASE)
    enough, since = _in_seconds(DEADLINE)
    text = f"""
UPDATE outbox_effect SET state = 'sending', lease_until = {lease}
FROM (VALUES {", ".join(["(%s, %s)"] * len(rows))}) AS mine
WHERE id = mine.column1 AND claim_no = mine.column2 AND state IN ('running', 'sending')
  AND lease_until > {enough} RETURNING id"""  # noqa: S608
    return {row[0] for row in _rows(text, [*until, *(part for row in rows for part in row), *since])}


class Done(NamedTuple):
    id: int
    claim_no: int
    since: str
    result: str
    version: int


def done(rows: Sequence[Done]) -> set[int]:
    """Rows that are delivered; answers those that were still ours."""
    as_json = "::jsonb" if _on_server() else ""
    text = f"""
UPDATE outbox_effect SET state = 'done', done_at = %s, lease_until = NULL, last_error = '', cause = '',
  result = mine.column4{as_json}, version = mine.column5
FROM (VALUES {", ".join(["(%s, %s, %s, %s, %s)"] * len(rows))}) AS mine
WHERE id = mine.column1 AND claim_no = mine.column2 AND state = mine.column3 RETURNING id"""  # noqa: S608
    return {row[0] for row in _rows(text, [stamp(now()), *(part for row in rows for part in row)])}


class Applied(NamedTuple):
    """What stands outside since a put: by the id of its mirror."""

    mirror: int
    version: int
    digest: str
    material: str


def applied(puts: Sequence[Applied]) -> None:
    """Note what stands outside, unless something newer is noted already."""
    text = f"""
UPDATE outbox_mirror SET applied_version = mine.column2, digest = mine.column3, material = mine.column4, applied_at = %s
FROM (VALUES {", ".join(["(%s, %s, %s, %s)"] * len(puts))}) AS mine
WHERE id = mine.column1 AND applied_version < mine.column2"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(text, [stamp(now()), *(part for put in sorted(puts) for part in put)])
