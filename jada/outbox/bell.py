"""The doorbell: it only says that there may be work. Losing every ring costs latency, never an effect.

Threads of the same process hear it at once. Other processes are told by the host's own means: Celery workers by the
broker, an `outbox_worker` by PostgreSQL's NOTIFY; on SQLite that worker sees the file change (`listening`).
"""

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

BREAK_SECONDS = 10  # after a ring that the broker did not take, the next ones are dropped for so long
CHANNEL = "outbox"

_rung = threading.Event()
_listeners: list[Callable[[], None]] = []
_publisher: threading.Thread | None = None
_lock = threading.Lock()


def ring() -> None:
    """Called after a commit; returns at once, whatever the broker does: publishing is a thread's business."""
    for heard in _listeners:
        heard()
    if not _rung.is_set():
        _rung.set()
    if _has_far_hosts():
        _start_publisher()


def listen(heard: Callable[[], None]) -> None:
    """Have `heard` called at each ring, by whoever rings: it must return at once."""
    _listeners.append(heard)


def unlisten(heard: Callable[[], None]) -> None:
    if heard in _listeners:
        _listeners.remove(heard)


def wait(seconds: float) -> bool:
    """Until the next ring, or `seconds`; rings that came meanwhile count once."""
    rang = _rung.wait(seconds)
    _rung.clear()
    return rang


def _has_far_hosts() -> bool:
    return settings.OUTBOX_HOST == "celery" or (settings.OUTBOX_HOST == "worker" and connection.vendor == "postgresql")


def _start_publisher() -> None:
    global _publisher  # noqa: PLW0603  (one per process, made after the fork, on the first ring)
    if _publisher is not None and _publisher.is_alive():
        return
    with _lock:
        if _publisher is None or not _publisher.is_alive():
            _publisher = threading.Thread(target=_publish_for_ever, name="outbox-bell", daemon=True)
            _publisher.start()


def _publish_for_ever() -> None:
    while True:
        wait(3600)
        try:
            _publish()
        except Exception as error:  # noqa: BLE001  a dead broker has many faces; the sweeper delivers anyway
            logger.warning(
                "The broker did not take the doorbell (%s); the sweeper delivers instead", type(error).__name__
            )
            connection.close_if_unusable_or_obsolete()
            time.sleep(BREAK_SECONDS)


def _publish() -> None:
    if settings.OUTBOX_HOST == "celery":
        from jada.outbox import tasks

        tasks.publish_ring()
    elif _has_far_hosts():  # a ring may be heard after the host was changed, in tests
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
