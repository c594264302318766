"""Who delivers: threads beside the web process, a worker process, or Celery. One pool of threads for all (ADR 2, 9)."""

from __future__ import annotations

import logging
import os
import threading
from typing import Final

from django.conf import settings
from django.db import close_old_connections, connections

from jada.outbox import listening, schedule
from jada.outbox.delivery import claim, run
from jada.outbox.pool import Pool
from jada.outbox.sweep import sweep

logger = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 15.0
TURN_SECONDS: Final = 60.0  # of a Celery task; what is left then is the next one's

_lock = threading.Lock()
_stop: threading.Event | None = None  # of this process's threads; set stops them
_pool: Pool | None = None
_pool_of = 0  # the process that started it: threads do not survive a fork


def drain(*, budget: int = 1000) -> int:
    """Deliver one by one until nothing is due, `budget` rows at the most; answers how many."""
    done = 0
    while done < budget and (taken := claim()):
        for row in taken:
            run(row)
            done += 1
    return done


def drain_together() -> bool:
    """Deliver what is due with the threads of this process, which stay; answers whether nothing is left."""
    global _pool, _pool_of
    with _lock:
        if _pool is None or _pool_of != os.getpid():
            _pool, _pool_of = Pool(settings.OUTBOX_THREADS), os.getpid()
    return _pool.drain(TURN_SECONDS)


def start_threads(*, count: int | None = None, far: bool = False) -> threading.Event:
    """Start what delivers, sweeps and keeps the schedule in this process, once; the event stops it.

    `far`: the acts are committed by other processes, so listen for them. Call it after the fork, never in `ready()`: a
    thread does not survive a fork, and a command needs none.
    """
    global _stop, _pool, _pool_of  # noqa: PLW0603  one set a process, however many requests come first
    with _lock:
        if _stop is not None and not _stop.is_set():
            return _stop
        _stop = stop = threading.Event()
        _pool, _pool_of = Pool(count or settings.OUTBOX_THREADS), os.getpid()
        pool = _pool
    threading.Thread(target=sweep_for_ever, args=(stop, pool), name="outbox-sweeper", daemon=True).start()
    threading.Thread(target=schedule.run_for_ever, args=(stop,), name="outbox-schedule", daemon=True).start()
    if far:
        listening.listen(pool.wake, stop)
    return stop


def finish(*, seconds: float = 30.0) -> bool:
    """Stop what `start_threads` started, and let what is under way end; False when something still calls outside."""
    global _stop, _pool
    with _lock:
        stop, pool, _stop, _pool = _stop, _pool, None, None
    if stop:
        stop.set()
    if pool is None:
        return True
    pool.stop()
    return pool.join(seconds)


def sweep_for_ever(stop: threading.Event, pool: Pool) -> None:
    """Apart from what delivers: where all its threads stand still, their rows are rescued. `stop` ends the pool too."""
    while not stop.is_set():
        close_old_connections()
        try:
            sweep()
        except Exception:
            logger.exception("A sweep failed; the next one tries again")  # a thread that ends is started by nobody
        stop.wait(SWEEP_SECONDS)
    pool.stop()
    connections.close_all()
