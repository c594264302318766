"""What no single worker does: rescue rows whose lease ran out, settle those in doubt, purge what is long done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from jada.outbox import bell, heartbeats, registry
from jada.outbox.enums import UNFINISHED, Cause, State
from jada.outbox.failing import TRIES, requeue
from jada.outbox.failpoints import fp
from jada.outbox.models import Attempt, Batch, Effect, RequestKey
from jada.outbox.registry import Work
from jada.outbox.sql import LEASE, clock

logger = logging.getLogger(__name__)

DOUBT_LASTS: Final = timedelta(minutes=10)
KEEP: Final = timedelta(days=30)
SLICE: Final = 1000  # rows; a write transaction stays short
ALARM_EVERY: Final = timedelta(minutes=10)

_alarmed: dict[str, datetime] = {}  # when this process last spoke of a topic that it does not know


def sweep(*, at: datetime | None = None) -> None:
    """Every 15 seconds, by every host; the guards make a second sweeper harmless.

    A piece that fails stops no other; then the sweeper gives no sign of life, and that is seen.
    """
    at = at or clock()
    fp("in_sweep")
    done = [_did(piece, at) for piece in (rescue, settle, untangle, purge, alarm)]
    if all(done):
        heartbeats.beat(heartbeats.SWEEPER, at=at)


def _did(piece: Callable[[datetime], int], at: datetime) -> bool:
    try:
        piece(at)
    except Exception:
        logger.exception("Unable to %s", piece.__name__)
        return False
    return True


def rescue(at: datetime) -> int:
    """Rows of a worker that died or froze. One in `sending` may have left: it is in doubt, never sent again blindly."""
    # A lease far in the future comes from a clock that went back since: it is as dead as one in the past.
    over = Q(lease_until__lt=at) | Q(lease_until__gt=at + 2 * LEASE)
    lost = Effect.objects.filter(over)
    rescued = 0
    for row in lost.filter(state=State.RUNNING):
        # One that takes its worker down each time is given up.
        act = _give_up if row.attempts >= TRIES[Cause.BUG] else _put_back
        rescued += _try(act, row, over, at)
    for row in lost.filter(state=State.SENDING):
        rescued += _try(_put_in_doubt, row, over, at)
    if rescued:
        bell.ring()
    return rescued


def _try(act: Callable[..., int], row: Effect, *given: Any) -> int:
    """One row that cannot be helped must not keep the others from it."""
    try:
        return act(row, *given)
    except Exception:
        logger.exception("Unable to help #%s", row.pk)
        return 0


@transaction.atomic
def _put_back(row: Effect, over: Q, at: datetime) -> int:
    # It was due when it was claimed: a sweeper whose clock is ahead must not put it off.
    moved = requeue(row, claim_no=row.claim_no, since=(State.RUNNING,), guard=over, run_at=min(row.run_at, at))
    if moved:
        words = "Its worker died or stood still."
        Attempt.objects.create(effect=row, claim_no=row.claim_no, at=at, outcome="lost_lease", error=words)
    return moved


@transaction.atomic
def _give_up(row: Effect, over: Q, at: datetime) -> int:
    guarded = Effect.objects.filter(over, pk=row.pk, state=State.RUNNING, claim_no=row.claim_no)
    words = "Its worker died each time."
    changed = guarded.update(state=State.DEAD, cause=Cause.BUG, last_error=words, done_at=at, lease_until=None)
    if changed:
        Attempt.objects.create(effect=row, claim_no=row.claim_no, at=at, outcome="dead", error=words)
    return changed


@transaction.atomic
def _put_in_doubt(row: Effect, over: Q, at: datetime) -> int:
    """Both or neither: a row in doubt of which no history says since when would never be settled."""
    guarded = Effect.objects.filter(over, pk=row.pk, state=State.SENDING, claim_no=row.claim_no)
    changed = guarded.update(state=State.IN_DOUBT, lease_until=None, last_error="The worker died while sending.")
    if changed:
        Attempt.objects.create(effect=row, claim_no=row.claim_no, at=at, outcome="in_doubt", error="lease ran out")
    return changed


def settle(at: datetime) -> int:
    """Messages in doubt for ten minutes follow the rule of their kind: again, or a person decides."""
    settled = 0
    for row in Effect.objects.filter(state=State.IN_DOUBT):
        since = row.history.filter(outcome="in_doubt").values_list("at", flat=True).first()
        if since is None or at - since < DOUBT_LASTS or row.topic not in registry.known():
            continue
        settled += _try(_settle, row, at)
    if settled:
        bell.ring()
    return settled


def _settle(row: Effect, at: datetime) -> int:
    work = Work(row.pk, row.topic, row.key, row.attempts, row.version, row.payload, row.claim_no)
    if registry.topic(row.topic).handler.in_doubt(work) == "resend":
        return requeue(row, claim_no=row.claim_no, since=(State.IN_DOUBT,), run_at=at)
    guarded = Effect.objects.filter(pk=row.pk, state=State.IN_DOUBT, claim_no=row.claim_no)
    return guarded.update(
        state=State.DEAD,
        cause=Cause.IN_DOUBT,
        last_error="Not known whether it was sent. Ask the recipient before you send it again.",
    )


def untangle(at: datetime) -> int:
    """Whoever waits for a row that will never be delivered waits for its successor, or for nothing.

    Every act passes waiters on; two of them at the same instant can miss one, which would then wait for ever.
    """
    gone = (State.SUPERSEDED, State.CANCELLED)
    lost = Effect.objects.filter(state=State.PENDING, run_at__lte=at, depends_on__state__in=gone)
    return sum(_try(_wait_for_the_successor, row) for row in lost.order_by("pk").select_related("depends_on")[:SLICE])


def _wait_for_the_successor(row: Effect) -> int:
    gone = row.depends_on
    if gone is None:
        return 0
    names = [gone.topic, *(registry.topic(gone.topic).then if gone.topic in registry.known() else ())]
    owed = Effect.objects.filter(topic__in=names, key=gone.key, state__in=(*UNFINISHED, State.DEAD), pk__gt=gone.pk)
    heir = owed.exclude(pk=row.pk).order_by("pk").last()
    return Effect.objects.filter(pk=row.pk, state=State.PENDING, depends_on=gone).update(depends_on=heir)


def purge(at: datetime) -> int:
    """Rows that have been final for 30 days, and answers given to requests so long ago: a thousand of each at a time.

    No client repeats a request after a month; what it asked for stands in the booking.
    """
    final = (State.DONE, State.SUPERSEDED, State.CANCELLED)
    # What is done so long was created before that: so the index of states and ages finds it.
    old = Effect.objects.filter(state__in=final, created_at__lt=at - KEEP, done_at__lt=at - KEEP, waiters=None)
    old = old.order_by()  # whichever the index gives first
    count, _ = Effect.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:SLICE])).delete()
    keys = RequestKey.objects.filter(created_at__lt=at - KEEP).values_list("pk", flat=True)[:SLICE]
    RequestKey.objects.filter(pk__in=list(keys)).delete()
    # Kept twice as long: what was ordered this month is counted on its last day too.
    batches = Batch.objects.filter(created_at__lt=at - 2 * KEEP, effects=None).values_list("pk", flat=True)[:SLICE]
    Batch.objects.filter(pk__in=list(batches)).delete()
    return count


def alarm(at: datetime) -> int:
    """Rows that no handler here knows wait for a worker that does; now and then it is said that they do."""
    strange = Effect.objects.of_unknown_topics().filter(run_at__lte=at - timedelta(minutes=1))
    topics = sorted(set(strange.order_by().values_list("topic", flat=True)[:SLICE]))
    new = [topic for topic in topics if at - _alarmed.get(topic, at - ALARM_EVERY) >= ALARM_EVERY]
    for topic in new:
        _alarmed[topic] = at
        logger.error("Nobody here knows how to deliver %s; its rows wait for a worker that does", topic)
    return len(new)
