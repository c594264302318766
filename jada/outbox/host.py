"""Who delivers: threads beside the web process, a worker process, or Celery. One loop for all (ADR 2)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from jada.outbox import bell
from jada.outbox.delivery import claim, run
from jada.outbox.sweep import sweep

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # when nobody rings
SWEEP_SECONDS = 15.0
TURN_SECONDS = 30.0

_chores: list[Callable[[], None]] = []
_threads: threading.Event | None = None  # of this process; set stops them
_lock = threading.Lock()


def every_minute(chore: Callable[[], None]) -> Callable[[], None]:
    """Register what an embedded host does beside delivering (Celery's beat does it in production)."""
    _chores.append(chore)
    return chore


def drain(*, budget: int = 1000) -> int:
    """Deliver until nothing is due, `budget` rows at the most; answers how many."""
    done = 0
    while done < budget and (taken := claim()):
        for row in taken:
            run(row)
            done += 1
    return done


def work_for_ever(stop: threading.Event, *, chief: bool) -> None:
    """One thread's life: drain, sleep until the bell or the poll. The chief also sweeps and does the chores."""
    swept = turned = 0.0
    while not stop.is_set():
        close_old_connections()
        try:
            drain(budget=50)
            if chief and time.monotonic() - swept > SWEEP_SECONDS:
                swept = time.monotonic()
                sweep()
            if chief and time.monotonic() - turned > TURN_SECONDS:
                turned = time.monotonic()
                _do_chores()
        except DatabaseError:
            logger.exception("The database did not answer; trying again in a second")
        except Exception:
            logger.exception("A round failed; trying again in a second")  # a thread that ends is started by nobody
        bell.wait(POLL_SECONDS)
    connections.close_all()


def _do_chores() -> None:
    for chore in _chores:
        try:
            chore()
        except Exception:
            logger.exception("A chore failed: %s", chore.__qualname__)


def start_threads(*, count: int | None = None) -> threading.Event:
    """Start the worker threads of this process, once; the event stops them.

    Call it after the fork, never in `ready()`: a thread does not survive a fork, and a command needs none.
    """
    global _threads  # noqa: PLW0603  one set a process, however many requests come first
    with _lock:
        if _threads is not None and not _threads.is_set():
            return _threads
        _threads = threading.Event()
        for number in range(count or settings.OUTBOX_THREADS):
            kwargs = {"stop": _threads, "chief": number == 0}
            threading.Thread(target=work_for_ever, kwargs=kwargs, name=f"outbox-{number}", daemon=True).start()
        return _threads
