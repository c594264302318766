"""What did not go through: who has to act, when it is tried again, and when it stands before a person."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, F, Max, Min, Value
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
    """The world's fault, not the row's: the attempt is given back, and it is tried again for `RETRY_FOR` at the most."""
    reason = str(failure)
    since, tries = _tried(taken.effect_id)
    if since is not None and now() - since > RETRY_FOR:
        _fail(taken, Cause.RETRY, reason)
        return
    # A pause that the other side names is the least: who asks for days asks less and less often.
    pause = max(failure.after or timedelta(0), timedelta(seconds=backoff(tries)))
    run_at = sql.clock() + pause
    put_back(taken, error=reason, cause=Cause.RETRY, note_as="retry", attempts=_one_less(), run_at=run_at)


def _tried(effect_id: int) -> tuple[datetime | None, int]:
    """Since when and how often a row has been tried again, after a person last gave it its tries anew."""
    history = Attempt.objects.filter(effect=effect_id).order_by()
    given_up = history.filter(outcome="dead").aggregate(last=Max("claim_no"))["last"] or 0
    tries = history.filter(outcome="retry", claim_no__gt=given_up)
    found = tries.aggregate(since=Min("at"), count=Count("pk"))
    return found["since"], found["count"]


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
    """Back in its place in the lane; of two state rows that wait for the same, the older is superseded.

    `guard` is one more condition on the row as it is now, such as a lease that has run out.
    """
    with transaction.atomic():
        lock_lane(row.lane)
        rows = Effect.objects.filter(pk=row.pk, state__in=since, claim_no=claim_no)
        if guard is not None:
            rows = rows.filter(guard)
        if not rows.select_for_update().values_list("pk", flat=True).first():
            return False
        beside = _waiting_beside(row)
        if beside and beside.pk > row.pk:
            changes = {"state": State.SUPERSEDED, "done_at": now(), "batch": None}
            _pass_on(row, to=beside)
        else:
            changes |= {"state": State.PENDING, "done_at": None}
            if beside:  # an older one that a person retried while this one was under way
                Effect.objects.filter(pk=beside.pk).update(state=State.SUPERSEDED, done_at=now(), batch=None)
                _pass_on(beside, to=row)
        rows.update(lease_until=None, **changes)
        return True


def _waiting_beside(row: Effect) -> Effect | None:
    """The one other state row that waits for the same: of the two, only the newer may."""
    if row.mode != Mode.STATE:
        return None
    waiting = Effect.objects.filter(lane=row.lane, topic=row.topic, mode=Mode.STATE, state=State.PENDING)
    return waiting.exclude(pk=row.pk).first()


def _pass_on(row: Effect, *, to: Effect) -> None:
    Effect.objects.filter(depends_on=row, state=State.PENDING).update(depends_on=to)


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
    """As it may be kept: without secrets, and without the characters that a database refuses."""
    return without_secrets(error)[:2000].replace("\0", "").encode(errors="replace").decode()


def backoff(tries: int) -> float:
    """Seconds until the next try: exponential with full jitter, at most a quarter of an hour."""
    return random.uniform(0.5, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(tries, 30)))  # noqa: S311  not a secret


def _one_less() -> Any:
    return Greatest(F("attempts") - 1, Value(0))
