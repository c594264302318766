"""What did not go through: who has to act, when it is tried again, and when it stands before a person."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils.timezone import now

from jada.failures import DeliveryFailure, InDoubt, Misconfigured, Outdated, Refused, Retry, Unknown
from jada.logs import without_secrets
from jada.outbox import batches, breakers, sql
from jada.outbox.claims import Claim
from jada.outbox.entries import lock_lane
from jada.outbox.enums import Cause, Mode, State
from jada.outbox.models import Attempt, Effect
from jada.outbox.records import lost, move

TRIES: Final = {Cause.REFUSED: 3, Cause.CONFIGURATION: 3, Cause.BUG: 5, Cause.RETRY: 0, Cause.RESTORED: 0}
RETRY_FOR: Final = timedelta(hours=72)
BACKOFF_BASE, BACKOFF_CAP = 2.0, 900.0  # seconds
ASK_AGAIN: Final = timedelta(seconds=60)  # whether a worker that knows it has come
UNDER_WAY: Final = (State.RUNNING, State.SENDING)


def record(taken: Claim, failure: DeliveryFailure | Exception) -> None:
    reason = str(failure) if isinstance(failure, DeliveryFailure) else f"{type(failure).__name__}: {failure}"
    if isinstance(failure, Refused | Misconfigured | Outdated) or getattr(failure, "after", None) is not None:
        breakers.answered(taken.topic.service)
    match failure:
        case Unknown():
            put_back(taken, error=reason, cause=Cause.UNKNOWN, attempts=_one_less(), run_at=sql.clock() + ASK_AGAIN)
        case Retry():
            if failure.after is None:  # who names a pause has answered
                breakers.failed(taken.topic.service)
            _retry(taken, failure)
        case InDoubt():
            if taken.topic.kind == "courier":
                _doubt(taken, reason)
            else:
                _retry(taken, Retry(reason))
        case Outdated():
            _fail(taken, Cause.RESTORED, reason)
        case Misconfigured():
            _fail(taken, Cause.CONFIGURATION, reason)
        case DeliveryFailure():
            _fail(taken, Cause.REFUSED, reason)
        case _:
            _fail(taken, Cause.BUG, reason)


@transaction.atomic
def _doubt(taken: Claim, reason: str) -> None:
    if move(taken, State.SENDING, state=State.IN_DOUBT, lease_until=None, last_error=clean(reason)):
        note(taken, "in_doubt", reason)


def _retry(taken: Claim, failure: Retry) -> None:
    """The world's fault, not the row's: the attempt is given back, and the row waits for `RETRY_FOR` at the most."""
    reason = str(failure)
    row = Effect.objects.only("created_at").filter(pk=taken.effect_id).first()
    if row is None or now() - row.created_at > RETRY_FOR:
        _fail(taken, Cause.RETRY, reason)
        return
    pause = failure.after or timedelta(seconds=backoff(row.history.filter(outcome="retry").count()))
    run_at = sql.clock() + pause
    put_back(taken, error=reason, cause=Cause.RETRY, note_as="retry", attempts=_one_less(), run_at=run_at)


def _fail(taken: Claim, cause: Cause, error: str) -> None:
    """The row's fault: a few tries, then it stands before a person."""
    together = len(taken.rows) > 1 and cause in {Cause.REFUSED, Cause.BUG}
    if together:
        batches.split(taken)  # one of them may be to blame: each goes alone, and the others are not held up
    if together or taken.work.attempt < TRIES[cause]:
        run_at = sql.clock() + timedelta(seconds=backoff(taken.work.attempt))
        put_back(taken, error=error, cause=cause, note_as="retry", run_at=run_at)
        return
    with transaction.atomic():
        for effect_id, claim_no in taken.rows or ((taken.effect_id, taken.claim_no),):
            rows = Effect.objects.filter(pk=effect_id, state__in=UNDER_WAY, claim_no=claim_no)
            if rows.update(state=State.DEAD, cause=cause, last_error=clean(error), done_at=now(), lease_until=None):
                note(taken, "dead", error, effect_id=effect_id, claim_no=claim_no)
            else:
                lost(taken)


def put_back(
    taken: Claim,
    *,
    error: str = "",
    cause: str = "",
    note_as: str = "",
    since: tuple[State, ...] = UNDER_WAY,
    **changes: Any,
) -> None:
    """Every row of the claim waits again, in its place in the lane; what happened is in its history."""
    for effect_id, claim_no in taken.rows or ((taken.effect_id, taken.claim_no),):
        row = Effect.objects.only("lane", "topic", "mode").get(pk=effect_id)
        with transaction.atomic():
            words = {"last_error": clean(error), "cause": cause}
            if not requeue(row, claim_no=claim_no, since=since, **words, **changes):
                lost(taken)
            elif note_as:
                note(taken, note_as, error, effect_id=effect_id, claim_no=claim_no)


def requeue(row: Effect, *, claim_no: int, since: tuple[State, ...], guard: Any = None, **changes: Any) -> bool:
    """Back in its place in the lane; a state row that a newer one has overtaken is superseded instead.

    `guard` is one more condition on the row as it is now, such as a lease that has run out.
    """
    with transaction.atomic():
        lock_lane(row.lane)
        newer = Effect.objects.filter(lane=row.lane, topic=row.topic, state=State.PENDING, pk__gt=row.pk)
        overtaken = newer.first() if row.mode == Mode.STATE else None
        if overtaken:
            changes = {"state": State.SUPERSEDED, "done_at": now(), "batch": None}
        else:
            changes |= {"state": State.PENDING, "done_at": None}
        rows = Effect.objects.filter(pk=row.pk, state__in=since, claim_no=claim_no)
        if guard is not None:
            rows = rows.filter(guard)
        moved = rows.update(lease_until=None, **changes)
        if moved and overtaken:
            Effect.objects.filter(depends_on=row, state=State.PENDING).update(depends_on=overtaken)
        return bool(moved)


def note(taken: Claim, outcome: str, error: str, *, effect_id: int | None = None, claim_no: int | None = None) -> None:
    at = sql.clock()  # a doubt lasts from here: it must not begin in the hour of a host whose clock is wrong
    Attempt.objects.create(
        effect_id=effect_id or taken.effect_id,
        claim_no=claim_no or taken.claim_no,
        started_at=at - timedelta(seconds=taken.age()),
        at=at,
        outcome=outcome,
        error=clean(error),
    )


def clean(error: str) -> str:
    return without_secrets(error)[:2000]


def backoff(tries: int) -> float:
    """Seconds until the next try: exponential with full jitter, at most a quarter of an hour."""
    return random.uniform(0.5, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(tries, 30)))  # noqa: S311  not a secret


def _one_less() -> Any:
    return Greatest(F("attempts") - 1, Value(0))
