"""Writing down what came of a claim. The guard is (id, state, claim_no): who finds no row to change has lost the claim.

Most deliveries simply end well. Those are *plain*: one statement records many of them, in one transaction with the next
claim. Whatever has consequences for other rows is recorded alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from jada.failures import DeliveryFailure
from jada.outbox import breakers, registry, sql
from jada.outbox.claims import Claim
from jada.outbox.entries import lock_lane
from jada.outbox.enums import UNFINISHED, State
from jada.outbox.models import Effect, Mirror

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Mark:
    """A message about to leave. `prepared` waits here until the mark is committed."""

    taken: Claim
    prepared: Any
    plain = True


@dataclass(slots=True)
class Delivered:
    """It is so outside. `digest` and `material` are a projection's: of what was put, and of its decisive part."""

    taken: Claim
    since: State = State.RUNNING
    result: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    material: str = ""

    @property
    def plain(self) -> bool:
        place = self.taken.topic
        return not (place.then or place.confirms or self.taken.stuck or self.taken.order)


@dataclass(slots=True)
class Unchanged:
    """The copy is already so: no call was made, and the number goes back."""

    taken: Claim
    plain = False


@dataclass(slots=True)
class Withdrawal:
    """The last look found that the message should not leave."""

    taken: Claim
    reason: str
    plain = False


@dataclass(slots=True)
class Failure:
    """It did not go through: why, and what to do about it, are the failure's class."""

    taken: Claim
    error: DeliveryFailure | Exception
    plain = False


@dataclass(slots=True)
class Untried:
    """The worker stood still until too little of the lease was left: nothing was called."""

    taken: Claim
    plain = False


Ending = Delivered | Unchanged | Withdrawal | Failure | Untried


def lost(taken: Claim) -> None:
    logger.warning("Lost the lease of #%s; its result is dropped", taken.effect_id)


def write_plain(endings: Sequence[Delivered]) -> None:
    """Record plain deliveries, in the caller's transaction."""
    rows = [
        sql.Done(e.taken.effect_id, e.taken.claim_no, e.since.value, json.dumps(dict(e.result)), e.taken.work.version)
        for e in endings
    ]
    ours = sql.done(rows)
    puts = [
        sql.Applied(e.taken.mirror.id, e.taken.work.version, e.digest, e.material)
        for e in endings
        if e.taken.mirror and e.taken.effect_id in ours
    ]
    if puts:
        sql.applied(puts)
    for ending in endings:
        if ending.taken.effect_id not in ours:
            lost(ending.taken)
        breakers.answered(ending.taken.topic.service)


def write(ending: Ending) -> None:
    """Record one ending with all that follows from it, in a transaction of its own."""
    from jada.outbox import failing  # puts rows back, and so writes endings too

    match ending:
        case Delivered():
            _delivered(ending)
            breakers.answered(ending.taken.topic.service)
        case Unchanged(taken):
            _unchanged(taken)
        case Withdrawal(taken, reason):
            finish(taken, State.CANCELLED, last_error=reason)
        case Failure(taken, error):
            failing.record(taken, error)
        case Untried(taken):
            failing.put_back(taken, since=(State.RUNNING,), attempts=F("attempts") - 1, run_at=sql.clock())


def move(taken: Claim, since: State, **changes: Any) -> bool:
    """One guarded transition. False: somebody else owns the row by now; the result is dropped."""
    moved = Effect.objects.filter(pk=taken.effect_id, state=since, claim_no=taken.claim_no).update(**changes)
    if not moved:
        lost(taken)
    return bool(moved)


def finish(taken: Claim, state: State, *, since: State = State.RUNNING, **changes: Any) -> bool:
    changes = {"last_error": "", "cause": "", "version": taken.work.version} | changes
    return move(taken, since, state=state, done_at=now(), lease_until=None, **changes)


