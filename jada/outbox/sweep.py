"""What no single worker does: rescue rows whose lease ran out, settle those in doubt, purge what is long done."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from jada.outbox import heartbeats, registry
from jada.outbox.enums import Cause, State
from jada.outbox.failing import TRIES, requeue
from jada.outbox.failpoints import fp
from jada.outbox.models import Attempt, Effect
from jada.outbox.registry import Work
from jada.outbox.sql import LEASE

logger = logging.getLogger(__name__)

DOUBT_LASTS = timedelta(minutes=10)
KEEP = timedelta(days=30)


def sweep(*, at: datetime | None = None) -> None:
    """Every 15 seconds, by every host; the guards make a second sweeper harmless."""
    at = at or now()
    fp("in_sweep")
    rescue(at)
    settle(at)
    purge(at)
    heartbeats.beat(heartbeats.SWEEPER, at=at)


def rescue(at: datetime) -> int:
    """Rows of a worker that died or froze. One in `sending` may have left: it is in doubt, never sent again blindly."""
    # A lease far in the future comes from a clock that went back since: it is as dead as one in the past.
    lost = Effect.objects.filter(Q(lease_until__lt=at) | Q(lease_until__gt=at + 2 * LEASE))
    rescued = 0
    for row in lost.filter(state=State.RUNNING):
        if row.attempts >= TRIES[Cause.BUG]:  # it takes its worker down each time
            guarded = Effect.objects.filter(pk=row.pk, state=State.RUNNING, claim_no=row.claim_no)
            rescued += guarded.update(state=State.DEAD, cause="bug", last_error="Its worker died each time.")
        else:
            rescued += requeue(row, claim_no=row.claim_no, since=(State.RUNNING,), run_at=at)
    for row in lost.filter(state=State.SENDING):
        rescued += _put_in_doubt(row, at)
    return rescued


@transaction.atomic
def _put_in_doubt(row: Effect, at: datetime) -> int:
    """Both or neither: a row in doubt of which no history says since when would never be settled."""
    guarded = Effect.objects.filter(pk=row.pk, state=State.SENDING, claim_no=row.claim_no)
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
        work = Work(row.pk, row.topic, row.key, row.attempts, row.version, row.payload)
        if registry.topic(row.topic).handler.in_doubt(work) == "resend":
            settled += requeue(row, claim_no=row.claim_no, since=(State.IN_DOUBT,), run_at=at)
        else:
            guarded = Effect.objects.filter(pk=row.pk, state=State.IN_DOUBT, claim_no=row.claim_no)
            settled += guarded.update(
                state=State.DEAD,
                cause="in_doubt",
                last_error="Not known whether it was sent. Ask the recipient before you send it again.",
            )
    return settled


def purge(at: datetime) -> int:
    """Rows that have been final for 30 days, a thousand at a time."""
    final = (State.DONE, State.SUPERSEDED, State.CANCELLED)
    old = Effect.objects.filter(state__in=final, done_at__lt=at - KEEP).values_list("pk", flat=True)[:1000]
    count, _ = Effect.objects.filter(pk__in=list(old), waiters=None).delete()
    return count
