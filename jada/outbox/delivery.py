"""Delivering rows: claim, look, call, record. Every transition is one guarded UPDATE judged by its row count.

The guard is (id, state, claim_no): whoever finds that it changed no row has lost the claim and touches nothing.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F
from django.utils.timezone import now

from jada.failures import DeliveryFailure, InDoubt, Misconfigured, Outcome, Refused, Retry
from jada.logs import about, without_secrets
from jada.outbox import registry
from jada.outbox.entries import lock_lane
from jada.outbox.enums import UNFINISHED, Mode, State
from jada.outbox.failpoints import fp
from jada.outbox.models import Attempt, Effect, Mirror
from jada.outbox.registry import Topic, Withdrawn, Work

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)  # longer than any handler's deadline of 30 s
TRIES = {"refused": 3, "configuration": 3, "bug": 5}
RETRY_FOR = timedelta(hours=72)
BACKOFF_BASE, BACKOFF_CAP = 2.0, 900.0  # seconds
RECORD_AGAIN = (0.5, 2.0, 10.0)  # seconds; together well under a lease

OWNER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Claim:
    """A row of ours for the length of a lease. `claim_no` fences it in here, `version` out there."""

    effect_id: int
    claim_no: int
    topic: Topic
    work: Work


# --- claim ---------------------------------------------------------------------------------------------------------


def claim(*, limit: int = 1, owner: str = OWNER) -> list[Claim]:
    """Take up to `limit` due rows, each the head of its lane, and the next fencing number of each projection."""
    at = now()
    with transaction.atomic():
        rows = Effect.objects.due(at, registry.known()).order_by("run_at", "pk")
        if connection.vendor == "postgresql":
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        return [taken for row in rows[:limit] if (taken := _take(row, owner, at))]


def _take(row: Effect, owner: str, at: datetime) -> Claim | None:
    place = registry.topic(row.topic)
    version = _next_version(row.topic, row.key) if place.kind == "projection" else row.version
    taken = Effect.objects.filter(pk=row.pk, state=State.PENDING, claim_no=row.claim_no).update(
        state=State.RUNNING,
        attempts=F("attempts") + 1,
        claim_no=F("claim_no") + 1,
        claimed_by=owner,
        lease_until=at + LEASE,
        version=version,
    )
    if not taken:
        return None
    work = Work(row.pk, row.topic, row.key, row.attempts + 1, version, row.payload, row.claim_no + 1)
    return Claim(row.pk, row.claim_no + 1, place, work)


def _next_version(topic: str, key: str) -> int:
    """A higher number never carries an older state than a lower one read before it: it is taken before the read."""
    mirror, _ = Mirror.objects.get_or_create(topic=topic, key=key)
    Mirror.objects.filter(pk=mirror.pk).update(version=F("version") + 1)
    return Mirror.objects.values_list("version", flat=True).get(pk=mirror.pk)


# --- run -----------------------------------------------------------------------------------------------------------


def run(taken: Claim) -> None:
    """Deliver one claimed row and record what came of it. Never raises for the row's own failure."""
    fp("after_claim")
    try:
        with about(effect=taken.effect_id, attempt=taken.work.attempt, topic=taken.topic.name, key=taken.work.key):
            _RUNNERS[taken.topic.kind](taken)
    except DeliveryFailure as failure:
        _record_failure(taken, failure)
    except Exception as error:
        logger.exception("Unable to deliver #%s %s", taken.effect_id, taken.topic.name)
        _fail(taken, "bug", f"{type(error).__name__}: {error}")


def _run_projection(taken: Claim) -> None:
    place, work = taken.topic, taken.work
    view = place.handler.view(work.key)
    fingerprint = registry.digest(view)
    mirror = Mirror.objects.get(topic=work.topic, key=work.key)
    if mirror.digest == fingerprint and mirror.applied_version == work.version - 1:
        _record_unchanged(taken)
        return
    outcome = place.handler.write(work.key, view, work.version)
    fp("response_before_record")
    if outcome is Outcome.NEWER:
        raise Refused(
            "A newer copy stands outside than this database knows: was it restored from a backup? "
            "Then its versions must be raised before anything is published."
        )
    material = registry.digest(_material(place, view))
    _record_put(taken, fingerprint, material, changed=material != mirror.material)


def _material(place: Topic, view: Any) -> Any:
    """The part of a view that a person acts on; the whole of it unless the projection says otherwise."""
    part = getattr(place.handler, "material", None)
    return part(view) if part and view is not None else view


def _run_step(taken: Claim) -> None:
    taken.topic.handler(taken.work)
    fp("response_before_record")
    with transaction.atomic():
        if not _finish(taken, State.DONE):
            return
        _supersede_stuck(taken)
        if taken.topic.confirms:
            Mirror.objects.filter(topic=taken.topic.confirms, key=taken.work.key).update(
                seen_version=taken.work.payload.get("version", 0), seen_at=now()
            )


