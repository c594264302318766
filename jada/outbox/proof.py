"""What the other side says of a message settles whether it left: its service by itself, or its recipient by telephone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from jada.outbox import bell
from jada.outbox.enums import Cause, Mode, State
from jada.outbox.models import Attempt, Effect, EffectQuerySet

RECONCILED: Final = "reconciled"
# In doubt, to be repeated by its kind's rule and not repeated yet, or before a person because nobody knew.
_DOUBTFUL: Final = Q(state=State.IN_DOUBT) | Q(state=State.PENDING) | Q(state=State.DEAD, cause="in_doubt")


def doubtful(topic: str) -> EffectQuerySet:
    """Messages that may have left by an earlier claim. One that is being sent is its worker's: it may yet record it."""
    return Effect.objects.filter(_DOUBTFUL, topic=topic, mode=Mode.MESSAGE, claim_no__gt=0)


def in_doubt(topic: str) -> EffectQuerySet:
    """Messages of which nobody knows whether they left, and a person may."""
    unknown = Q(state=State.IN_DOUBT) | Q(state=State.DEAD, cause=Cause.IN_DOUBT)
    return Effect.objects.filter(unknown, topic=topic, mode=Mode.MESSAGE, claim_no__gt=0)


@transaction.atomic
def prove_sent(*, effect_id: int, claim_no: int, by_what: str, result: Mapping[str, Any], at: datetime) -> bool:
    """A message that was asked for under `claim_no` did leave: it is done and is not sent again.

    Answers False where there was no doubt: it is done, it is being sent at this moment, or it was sent anew.
    """
    rows = Effect.objects.filter(_DOUBTFUL, pk=effect_id, mode=Mode.MESSAGE, claim_no__gte=max(claim_no, 1))
    # `result` is given as it is: nothing was recorded when the answer was lost.
    proven = rows.update(
        state=State.DONE,
        done_at=at,
        lease_until=None,
        cause="",
        last_error="",
        result=dict(result) | {RECONCILED: True},
    )
    if proven:
        Attempt.objects.create(effect_id=effect_id, claim_no=claim_no, at=at, outcome=RECONCILED, error=by_what)
        transaction.on_commit(bell.ring, robust=True)  # whoever waits in its lane may go
    return bool(proven)
