"""Writing rows: always in the transaction that makes the change, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import now

from jada.outbox import bell, registry, sql
from jada.outbox.enums import UNFINISHED, Mode, State
from jada.outbox.failpoints import fp
from jada.outbox.models import Effect


def enqueue(topic: str, key: str, *, subject: str = "", run_at: datetime | None = None) -> Effect:
    """Note that the object `key` may differ from its copy outside. The newest note of a lane and topic is the one kept.

    Note [Supersede, never skip]: leaving an existing pending row in its place ("it will read the state anyway") loses
    changes, because a worker may have claimed it and read the state before this transaction commits. So the pending
    row is superseded and a new one stands at the end of the lane; one in flight is left alone and the new one waits.
    """
    _require_transaction(topic)
    lane = registry.topic(topic).lane_of(key)
    insert = partial(sql.insert, topic=topic, key=key, mode=Mode.STATE.value, lane=lane, subject=subject, run_at=run_at)
    pk = insert()
    if pk is None:  # one waits already; it may be claimed at this moment, and then it is not ours to replace
        older = sql.supersede(lane, topic)
        pk = insert()
        Effect.objects.filter(depends_on__in=older, state=State.PENDING).update(depends_on=pk)
    return _inserted(pk, topic, key, Mode.STATE, lane)


def enqueue_message(
    topic: str,
    key: str,
    *,
    lane: str,
    fact: str,
    subject: str = "",
    payload: Mapping[str, Any] | None = None,
    after: tuple[str, str] | None = None,
    not_before: datetime | None = None,
) -> Effect | None:
    """Owe one message. The same `fact` twice is one message: the second call answers None and does nothing.

    `after` names a projection (topic, key) that must be in place first; if none is on its way, nothing is awaited.
    """
    _require_transaction(topic)
    pk = sql.insert(
        topic=topic,
        key=key,
        mode=Mode.MESSAGE.value,
        lane=lane,
        fact=fact,
        subject=subject,
        payload=payload,
        depends_on=_on_its_way(*after) if after else None,
        run_at=not_before,
    )
    return None if pk is None else _inserted(pk, topic, key, Mode.MESSAGE, lane)


def _inserted(pk: int | None, topic: str, key: str, mode: Mode, lane: str) -> Effect:
    """The row as its writer may want it; whatever else it holds is read when it is asked for."""
    if pk is None:
        raise RuntimeError(f"{topic} {key}: a row waits already, behind the lock of its lane.")
    fp("after_insert")
    _ring_once()
    names = ("id", "topic", "key", "mode", "lane", "state")
    return Effect.from_db(connection.alias, names, (pk, topic, key, mode.value, lane, State.PENDING.value))


def _ring_once() -> None:
    """However many rows an act writes: unless the last callback of this very savepoint rings already."""
    callbacks = connection.run_on_commit
    if not callbacks or callbacks[-1][:2] != (set(connection.savepoint_ids), _ring):
        transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    fp("after_commit_before_bell")
    bell.ring()


def withdraw(*, lane: str, reason: str, topic: str | None = None) -> int:
    """Take back what has not left yet from a lane of messages; answers how many."""
    rows = Effect.objects.filter(lane=lane, mode=Mode.MESSAGE, state=State.PENDING)
    if topic:
        rows = rows.filter(topic=topic)
    return rows.update(state=State.CANCELLED, last_error=reason, done_at=now())


def lock_lane(lane: str) -> None:
    """Serialise the writers of a lane, so that its ids are in the order of their commits.

    SQLite holds the write lock from BEGIN IMMEDIATE on; PostgreSQL takes an advisory lock until the commit.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lane])


def in_transaction() -> bool:
    """Whether the caller opened a transaction (a test case's own does not count)."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def _require_transaction(topic: str) -> None:
    if not in_transaction():
        raise RuntimeError(f"{topic}: write the outbox row in the transaction that makes the change.")


def _on_its_way(topic: str, key: str) -> int | None:
    """The last row, of the projection or of its steps, that still has to happen before the object is in place.

    Behind the lock of its lane: whoever ends or replaces that row at this moment passes on what waits for it, or is seen.
    """
    place = registry.topic(topic)
    lock_lane(place.lane_of(key))
    names = [topic, *place.then]
    rows = Effect.objects.filter(topic__in=names, key=key, state__in=UNFINISHED)
    return rows.order_by("-pk").values_list("pk", flat=True).first()
