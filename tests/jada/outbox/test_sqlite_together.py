"""SQLite, with everybody at it: who writes, who delivers, and who copies the file."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, transaction

from jada.outbox import host
from jada.outbox.entries import enqueue
from jada.outbox.models import Effect
from tests.jada.outbox.conftest import Thing, World
from tests.jada.outbox.test_host import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ACTS = 60


@pytest.mark.skipif(connection.vendor != "sqlite", reason="it is about SQLite's one write lock")
def test_f31_writers_workers_and_a_backup_never_find_the_file_locked(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    over = threading.Event()

    def write(writer: int) -> None:
        try:
            for number in range(ACTS):
                world.rows[f"{writer}-{number}"] = Thing("x", number)
                with transaction.atomic():
                    enqueue("thing", f"{writer}-{number}")
        finally:
            connection.close()

    def copy() -> int:
        copies = 0
        source = sqlite3.connect(connection.settings_dict["NAME"], timeout=20)
        while not over.is_set():
            copies += 1
            target = sqlite3.connect(tmp_path / f"copy-{copies}.sqlite3")
            source.backup(target)
            assert target.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            target.close()
            over.wait(0.1)
        source.close()
        return copies

    host.start_threads(count=2)
    with ThreadPoolExecutor(5) as people:
        copying = people.submit(copy)
        writing = [people.submit(write, writer) for writer in range(4)]
        for one in writing:
            one.result()
        wait_until(lambda: not Effect.objects.unfinished().exists())
        over.set()
        assert copying.result() > 0

    assert len(world.copies) == 4 * ACTS
    assert "locked" not in caplog.text
