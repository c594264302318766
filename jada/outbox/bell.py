"""The doorbell: it only says that there may be work. Losing every ring costs latency, never an effect."""

import logging
import threading
import time

from django.conf import settings

logger = logging.getLogger(__name__)

BREAK_SECONDS = 10  # after a ring that the broker did not take, the next ones are dropped for so long

_rung = threading.Event()
_publisher: threading.Thread | None = None
_lock = threading.Lock()


def ring() -> None:
    """Called after a commit; returns at once, whatever the broker does: publishing is a thread's business."""
    _rung.set()
    if settings.OUTBOX_HOST == "celery":
        _start_publisher()


def wait(seconds: float) -> bool:
    """Until the next ring, or `seconds`; rings that came meanwhile count once."""
    rang = _rung.wait(seconds)
    _rung.clear()
    return rang


def _start_publisher() -> None:
    global _publisher  # noqa: PLW0603  (one per process, made after the fork, on the first ring)
    with _lock:
        if _publisher is None or not _publisher.is_alive():
            _publisher = threading.Thread(target=_publish_for_ever, name="outbox-bell", daemon=True)
            _publisher.start()


def _publish_for_ever() -> None:
    from jada.outbox import tasks

    while True:
        wait(3600)
        try:
            tasks.publish_ring()
        except Exception as error:  # noqa: BLE001  a dead broker has many faces; the sweeper delivers anyway
            logger.warning(
                "The broker did not take the doorbell (%s); the sweeper delivers instead", type(error).__name__
            )
            time.sleep(BREAK_SECONDS)
