"""How many messages a second a service takes. The claim moves one row a limit; what comes too early comes later.

A few may leave together, so that the letters of one booking do; on the average the rate is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    at, apart, ahead = sql.clock(), _apart(rate), _ahead(rate)
    # No place further ahead was ever taken by a clock that was right: one that went back must not stop the mail.
    first = max(min(limit.next_at, at + ahead + apart), at)
    places = [first + apart * count for count in range(wanted)]
    going = sum(place <= at + ahead for place in places)
    Limit.objects.filter(pk=limit.pk).update(next_at=first + apart * going)
    return [None if place <= at + ahead else place - ahead for place in places]


def until_free(rates: Mapping[str, float]) -> float | None:
    """Seconds until the first of these services has a place again; None when all have one."""
    waits = []
    for limit in Limit.objects.filter(name__in=rates):
        rate = rates[limit.name]
        pause = (limit.next_at - _ahead(rate) - sql.clock()).total_seconds()
        if pause > 0:
            waits.append(min(pause, 1 / rate))
    return min(waits, default=None)


def _apart(rate: float) -> timedelta:
    return timedelta(seconds=1 / rate)


def _ahead(rate: float) -> timedelta:
    """How much earlier than its place a message may leave."""
    return _apart(rate) * max(int(rate / TOGETHER) - 1, 0)
