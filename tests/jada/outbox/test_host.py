import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from django.db import OperationalError, connection, transaction

from jada.outbox import bell, delivery, desk, host, sql
from jada.outbox.entries import enqueue, enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from jada.outbox.resync import resync
from tests.jada.outbox.conftest import Thing, World

pytestmark = pytest.mark.django_db(transaction=True)


def owe(key: str = "a") -> None:
    with transaction.atomic():
        enqueue("thing", key)


def say(name: str) -> None:
    with transaction.atomic():
        enqueue_message("letter", name, lane=f"mail:{name}", fact=name)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_threads_deliver_what_is_owed_while_they_run(world: World) -> None:
    world.rows = {str(n): Thing("x", n) for n in range(5)}
    host.start_threads(count=2)

    for key in world.rows:
        owe(key)
    wait_until(lambda: not Effect.objects.unfinished().exists())
    host.finish()

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
    rounds: list[str] = []

    def broken() -> None:
        rounds.append("sweep")
        raise KeyError("a kind of letter that this worker does not know")

    monkeypatch.setattr(host, "sweep", broken)
    monkeypatch.setattr(host, "SWEEP_SECONDS", 0.01)

    host.start_threads(count=1)
    wait_until(lambda: len(rounds) > 1)

    assert host.finish()


def test_six_slow_effects_run_side_by_side(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(6)  # nobody passes until six are here
    monkeypatch.setattr(world, "call", lambda what: together.wait(20) if what.startswith("write") else None)
    host.start_threads(count=6)

    with transaction.atomic():
        for number in range(6):
            enqueue("thing", str(number))
    wait_until(lambda: len(world.copies) == 6)
    host.finish()

    assert len(world.copies) == 6


def test_what_is_under_way_at_the_end_is_finished_and_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calling, end = threading.Event(), threading.Event()

    def slow(what: str) -> None:
        calling.set()
        end.wait(20)

    monkeypatch.setattr(world, "call", slow)
    stop = host.start_threads(count=2)
    owe()
    calling.wait(20)

    stop.set()
    end.set()
    host.finish()

    assert Effect.objects.get(topic="thing").state == State.DONE


def test_a_record_that_the_database_refuses_is_written_by_the_pool_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults, done = [OperationalError("the server closed the connection")] * 3, sql.done

    def with_a_fault(rows: Sequence[sql.Done]) -> set[int]:
        if faults:
            raise faults.pop()
        return done(rows)

    monkeypatch.setattr(sql, "done", with_a_fault)
    monkeypatch.setattr(desk, "PAUSE", 0.01)
    host.start_threads(count=2)

    say("hello")
    wait_until(lambda: Effect.objects.get().state == State.DONE)
    host.finish()

    assert (faults, world.sent) == ([], ["hello"])


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
