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
WITHOUT: Final = {
    WORKER: "no page, crew event or mail goes out",
    SWEEPER: "what a stopped worker left behind is not picked up",
    SCHEDULE: "holds do not expire, pages do not turn and invitations do not run out",
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
    """What one command should have kept running. `last` is when any of it ran, None if nothing of it ever did."""

    parts: tuple[str, ...]
    last: datetime | None
    command: str

    @property
    def name(self) -> str:
        """`The sweeper and the schedule`"""
        names = [f"the {part}" for part in self.parts]
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])).capitalize()

    @property
    def without(self) -> str:
        return "; ".join(WITHOUT[part] for part in self.parts)


def beats() -> dict[str, datetime | None]:
    """When each part that must run did so last. One query."""
    found = dict(Heartbeat.objects.filter(name__in=LIMITS).values_list("name", "at"))
    return {part: found.get(part) for part in LIMITS}


def silences(at: datetime, *, host: str = "") -> list[Silence]:
    """What has been silent too long, by what starts it. Empty where the settings say that nobody delivers here."""
    host = host or settings.OUTBOX_HOST
    commands = STARTED_BY.get(host)
    if commands is None:
        return []
    missing = {
        part: last
        for part, last in beats().items()
        if (last is None or at - last > LIMITS[part]) and not _has_just_started(host, LIMITS[part])
    }
    return [_of(command, missing, commands) for command in dict.fromkeys(commands[part] for part in missing)]


def _of(command: str, missing: Mapping[str, datetime | None], commands: Mapping[str, str]) -> Silence:
    parts = tuple(part for part in missing if commands[part] == command)
    return Silence(parts, max((last for part in parts if (last := missing[part])), default=None), command)


def _has_just_started(host: str, limit: timedelta) -> bool:
    """Where this process delivers itself, what it has not done yet is not missing. Another process gets no such grace:
    each restart of the web would hide for minutes that its worker is gone.
    """
    return host == "thread" and time.monotonic() - _started < limit.total_seconds()
