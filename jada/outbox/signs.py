"""Who has not run: the parts of the host that must beat, how long each may be silent, and what starts it again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from jada.outbox.heartbeats import SCHEDULE, SWEEPER, WORKER
from jada.outbox.models import Heartbeat

LIMITS: Final[Mapping[str, timedelta]] = {
    WORKER: timedelta(minutes=2),
    SWEEPER: timedelta(minutes=2),
    SCHEDULE: timedelta(minutes=5),
}
NAMES: Final = {WORKER: "The worker", SWEEPER: "The sweeper", SCHEDULE: "The schedule"}
WITHOUT: Final = {
    WORKER: "no page, crew event or mail goes out",
    SWEEPER: "what a stopped worker left behind is not picked up",
    SCHEDULE: "holds do not expire, pages do not turn, invitations do not run out",
}
STARTED_BY: Final[Mapping[str, Mapping[str, str]]] = {
    "celery": {
        WORKER: "celery -A jada worker",
        SWEEPER: "celery -A jada beat",
        SCHEDULE: "celery -A jada beat",
    },
    "worker": dict.fromkeys(LIMITS, "manage.py outbox_worker"),
    "thread": dict.fromkeys(LIMITS, "make run"),
}
_started = time.monotonic()  # of this process


@dataclass(frozen=True)
class Silence:
    """A part that should have run. `last` is None when it never did."""

    part: str
    last: datetime | None
    command: str

    @property
    def name(self) -> str:
        return NAMES[self.part]

    @property
    def without(self) -> str:
        return WITHOUT[self.part]


def beats() -> dict[str, datetime | None]:
    """When each part that must run did so last. One query."""
    found = dict(Heartbeat.objects.filter(name__in=LIMITS).values_list("name", "at"))
    return {part: found.get(part) for part in LIMITS}


def silences(at: datetime, *, host: str = "") -> list[Silence]:
    """The parts that have been silent too long. Empty where the settings say that nobody delivers here."""
    host = host or settings.OUTBOX_HOST
    commands = STARTED_BY.get(host)
    if commands is None:
        return []
    return [
        Silence(part, last, commands[part])
        for part, last in beats().items()
        if (last is None or at - last > LIMITS[part]) and not _has_just_started(host, LIMITS[part])
    ]


def _has_just_started(host: str, limit: timedelta) -> bool:
    """Where this process delivers itself, what it has not done yet is not missing. Another process gets no such grace:
    each restart of the web would hide for minutes that its worker is gone.
    """
    return host == "thread" and time.monotonic() - _started < limit.total_seconds()
