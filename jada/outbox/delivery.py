"""Delivering a claimed row: look, call, and say what came of it. `records` writes that down; `desk` when.

Nothing here holds a transaction: what is called may take as long as its deadline allows.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Final

from django.db import DatabaseError, connection

from jada.failures import DeliveryFailure, InDoubt, Outcome, Outdated, Retry
from jada.logs import about
from jada.outbox import desk, registry
from jada.outbox.claims import Claim, claim
from jada.outbox.enums import State
from jada.outbox.failing import BACKOFF_CAP, RETRY_FOR, TRIES, backoff, requeue
from jada.outbox.failpoints import fp
from jada.outbox.records import Delivered, Ending, Failure, Mark, Unchanged, Untried, Withdrawal
from jada.outbox.registry import Topic, Withdrawn
from jada.outbox.sql import LEASE

__all__ = ["BACKOFF_CAP", "LEASE", "RETRY_FOR", "TRIES", "Claim", "backoff", "claim", "requeue", "run", "send", "start"]

logger = logging.getLogger(__name__)

AGAIN: Final = timedelta(seconds=1)  # after the database was away


def run(taken: Claim) -> None:
    """Deliver one claimed row and record what came of it. Never raises for the row's own failure."""
    step = start(taken)
    if isinstance(step, Mark):
        marked = desk.keep_trying(step)
        if not marked:
            return
        step = send(step)
    desk.keep_trying(step)


def start(taken: Claim) -> Ending | Mark:
    """All of a delivery; of a message, what comes before it may leave."""
    with _said_of(taken):
        try:
            fp("after_claim")
            return _RUNNERS[taken.topic.kind](taken)
        except DeliveryFailure as failure:
            return Failure(taken, failure)
        except Exception as error:
            if isinstance(error, DatabaseError) and _lost_the_database():
                return Failure(taken, Retry("The connection to the database broke.", after=AGAIN))
            logger.exception("Unable to deliver #%s %s", taken.effect_id, taken.topic.name)
            return Failure(taken, error)


def _lost_the_database() -> bool:
    """Whether this thread's connection broke. It is closed then, or the next rows would fail by it too."""
    if connection.connection is not None and connection.is_usable():
        return False
    connection.close()
    return True


def _said_of(taken: Claim) -> AbstractContextManager[None]:
    """Every line logged inside names the effect, its attempt, and the booking that it is about."""
    work = taken.work
    return about(effect=taken.effect_id, attempt=work.attempt, topic=work.topic, subject=work.subject)


def send(mark: Mark) -> Ending:
    """The one call of a message whose mark is committed.

    Note [Sending is committed before the call]: the one unavoidable window is a crash between the answer of the mail
    service and our record of it. A row found in `sending` after its lease may have left: it is in doubt. So is one
    that met a fault of ours: the message may be out, and is never just repeated.
    """
    taken = mark.taken
    with _said_of(taken):
        try:
            fp("after_sending")
            result = dict(taken.topic.handler.send(mark.prepared, taken.work))
            fp("response_before_record")
        except DeliveryFailure as failure:
            return Failure(taken, failure)
        except Exception as error:
            logger.exception("Unable to finish sending #%s", taken.effect_id)
            return Failure(taken, InDoubt(f"{type(error).__name__} while sending"))
    return Delivered(taken, State.SENDING, result)


def _projection(taken: Claim) -> Ending:
    place, work, mirror = taken.topic, taken.work, taken.mirror
    view = place.handler.view(work.key)
    digest = registry.digest(view)
    if mirror and mirror.digest == digest and mirror.applied_version == work.version - 1:
        return Unchanged(taken)
    if not taken.has_time_for_a_call():
        return Untried(taken)
    outcome = place.handler.write(work.key, view, work.version)
    fp("response_before_record")
    if outcome is Outcome.NEWER:
        raise Outdated(
            "A newer copy stands outside than this database knows: was it restored from a backup? "
            "Then its versions must be raised before anything is published: manage.py outbox_restored."
        )
    return Delivered(taken, result={"version": work.version}, digest=digest, material=_material(place, view, digest))


def _material(place: Topic, view: Any, digest: str) -> str:
    """Of the part of a view that a person acts on; of the whole of it unless the projection says otherwise."""
    part = getattr(place.handler, "material", None)
    return registry.digest(part(view)) if part and view is not None else digest


def _step(taken: Claim) -> Ending:
    if not taken.has_time_for_a_call():
        return Untried(taken)
    taken.topic.handler(taken.work)
    fp("response_before_record")
    return Delivered(taken)


def _batch(taken: Claim) -> Ending:
    if not taken.has_time_for_a_call():
        return Untried(taken)
    foreign = taken.topic.handler(taken.order)
    fp("response_before_record")
    return Delivered(taken, result={"id": foreign})


def _courier(taken: Claim) -> Ending | Mark:
    prepared = taken.topic.handler.prepare(taken.work)
    if isinstance(prepared, Withdrawn):
        return Withdrawal(taken, prepared.reason)
    if not taken.has_time_for_a_call():
        return Untried(taken)
    fp("before_sending")
    return Mark(taken, prepared)


_RUNNERS = {"projection": _projection, "step": _step, "batch": _batch, "courier": _courier}
