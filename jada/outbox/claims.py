"""Taking rows: for the length of a lease they are ours, one a thread, each the head of its lane."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from jada.outbox import breakers, limits, registry, sql
from jada.outbox.enums import State
from jada.outbox.models import Effect
from jada.outbox.registry import Order, Topic, Work

logger = logging.getLogger(__name__)

OWNER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(slots=True)
class Claim:
    """A row of ours for the length of a lease. `claim_no` fences it in here, `version` out there.

    `ends` is when the lease ends by this process's own clock, which nobody sets; `mirror` is what is believed of the
    object outside; `stuck` says that an older row of it has been given up. A batch has `order` and all its `rows`.
    """

    effect_id: int
    claim_no: int
    topic: Topic
    work: Work
    ends: float
    mirror: sql.Numbered | None = None
    stuck: bool = True
    order: Order | None = None
    batch_id: int | None = None
    rows: tuple[tuple[int, int], ...] = ()

    def has_time_for_a_call(self) -> bool:
        """A worker that stood still too long does not begin: by the time it is done, the row may be another's."""
        return time.monotonic() < self.ends - sql.DEADLINE.total_seconds()

    def age(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - (self.ends - sql.LEASE.total_seconds())

    def has_time_for_a_record(self) -> bool:
        return time.monotonic() < self.ends


def claim(*, limit: int = 1, owner: str = OWNER) -> list[Claim]:
    """Take up to `limit` due rows in a transaction of its own; a batch counts as one."""
    from jada.outbox import batches  # it claims too

    try:
        with transaction.atomic():
            taken = take(limit=limit, owner=owner)
    except IntegrityError:
        # Two rows of one lane in flight: the lane lock makes it impossible. What holds the others up is left alone.
        logger.exception("A claim broke the order of a lane; one row is claimed alone")
        with transaction.atomic():
            taken = take(limit=1, owner=owner)
    if len(taken) < limit:
        try:
            taken += batches.claim(limit=limit - len(taken), owner=owner)
        except Exception:
            if not taken:
                raise
            logger.exception("Unable to claim a batch")  # what is ours already is delivered
    return taken


def take(*, limit: int, owner: str = OWNER) -> list[Claim]:
    """Up to `limit` due rows and the next version of each object, in the caller's transaction."""
    started = time.monotonic()
    resting = breakers.resting()
    topics = [place.name for place in registry.topics() if place.kind != "batch" and place.service not in resting]
    rows: list[sql.Claimed] = []
    while topics and len(rows) < limit:
        going, late = _within_rates(sql.claim(topics=topics, limit=limit - len(rows), owner=owner))
        rows += going
        if not late:
            break
        topics = [name for name in topics if name not in late]  # their places are taken; the others' rows may go
    ends = started + sql.LEASE.total_seconds()
    numbered = {row.id: (row.topic, row.key) for row in rows if registry.topic(row.topic).kind == "projection"}
    mirrors = sql.number(numbered.values()) if numbered else {}
    return [_claim(row, mirrors.get(numbered.get(row.id, ("", ""))), ends) for row in rows]


def _claim(row: sql.Claimed, mirror: sql.Numbered | None, ends: float) -> Claim:
    version = mirror.version if mirror else row.version
    work = Work(row.id, row.topic, row.key, row.attempts, version, json.loads(row.payload), row.claim_no, row.subject)
    return Claim(row.id, row.claim_no, registry.topic(row.topic), work, ends, mirror, bool(row.stuck))


def _within_rates(rows: list[sql.Claimed]) -> tuple[list[sql.Claimed], set[str]]:
    """Those that their service would not refuse now, and the topics of the others: they come later, as they were."""
    going, late = rows, set[str]()
    for place in {row.topic: registry.topic(row.topic) for row in rows}.values():
        rate = place.rate() if place.rate else 0
        if rate <= 0:
            continue
        mine = [row for row in rows if row.topic == place.name]
        places = limits.room(place.service, rate=rate, wanted=len(mine))
        for row, later in zip(mine, places, strict=True):
            if later is not None:
                _come_again(row, later)
                late.add(row.topic)
                going = [other for other in going if other.id != row.id]
    return going, late


def _come_again(row: sql.Claimed, run_at: datetime) -> None:
    """A message claimed in this very transaction waits as it did before; nothing can have overtaken it."""
    mine = Effect.objects.filter(pk=row.id, claim_no=row.claim_no, state=State.RUNNING)
    mine.update(state=State.PENDING, lease_until=None, attempts=F("attempts") - 1, run_at=run_at)


def probe() -> float | None:
    """Seconds until the next row is due (0 when one is), None when nothing waits: a look, no write lock."""
    names = [place.name for place in registry.topics()]
    due = sql.next_due(names) if names else None
    return None if due is None else max((due - sql.clock()).total_seconds(), 0)


def until_a_place() -> float | None:
    """Seconds until a service with a rate takes the next message; None when none is waited for."""
    rated = ((place.service, place.rate()) for place in registry.topics() if place.rate)
    return limits.until_free({service: rate for service, rate in rated if rate > 0})
