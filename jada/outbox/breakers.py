"""A service that does not answer is asked less: after five failures in a row, its deliveries wait half a minute.

The count is a row, so that every process hears of it; each looks again once a second, so a process may make a few more
calls than it needed to. Nothing is moved or counted against the rows that wait: they are simply not claimed.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Final

from django.db.models import F

from jada.outbox.models import Breaker
from jada.outbox.sql import clock

logger = logging.getLogger(__name__)

FAILURES: Final = 5
PAUSE: Final = timedelta(seconds=30)
LOOK_AGAIN: Final = 1.0  # seconds


class _Known:
    """What this process last read: which services are left alone, and which have failed at all."""

    read_at = float("-inf")
    open: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()


_known = _Known()
_lock = threading.Lock()


def resting() -> frozenset[str]:
    """Services that nothing is claimed for now."""
    if time.monotonic() - _known.read_at > LOOK_AGAIN:
        _look()
    return _known.open


def failed(service: str) -> None:
    """A call got no answer. The fifth in a row opens the breaker, and each later one keeps it open."""
    row, _ = Breaker.objects.get_or_create(service=service)
    Breaker.objects.filter(pk=row.pk).update(failures=F("failures") + 1)
    row.refresh_from_db()
    if row.failures >= FAILURES:
        Breaker.objects.filter(pk=row.pk).update(open_until=clock() + PAUSE)
        if row.failures == FAILURES:
            logger.warning("%s does not answer; what needs it waits, and is tried twice a minute", service)
    _look()


def answered(service: str) -> None:
    """A call came through: all that waited may go. Costs nothing where nothing had failed."""
    if service not in _known.failing:
        return
    if Breaker.objects.filter(service=service, failures__gte=FAILURES).update(failures=0, open_until=None):
        logger.warning("%s answers again", service)
    Breaker.objects.filter(service=service).update(failures=0)
    _look()


def forget() -> None:
    """Of this process: the next question reads the rows."""
    _known.read_at = float("-inf")


def _look() -> None:
    with _lock:
        rows = list(Breaker.objects.filter(failures__gt=0))
        at = clock() if rows else None
        _known.open = frozenset(row.service for row in rows if at and row.open_until and row.open_until > at)
        _known.failing = frozenset(row.service for row in rows)
        _known.read_at = time.monotonic()
