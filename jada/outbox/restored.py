"""After a restore: the copies outside are newer than the database, so its versions must be raised above theirs.

A version is epoch * 10^12 + n. A new epoch lifts every version above all that were handed out before, whatever was lost.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Mod

from jada.outbox.models import Effect, Epoch, Mirror
from jada.outbox.resync import resync
from jada.outbox.sql import EPOCH

SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
STEP: Final = timedelta(minutes=15)


def restored_needed() -> bool:
    """Whether a copy outside was found newer than this database, and its versions were not raised since."""
    return Effect.objects.newer_outside().exists()


def next_epoch(at: datetime) -> int:
    """Above every earlier one, also above one that a later backup knew and this one forgot: it follows the clock."""
    highest = Epoch.objects.aggregate(highest=Max("number"))["highest"] or 0
    return max(int(highest) + 1, (at - SINCE) // STEP)


def outbox_restored(*, at: datetime) -> tuple[int, int]:
    """Begin a new epoch and owe every mirrored object anew; answers the epoch and how many objects.

    Run it while nothing else does. It repeats no mail. Run twice, it writes everything out twice and harms nothing.
    """
    with transaction.atomic():
        epoch = Epoch.objects.create(number=next_epoch(at), at=at).number
        # What is noted of the copies is of the time before: it is forgotten, so that each is written again.
        Mirror.objects.update(version=Mod(F("version"), EPOCH) + epoch * EPOCH, digest="", material="")
    return epoch, resync()