def _run_courier(taken: Claim) -> None:
    handler = taken.topic.handler
    prepared = handler.prepare(taken.work)
    if isinstance(prepared, Withdrawn):
        _finish(taken, State.CANCELLED, last_error=prepared.reason)
        return
    # Note [Sending is committed before the call]: the one unavoidable window is a crash between the answer of the
    # mail service and our record of it. A row found in `sending` after its lease may have left: it is in doubt.
    fp("before_sending")
    if not _move(taken, State.RUNNING, state=State.SENDING, lease_until=now() + LEASE):
        return
    fp("after_sending")
    try:
        result = handler.send(prepared, taken.work)
        fp("response_before_record")
    except DeliveryFailure:
        raise
    except Exception as error:  # a fault of ours after the call: the message may be out, so it is never just repeated
        logger.exception("Unable to finish sending #%s", taken.effect_id)
        raise InDoubt(f"{type(error).__name__} while sending") from error
    _record_sent(taken, dict(result))


_RUNNERS = {"projection": _run_projection, "step": _run_step, "courier": _run_courier}


# --- record --------------------------------------------------------------------------------------------------------


def _move(taken: Claim, since: State, **changes: Any) -> bool:
    """One guarded transition. False: somebody else owns the row by now; the result is dropped."""
    moved = Effect.objects.filter(pk=taken.effect_id, state=since, claim_no=taken.claim_no).update(**changes)
    if not moved:
        logger.warning("Lost the lease of #%s; its result is dropped", taken.effect_id)
    return bool(moved)


def _finish(taken: Claim, state: State, *, since: State = State.RUNNING, **changes: Any) -> bool:
    changes = {"last_error": "", "cause": ""} | changes
    fp("before_record")
    moved = _move(taken, since, state=state, done_at=now(), lease_until=None, **changes)
    fp("after_record")
    return moved


def _record_sent(taken: Claim, result: dict[str, Any]) -> None:
    """The message is out: its record is tried again, never the call. What cannot be recorded is in doubt."""
    for pause in (*RECORD_AGAIN, None):
        try:
            _finish(taken, State.DONE, since=State.SENDING, result=result)
        except DatabaseError as error:
            if pause is None:
                raise InDoubt("It was sent, and the database did not take the record of it.") from error
            logger.warning("Unable to record that #%s was sent; trying again", taken.effect_id)
            time.sleep(pause)
            close_old_connections()
        else:
            return


def _record_unchanged(taken: Claim) -> None:
    """The copy is already so: no call was made, and the number goes back."""
    with transaction.atomic():
        if _finish(taken, State.DONE, result={"unchanged": True}):
            mirrors = Mirror.objects.filter(topic=taken.work.topic, key=taken.work.key, version=taken.work.version)
            mirrors.update(version=F("version") - 1)
            _supersede_stuck(taken)
            _await_earlier_steps(taken)


def _record_put(taken: Claim, fingerprint: str, material: str, *, changed: bool) -> None:
    """The put is done; what must follow it is inserted with it, and whoever waited for the put waits for the last."""
    work = taken.work
    with transaction.atomic():
        for name in taken.topic.then:
            lock_lane(registry.topic(name).lane_of(work.key))
        if not _finish(taken, State.DONE, result={"version": work.version}):
            return
        Mirror.objects.filter(topic=work.topic, key=work.key, applied_version__lt=work.version).update(
            digest=fingerprint, material=material, applied_version=work.version, applied_at=now()
        )
        _supersede_stuck(taken)
        if changed:
            _insert_steps(taken, fingerprint)
        else:
            _await_earlier_steps(taken)


def _supersede_stuck(taken: Claim) -> None:
    """The object is right again: what got stuck before is overtaken, and whoever waited for that waits for this row."""
    work = taken.work
    dead = Effect.objects.filter(topic=work.topic, key=work.key, state=State.DEAD, pk__lt=taken.effect_id)
    stuck = list(dead.values_list("pk", flat=True))
    Effect.objects.filter(depends_on__in=stuck, state=State.PENDING).update(depends_on=taken.effect_id)
    dead.filter(pk__in=stuck).update(state=State.SUPERSEDED, done_at=now())


def _await_earlier_steps(taken: Claim) -> None:
    """Nothing follows this row, but the steps of an earlier put may be on their way: its waiters wait for them."""
    steps = Effect.objects.filter(topic__in=taken.topic.then, key=taken.work.key, state__in=UNFINISHED)
    if last := steps.order_by("pk").last():
        Effect.objects.filter(depends_on=taken.effect_id, state=State.PENDING).update(depends_on=last)


