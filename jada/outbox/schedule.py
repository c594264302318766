"""The schedule where no beat runs: the same tasks at the same times, in a thread of the host."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db import close_old_connections, connections
from django.utils.timezone import now

from jada.outbox import heartbeats

logger = logging.getLogger(__name__)

FIRST_SECONDS: Final = 5.0  # after the start; a process that is killed at once has done no chore
AGAIN_SECONDS: Final = 60.0  # after a failure: what runs once a day does not wait for a day
NEVER: Final = threading.TIMEOUT_MAX / 2
SWEEP: Final = "outbox.sweep"  # every host sweeps by itself


@dataclass
class Chore:
    name: str
    every: float  # seconds
    act: Callable[[], Any]
    due: float  # monotonic

    def was_done(self) -> bool:
        """By another process, lately: several hosts of one database share their chores."""
        last = heartbeats.last(f"chore:{self.name}")
        return last is not None and 0 <= (now() - last).total_seconds() < self.every / 2


def chores() -> list[Chore]:
    """Every scheduled task but the sweep."""
    first = time.monotonic() + FIRST_SECONDS
    entries: Iterable[Mapping[str, Any]] = settings.CELERY_BEAT_SCHEDULE.values()
    wanted = {entry["task"]: entry["schedule"] for entry in entries if entry["task"] != SWEEP}
    return [Chore(name, float(every), task_named(name), first) for name, every in wanted.items()]


def task_named(name: str) -> Callable[[], Any]:
    """The function behind a task: `guests.turn_pages` stands in the `tasks` of the app `guests`."""
    module = import_module(f"{apps.get_app_config(name.partition('.')[0]).name}.tasks")
    found: Callable[[], Any] = next(task for task in vars(module).values() if getattr(task, "name", None) == name)
    return found


def run_for_ever(stop: threading.Event) -> None:
    """Do what is due, until `stop`."""
    waiting = chores()
    try:
        while not stop.wait(max(min((chore.due for chore in waiting), default=NEVER) - time.monotonic(), 0.0)):
            close_old_connections()
            for chore in waiting:
                if chore.due <= time.monotonic() and not stop.is_set():
                    pause = chore.every if do(chore) else min(chore.every, AGAIN_SECONDS)
                    chore.due = time.monotonic() + pause
    finally:
        connections.close_all()


def do(chore: Chore) -> bool:
    """One that fails stops no other, and is tried again soon; it gives no sign of life, and that is seen."""
    try:
        if not chore.was_done():
            chore.act()
            done(chore.name)
    except Exception:
        logger.exception("A chore failed: %s", chore.name)
        close_old_connections()  # if it broke, the next chore would fail by it too
        return False
    return True


def done(name: str) -> None:
    """The schedule ran, and this of it."""
    heartbeats.beat(f"chore:{name}")
    heartbeats.beat(heartbeats.SCHEDULE)
