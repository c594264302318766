"""Many rows, one call. One batch of a topic is under way at a time; what comes meanwhile forms the next.

Note [Frozen members]: what a call named is kept with its reference before the call is made. If it is not known whether
the call arrived, the very same is sent again under the same reference, which the other side recognises: no second
invalidation and no second bill. Rows that came since wait for a batch of their own.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.timezone import now

from jada.outbox import breakers, registry, sql
from jada.outbox.claims import OWNER, Claim
from jada.outbox.entries import lock_lane
from jada.outbox.enums import State
from jada.outbox.models import Batch, Effect
from jada.outbox.registry import Order, Topic, Work

MOST_ROWS: Final = 10_000  # of one call that names everything
LOOK_AGAIN: Final = 1.0  # seconds, at the most, whatever else is due

_looked_at = float("-inf")


def neglected() -> bool:
    """Whether this process has not looked for batches for a while."""
    return time.monotonic() - _looked_at > LOOK_AGAIN


def claim(*, limit: int = 1, owner: str = OWNER) -> list[Claim]:
    """The next batch of each batching topic that has none under way, `limit` at the most."""
    global _looked_at  # noqa: PLW0603  one of a process
    _looked_at = time.monotonic()
    taken: list[Claim] = []
    for place in registry.topics():
        if place.kind == "batch" and len(taken) < limit and place.service not in breakers.resting():
            due = Effect.objects.filter(topic=place.name, state=State.PENDING, run_at__lte=sql.clock())
            if due.exists():  # a look, before the write lock is taken for it
                taken += _claim(place, owner)
    return taken


@transaction.atomic
def _claim(place: Topic, owner: str) -> list[Claim]:
    lock_lane(f"batch:{place.name}")
    if Effect.objects.filter(topic=place.name, state=State.RUNNING).exists():
        return []
    started = time.monotonic()
    again = _to_repeat(place)
    rows = _take_again(place, again, owner) if again else []
    batch = again
    if not rows:
        batch, rows = _form(place, owner)
    if batch is None or not rows:
        return []
    first = rows[0]
    work = Work(first.id, first.topic, first.key, max(row.attempts for row in rows), 0, {}, first.claim_no)
    return [
        Claim(
            first.id,
            first.claim_no,
            place,
            work,
            started + sql.LEASE.total_seconds(),
            stuck=any(row.stuck for row in rows),
            order=Order(batch.reference, tuple(batch.members)),
            batch_id=batch.pk,
            rows=tuple((row.id, row.claim_no) for row in rows),
        )
    ]


def _to_repeat(place: Topic) -> Batch | None:
    """The oldest batch that was under way before and is due again."""
    due = Effect.objects.filter(topic=place.name, state=State.PENDING, batch__isnull=False, run_at__lte=sql.clock())
    row = due.select_related("batch").order_by("run_at", "pk").first()
    return row.batch if row else None


def _take_again(place: Topic, batch: Batch, owner: str) -> list[sql.Claimed]:
    """Its rows that may go now; those that may not leave it, for it is sent as it was whatever becomes of them."""
    rows = sql.claim_batch(topic=place.name, limit=MOST_ROWS, owner=owner, batch=batch.pk, only=batch.pk)
    Effect.objects.filter(batch=batch, state=State.PENDING).update(batch=None)
    return rows


def _form(place: Topic, owner: str) -> tuple[Batch | None, list[sql.Claimed]]:
    """A new batch of what waits: up to a hundred names, or the one name for everything when far more wait."""
    rules = place.batching
    if rules is None:
        raise TypeError(f"{place.name} is no batching topic.")
    keys = sql.waiting(topic=place.name, limit=MOST_ROWS)
    wanted = [tuple(rules.members(key)) for key in keys]
    everything = sum(map(len, wanted)) > rules.too_many
    count = len(keys) if everything else _how_many(wanted, rules.most)
    if not count:
        return None, []
    batch = Batch.objects.create(topic=place.name, reference=uuid.uuid4().hex, members=[], size=0)
    # The number alone would come back after a restore, naming other paths: the other side would refuse it.
    batch.reference = f"{settings.ENVIRONMENT}-{batch.pk}-{batch.reference[:8]}"
    rows = sql.claim_batch(topic=place.name, limit=count, owner=owner, batch=batch.pk)
    named = [rules.everything] if everything else sorted({name for row in rows for name in rules.members(row.key)})
    batch.members, batch.size = named, len(named)
    batch.save()
    return batch, rows


def _how_many(wanted: Sequence[tuple[str, ...]], most: int) -> int:
    """Rows that fit into one call: at least one, however much it names."""
    members: set[str] = set()
    for count, names in enumerate(wanted):
        members |= set(names)
        if count and len(members) > most:
            return count
    return len(wanted)


def delivered(taken: Claim, result: Mapping[str, Any]) -> None:
    """Every row of the batch is done, and so is the batch; in the caller's transaction."""
    rows = [sql.Done(pk, claim_no, State.RUNNING.value, "{}", 0) for pk, claim_no in taken.rows]
    ours: set[int] = set()
    for start in range(0, len(rows), 500):  # a statement has room for so many values
        ours |= sql.done(rows[start : start + 500])
    Batch.objects.filter(pk=taken.batch_id or 0).update(done_at=now(), foreign_id=str(result.get("id", ""))[:120])
    if taken.stuck and ours:
        objects = Effect.objects.filter(pk__in=list(ours)[:500]).values_list("key", flat=True)
        dead = Effect.objects.filter(topic=taken.topic.name, key__in=list(objects), state=State.DEAD, pk__lt=max(ours))
        for row in dead:
            heir = Effect.objects.filter(pk__in=ours, key=row.key).first()
            Effect.objects.filter(depends_on=row, state=State.PENDING).update(depends_on=heir)
        dead.update(state=State.SUPERSEDED, done_at=now())


@transaction.atomic
def split(taken: Claim) -> None:
    """From now on each row of the batch is one of its own."""
    rules = taken.topic.batching
    if rules is None:
        raise TypeError(f"{taken.topic.name} is no batching topic.")
    for row in Effect.objects.filter(pk__in=[pk for pk, _ in taken.rows], batch=taken.batch_id):
        members = sorted(set(rules.members(row.key)))
        reference = f"{taken.order.reference if taken.order else ''}-{row.pk}"
        alone = Batch.objects.create(topic=row.topic, reference=reference, members=members, size=len(members))
        Effect.objects.filter(pk=row.pk).update(batch=alone)


def members_since(topic: str, since: datetime) -> int:
    """How many names its calls have carried since then: what the other side counts, and bills."""
    done = Batch.objects.filter(topic=topic, created_at__gte=since, done_at__isnull=False)
    return done.aggregate(total=Sum("size"))["total"] or 0
