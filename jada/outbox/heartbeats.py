"""Signs of life: which part of the host ran last, and when. What is silent too long is red on the Today page."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from django.utils.timezone import now

from jada.outbox.models import Heartbeat

WORKER: Final = "worker"  # a round of delivering
SWEEPER: Final = "sweeper"
SCHEDULE: Final = "schedule"  # each chore also beats as `chore:<its task's name>`

EVERY: Final = timedelta(seconds=15)  # a sign is written at most so often by one process

_written: dict[str, datetime] = {}
_lock = threading.Lock()


def beat(name: str, *, at: datetime | None = None) -> None:
    """Note that `name` ran; cheap to call in every round."""
    at = at or now()
    with _lock:
        last = _written.get(name)
        if last is not None and timedelta(0) <= at - last < EVERY:
            return
        _written[name] = at
    Heartbeat.objects.update_or_create(name=name, defaults={"at": at})


def last(name: str) -> datetime | None:
    """When `name` ran last; None if it never did."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


def forget() -> None:
    """Of this process: the next sign is written whatever was written before."""
    with _lock:
        _written.clear()