def _insert_steps(taken: Claim, fingerprint: str) -> None:
    before = Effect.objects.get(pk=taken.effect_id)
    waiters = list(before.waiters.filter(state=State.PENDING).values_list("pk", flat=True))
    previous = before
    for name in taken.topic.then:
        lane = registry.topic(name).lane_of(taken.work.key)
        older = list(Effect.objects.filter(lane=lane, topic=name, state=State.PENDING).values_list("pk", flat=True))
        Effect.objects.filter(pk__in=older).update(state=State.SUPERSEDED, done_at=now())
        following = Effect.objects.create(
            topic=name,
            key=taken.work.key,
            mode=Mode.STATE,
            lane=lane,
            subject=before.subject,
            depends_on=previous,
            payload={"version": taken.work.version, "digest": fingerprint},
        )
        Effect.objects.filter(depends_on__in=older, state=State.PENDING).update(depends_on=following)
        previous = following
    Effect.objects.filter(pk__in=waiters).update(depends_on=previous)


def _record_failure(taken: Claim, failure: DeliveryFailure) -> None:
    match failure:
        case Retry():
            _retry(taken, failure)
        case InDoubt():
            _note(taken, "in_doubt", str(failure))
            _move(taken, State.SENDING, state=State.IN_DOUBT, lease_until=None, last_error=_clean(str(failure)))
        case Misconfigured():
            _fail(taken, "configuration", str(failure))
        case _:
            _fail(taken, "refused", str(failure))


def _retry(taken: Claim, failure: Retry) -> None:
    """The world's fault, not the row's: the attempt is given back, and the row waits for `RETRY_FOR` at the most."""
    row = Effect.objects.get(pk=taken.effect_id)
    if now() - row.created_at > RETRY_FOR:
        _fail(taken, "retry", str(failure), tries=0)
        return
    tries = row.history.filter(outcome="retry").count()
    pause = failure.after or timedelta(seconds=backoff(tries))
    _note(taken, "retry", str(failure))
    _back_to_pending(taken, now() + pause, str(failure), cause="retry", attempts=max(row.attempts - 1, 0))


def _fail(taken: Claim, cause: str, error: str, *, tries: int | None = None) -> None:
    """The row's fault: a few tries, then it stands before a person."""
    limit = TRIES[cause] if tries is None else tries
    if taken.work.attempt >= limit:
        _note(taken, "dead", error)
        for since in (State.RUNNING, State.SENDING):
            changes = {"state": State.DEAD, "cause": cause, "last_error": _clean(error), "done_at": now()}
            if Effect.objects.filter(pk=taken.effect_id, state=since, claim_no=taken.claim_no).update(**changes):
                return
        return
    _note(taken, "retry", error)
    _back_to_pending(taken, now() + timedelta(seconds=backoff(taken.work.attempt)), error, cause=cause)


def _back_to_pending(taken: Claim, run_at: datetime, error: str, *, cause: str, attempts: int | None = None) -> None:
    row = Effect.objects.get(pk=taken.effect_id)
    changes = {"run_at": run_at, "last_error": _clean(error), "cause": cause}
    if attempts is not None:
        changes["attempts"] = attempts
    requeue(row, claim_no=taken.claim_no, since=(State.RUNNING, State.SENDING), **changes)


def requeue(row: Effect, *, claim_no: int, since: tuple[State, ...], **changes: Any) -> bool:
    """Back in its place in the lane; a state row that a newer one has overtaken is superseded instead."""
    with transaction.atomic():
        lock_lane(row.lane)
        newer = Effect.objects.filter(lane=row.lane, topic=row.topic, state=State.PENDING, pk__gt=row.pk)
        overtaken = newer.first() if row.mode == Mode.STATE else None
        if overtaken:
            changes = {"state": State.SUPERSEDED, "done_at": now()}
            Effect.objects.filter(depends_on=row, state=State.PENDING).update(depends_on=overtaken)
        else:
            changes |= {"state": State.PENDING, "done_at": None}
        rows = Effect.objects.filter(pk=row.pk, state__in=since, claim_no=claim_no)
        return bool(rows.update(lease_until=None, **changes))


def _note(taken: Claim, outcome: str, error: str) -> None:
    Attempt.objects.create(
        effect_id=taken.effect_id, claim_no=taken.claim_no, at=now(), outcome=outcome, error=_clean(error)
    )


def _clean(error: str) -> str:
    return without_secrets(error)[:2000]


def backoff(tries: int) -> float:
    """Seconds until the next try: exponential with full jitter, at most a quarter of an hour."""
    return random.uniform(0.5, min(BACKOFF_CAP, BACKOFF_BASE * 2**tries))  # noqa: S311  not a secret
