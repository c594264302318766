"""How many messages a second a service takes. The claim moves one row a limit; what comes too early comes later.

A few may leave together, so that the letters of one booking do; on the average the rate is kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from jada.outbox import sql
from jada.outbox.models import Limit

TOGETHER = 4  # part of a second's messages that may leave at once: a quarter


def room(name: str, *, rate: float, wanted: int) -> list[datetime | None]:
    """A place for each of `wanted` messages: None is now, an instant is when to come again.

    Call it in the transaction that claims them. Only the places of those that go now are taken.
    """
    Limit.objects.get_or_create(name=name, defaults={"next_at": sql.clock()})
    limit = Limit.objects.select_for_update().get(name=name)
    at, apart = sql.clock(), timedelta(seconds=1 / rate)
    ahead = apart * max(int(rate / TOGETHER) - 1, 0)
    first = max(limit.next_at, at)
    places = [first + apart * count for count in range(wanted)]
    going = sum(place <= at + ahead for place in places)
    Limit.objects.filter(pk=limit.pk).update(next_at=first + apart * going)
    return [None if place <= at + ahead else place - ahead for place in places]
