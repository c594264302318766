"""How a worker process hears that another process has committed something: it need not wait for its poll."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import connection

from jada.outbox.bell import CHANNEL

logger = logging.getLogger(__name__)

GLANCE: Final = 0.005  # seconds between two looks at whether the file has changed: a few microseconds each
PATIENCE: Final = 1.0
AGAIN: Final = 5.0


def listen(heard: Callable[[], None], stop: threading.Event) -> threading.Thread:
    """Call `heard` after commits of other processes, until `stop`. Without it everything still runs, a second later."""
    thread = threading.Thread(target=_listen_for_ever, args=(heard, stop), name="outbox-ear", daemon=True)
    thread.start()
    return thread


def _listen_for_ever(heard: Callable[[], None], stop: threading.Event) -> None:
    listen = _to_notifications if connection.vendor == "postgresql" else _to_the_file
    while not stop.is_set():
        try:
            listen(heard, stop)
        except Exception as error:  # noqa: BLE001  the poll goes on meanwhile
            logger.warning("Unable to listen for new work (%s); looking once a second", type(error).__name__)
            stop.wait(AGAIN)
        finally:
            connection.close()


def _to_notifications(heard: Callable[[], None], stop: threading.Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    heard()  # whatever was committed before we listened
    while not stop.is_set():
        for _ in connection.connection.notifies(timeout=PATIENCE, stop_after=1):
            heard()


def _to_the_file(heard: Callable[[], None], stop: threading.Event) -> None:
    """SQLite counts the commits of all other connections; our own threads' make us look once more, and find nothing."""
    seen = None
    with connection.cursor() as cursor:
        while not stop.wait(GLANCE):
            ((version,),) = cursor.execute("PRAGMA data_version").fetchall()
            if version != seen:
                seen = version
                heard()
