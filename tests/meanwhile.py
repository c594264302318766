"""Two transactions that overlap: what the second one sees of a first that has written and not committed yet."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from django.db import connection, transaction

T = TypeVar("T")

BEHIND = 0.4  # seconds; the second act cannot end sooner, it waits for the first one's locks


def meanwhile(first: Callable[[], object], then: Callable[[], T], last: Callable[[], object] = lambda: None) -> T:
    """Start `then` on a connection of its own once `first` has written, do `last`, and commit both; answers `then`'s."""

    def on_its_own_connection() -> T:
        try:
            return then()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            second = pool.submit(on_its_own_connection)
            wait([second], timeout=BEHIND)
            last()
        return second.result(timeout=30)
