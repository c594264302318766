"""What a person may do to a delivery. History is written by the caller: it stands above this package."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from jada.outbox import bell
from jada.outbox.entries import lock_lane
from jada.outbox.enums import State
from jada.outbox.failing import requeue
from jada.outbox.models import Effect

STUCK = (State.DEAD, State.IN_DOUBT)


@transaction.atomic
def retry(*, effect: Effect, at: datetime) -> bool:
    """Give a delivery that was given up its tries anew, from now on; False when it is not stuck any more.

    A state row that a newer one has overtaken is superseded instead: the newer one writes what holds now. What is
    not known to have been sent may arrive twice; ask the recipient first.
    """
    again = requeue(effect, claim_no=effect.claim_no, since=STUCK, run_at=at, attempts=0, cause="")
    if again:
        transaction.on_commit(bell.ring, robust=True)
    return again


@transaction.atomic
def drop(*, effect: Effect, reason: str, at: datetime) -> bool:
    """Give a delivery up for good, with the reason; False when it is under way or over.

    Whatever waited for it goes on as soon as what *it* waited for is done. To be told late or without the page is
    better than never to be told because of another delivery; a message that should not leave is dropped itself.
    """
    lock_lane(effect.lane)
    droppable = Effect.objects.filter(pk=effect.pk, claim_no=effect.claim_no, state__in=(State.PENDING, *STUCK))
    dropped = droppable.update(
        state=State.CANCELLED, last_error=f"Dropped: {reason}", done_at=at, lease_until=None, batch=None
    )
    if dropped:
        waited_for = Effect.objects.values_list("depends_on_id", flat=True).get(pk=effect.pk)  # as it is now
        Effect.objects.filter(depends_on=effect, state=State.PENDING).update(depends_on=waited_for)
        transaction.on_commit(bell.ring, robust=True)
    return bool(dropped)


def retry_many(*, effects: Iterable[Effect], at: datetime) -> list[Effect]:
    """`retry` for each of them, each in its own transaction; answers those that are on their way again."""
    return [effect for effect in in_order(effects) if retry(effect=effect, at=at)]


def drop_many(*, effects: Iterable[Effect], reason: str, at: datetime) -> list[Effect]:
    """`drop` for each of them, each in its own transaction; answers those that were given up."""
    return [effect for effect in in_order(effects) if drop(effect=effect, reason=reason, at=at)]


def in_order(effects: Iterable[Effect]) -> list[Effect]:
    """By lane, then by age: two acts that take several lanes take them in one order, so neither waits for ever."""
    return sorted(effects, key=lambda effect: (effect.lane, effect.pk))