@transaction.atomic
def _delivered(ending: Delivered) -> None:
    taken, work = ending.taken, ending.taken.work
    if taken.order:
        from jada.outbox import batches

        batches.delivered(taken, ending.result)
    elif taken.topic.kind == "projection":
        _put(ending)
    elif finish(taken, State.DONE, since=ending.since, result=dict(ending.result)):
        _supersede_stuck(taken)
        if taken.topic.confirms:
            seen = Mirror.objects.filter(topic=taken.topic.confirms, key=work.key)
            seen.update(seen_version=work.payload.get("version", 0), seen_at=now())


def _put(ending: Delivered) -> None:
    """The put is done; what must follow it is inserted with it, and whoever waited for the put waits for the last."""
    taken, work = ending.taken, ending.taken.work
    _lock_lanes(taken)
    if not finish(taken, State.DONE, result=dict(ending.result)):
        return
    before = taken.mirror.material if taken.mirror else ""
    if taken.mirror:
        sql.applied([sql.Applied(taken.mirror.id, work.version, ending.digest, ending.material)])
    _supersede_stuck(taken)
    if ending.material != before:
        _insert_steps(taken, ending.digest)
    else:
        _await_earlier_steps(taken)


def _lock_lanes(taken: Claim) -> None:
    """Of a projection with steps, and of its steps: nobody begins to wait for it while its waiters are passed on."""
    places = [taken.topic, *map(registry.topic, taken.topic.then)] if taken.topic.then else []
    for lane in sorted({place.lane_of(taken.work.key) for place in places}):
        lock_lane(lane)


@transaction.atomic
def _unchanged(taken: Claim) -> None:
    work = taken.work
    _lock_lanes(taken)
    if finish(taken, State.DONE, result={"unchanged": True}):
        mirrors = Mirror.objects.filter(topic=work.topic, key=work.key, version=work.version)
        mirrors.update(version=F("version") - 1)
        _supersede_stuck(taken)
        _await_earlier_steps(taken)


def _supersede_stuck(taken: Claim) -> None:
    """The object is right again: what got stuck before is overtaken, and whoever waited for that waits for this row."""
    if not taken.stuck or taken.topic.kind == "courier":
        return
    dead = Effect.objects.filter(
        topic=taken.work.topic, key=taken.work.key, state=State.DEAD, mode="S", pk__lt=taken.effect_id
    )
    stuck = list(dead.values_list("pk", flat=True))
    if stuck:
        Effect.objects.filter(depends_on__in=stuck, state=State.PENDING).update(depends_on=taken.effect_id)
        dead.filter(pk__in=stuck).update(state=State.SUPERSEDED, done_at=now())


def _await_earlier_steps(taken: Claim) -> None:
    """Nothing follows this row, but the steps of an earlier put may be on their way: its waiters wait for them."""
    if not taken.topic.then:
        return
    steps = Effect.objects.filter(topic__in=taken.topic.then, key=taken.work.key, state__in=UNFINISHED)
    if last := steps.order_by("pk").last():
        Effect.objects.filter(depends_on=taken.effect_id, state=State.PENDING).update(depends_on=last)


def _insert_steps(taken: Claim, digest: str) -> None:
    work = taken.work
    waiters = list(Effect.objects.filter(depends_on=taken.effect_id, state=State.PENDING).values_list("pk", flat=True))
    subject = Effect.objects.values_list("subject", flat=True).get(pk=taken.effect_id)
    previous = taken.effect_id
    for name in taken.topic.then:
        lane = registry.topic(name).lane_of(work.key)
        older = sql.supersede(lane, name)
        following = sql.insert(
            topic=name,
            key=work.key,
            mode="S",
            lane=lane,
            subject=subject,
            depends_on=previous,
            payload={"version": work.version, "digest": digest},
        )
        if following is None:
            raise RuntimeError(f"{name}: a step waits already, behind the lock of its lane.")
        if older:
            Effect.objects.filter(depends_on__in=older, state=State.PENDING).update(depends_on=following)
        previous = following
    if waiters:
        Effect.objects.filter(pk__in=waiters).update(depends_on=previous)
