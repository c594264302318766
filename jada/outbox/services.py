"""What a person may do to a delivery. History is written by the caller: it stands above this package."""

from datetime import datetime

from django.db import transaction

from jada.outbox import bell
from jada.outbox.delivery import requeue
from jada.outbox.enums import State
from jada.outbox.models import Effect


@transaction.atomic
def retry(*, effect: Effect, at: datetime) -> bool:
    """Give a delivery that was given up its tries anew, from now on; False when it is not stuck any more.

    A state row that a newer one has overtaken is superseded instead: the newer one writes what holds now. What is
    not known to have been sent may arrive twice; ask the recipient first.
    """
    again = requeue(
        effect, claim_no=effect.claim_no, since=(State.DEAD, State.IN_DOUBT), run_at=at, attempts=0, cause=""
    )
    if again:
        transaction.on_commit(bell.ring, robust=True)
    return again
