import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from django.db import connection, transaction

from jada.outbox import bell, delivery, host, sql
from jada.outbox.entries import enqueue
from jada.outbox.models import Effect
from jada.outbox.resync import resync
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> None:
    with transaction.atomic():
        enqueue("thing", key)


def test_threads_deliver_what_is_owed_while_they_run(world: World) -> None:
    world.rows = {str(n): Thing("x", n) for n in range(5)}
    stop = host.start_threads(count=2)

    for key in world.rows:
        owe(key)
    deadline = time.monotonic() + 20
    while Effect.objects.unfinished().exists() and time.monotonic() < deadline:
        stop.wait(0.02)
    stop.set()
    bell.ring()
    for thread in threading.enumerate():
        if thread.name.startswith("outbox-"):
            thread.join(10)

    assert not Effect.objects.unfinished().exists()
    assert all(world.copies[key] == (1, thing) for key, thing in world.rows.items())


def test_with_no_worker_the_row_waits_and_is_delivered_once_when_one_comes(world: World) -> None:
    world.rows["a"] = Thing("x", 1)
    owe()
    assert Effect.objects.unfinished().count() == 1

    host.drain()
    host.drain()

    assert world.calls.count("write a") == 1


def test_a_thousand_rings_are_one_round(world: World) -> None:
    for _ in range(1000):
        bell.ring()

    assert bell.wait(0)
    assert not bell.wait(0)


def test_a_fault_of_a_sweep_does_not_end_the_thread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    rounds: list[str] = []

    def broken() -> None:
        rounds.append("sweep")
        if len(rounds) == 2:
            stop.set()
        raise KeyError("a kind of letter that this worker does not know")

    monkeypatch.setattr(host, "sweep", broken)
    monkeypatch.setattr(host, "SWEEP_SECONDS", 0)
    monkeypatch.setattr(host, "POLL_SECONDS", 0)
    monkeypatch.setattr(host, "_chores", [])

    host.work_for_ever(stop, chief=True)

    assert rounds == ["sweep", "sweep"]


def test_a_failing_chore_does_not_stop_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def broken() -> None:
        raise ValueError

    monkeypatch.setattr(host, "_chores", [broken, lambda: done.append("second")])
    host._do_chores()

    assert done == ["second"]
    assert "A chore failed" in caplog.text


def test_resync_writes_every_mirrored_object_out_again(world: World) -> None:
    world.rows["a"] = Thing("x", 1)
    owe()
    host.drain()
    world.copies.clear()  # an emptied bucket

    assert resync() == 1
    host.drain()

    assert world.copies["a"] == (2, Thing("x", 1))


@pytest.mark.slow
def test_resync_and_a_claim_of_the_same_object_are_no_deadlock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    owe()
    host.drain()
    owe()
    number, marked = sql.number, list[Future[int]]()

    def resync_here() -> int:
        try:
            return resync()
        finally:
            connection.close()

    def as_resync_begins(objects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], sql.Numbered]:
        marked.append(pool.submit(resync_here))
        wait(marked, timeout=0.4)  # it cannot end: we have its row
        return number(objects)

    monkeypatch.setattr(sql, "number", as_resync_begins)

    with ThreadPoolExecutor(1) as pool:
        claimed = delivery.claim()

    assert (len(claimed), marked[0].result()) == (1, 1)
