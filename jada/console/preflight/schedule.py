"""The jobs that run by the clock: which, how often, and when each ran last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Q

from jada.outbox.heartbeats import SWEEPER
from jada.outbox.models import Heartbeat
from jada.outbox.schedule import SWEEP

CHORE: Final = "chore:"
ROUNDS: Final = 3  # that a job may miss before somebody is told
LEAST: Final = timedelta(minutes=5)  # an embedded host does them in turn, twice a minute


@dataclass(frozen=True)
class Job:
    """One entry of the schedule. `last` is None where it never ran."""

    task: str
    every: timedelta
    last: datetime | None

    def is_late(self, at: datetime) -> bool:
        return self.last is None or at - self.last > max(ROUNDS * self.every, LEAST)


def jobs() -> list[Job]:
    """By the task's name. The schedule is Celery beat's; the embedded hosts do the same jobs."""
    signs = Heartbeat.objects.filter(Q(name__startswith=CHORE) | Q(name=SWEEPER))
    known = {name.removeprefix(CHORE): at for name, at in signs.values_list("name", "at")}
    if swept := known.get(SWEEPER):  # whoever sweeps says so; only beat calls it a job
        known[SWEEP] = max(swept, known.get(SWEEP, swept))
    entries: Mapping[str, Mapping[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    found = [
        Job(str(entry["task"]), timedelta(seconds=entry["schedule"]), known.get(entry["task"]))
        for entry in entries.values()
    ]
    return sorted(found, key=lambda job: job.task)
