"""Faults of a busy or a broken lane, by their numbers: many writers, poison, and a database that takes nothing.

What kills a whole process is played in one (`stage.fork`); the others are in the same process, on purpose in order.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, transaction

from jada.failures import Outcome, Refused
from jada.outbox import host, registry, services
from jada.outbox.claims import Claim
from jada.outbox.delivery import claim, run
from jada.outbox.entries import enqueue, lock_lane
from jada.outbox.enums import State
from jada.outbox.invariants import violations
from jada.outbox.models import Effect
from jada.outbox.sql import clock
from jada.outbox.sweep import sweep
from tests.faults import stage
from tests.faults.small import after_the_lease, on_threads, owe, say, state_of
from tests.jada.outbox.conftest import Thing, World, world  # noqa: F401  a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


# --- F16, F17, F18: many at once -----------------------------------------------------------------------------------


def test_f16_eight_workers_two_sweepers_and_six_writers_share_one_lane(
    world: World,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the writers hold another lock first, as a booking's do; the others do not."""
    writers, edits, over = 6, 10, threading.Event()
    flying, most, count = [0], [0], threading.Lock()
    world.rows["a"] = Thing("edited", 0)
    handler = registry.topic("thing").handler
    write = handler.write

    def watched(key: str, view: Thing, version: int) -> Outcome:
        with count:
            flying[0] += 1
            most[0] = max(most[0], flying[0])
        try:
            return write(key, view, version)
        finally:
            with count:
                flying[0] -= 1

    monkeypatch.setattr(handler, "write", watched, raising=False)
    left = [writers]

    def edit(number: int) -> None:
        for _ in range(edits):
            with transaction.atomic():
                if number % 2:
                    lock_lane("booking")
                enqueue("thing", "a")
                with count:
                    world.rows["a"] = Thing("edited", world.rows["a"].weight + 1)
        with count:
            left[0] -= 1

    def work() -> None:
        until = time.monotonic() + 90
        while not over.is_set() and time.monotonic() < until:
            host.drain()
            if not left[0] and not Effect.objects.unfinished().exists():
                over.set()

    def look_after() -> None:
        while not over.is_set():
            sweep()
            over.wait(0.01)

    with caplog.at_level(logging.ERROR):
        on_threads(*(lambda n=n: edit(n) for n in range(writers)), *[work] * 8, *[look_after] * 2)

    assert over.is_set()
    assert world.copies["a"][1] == Thing("edited", writers * edits)
    assert most[0] == 1
    assert caplog.records == []
    assert violations() == []


def test_f17_fifty_edits_are_far_fewer_calls_and_end_with_the_last(world: World) -> None:  # noqa: F811
    for n in range(50):
        world.rows["a"] = Thing("anchor", n)
        owe()
        if n % 10 == 0:
            host.drain()

    host.drain()

    assert world.copies["a"][1] == Thing("anchor", 49)
    assert world.calls.count("write a") == 6
    assert Effect.objects.filter(topic="thing", state=State.SUPERSEDED).count() == 44


def test_f18_an_edit_during_a_slow_call_waits_and_wins(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler, meanwhile = registry.topic("thing").handler, []
    write = handler.write

    def slow(key: str, view: Thing, version: int) -> Outcome:
        if not meanwhile:
            world.rows["a"] = Thing("anchor", 13)
            owe()
            meanwhile.append(claim())
        return write(key, view, version)

    monkeypatch.setattr(handler, "write", slow, raising=False)
    world.rows["a"] = Thing("anchor", 12)
    owe()

    host.drain()

    assert meanwhile == [[]]
    assert world.copies["a"] == (2, Thing("anchor", 13))
    assert handler.write("a", Thing("anchor", 12), 1) == Outcome.NEWER
    assert world.copies["a"] == (2, Thing("anchor", 13))


# --- F21, F26: what does not go through ----------------------------------------------------------------------------


def test_f21_a_stuck_row_that_newer_ones_overtook_cannot_be_retried(world: World) -> None:  # noqa: F811
    world.failures = [Refused("no")] * 3
    row = owe()
    for _ in range(3):
        stage.pass_time()
        host.drain()
    assert state_of(row) == State.DEAD
    owe()
    host.drain()

    again = services.retry(effect=Effect.objects.get(pk=row.pk), at=clock())

    assert not again
    assert state_of(row) == State.SUPERSEDED


def test_f21_an_old_row_forced_back_writes_the_state_of_now(world: World) -> None:  # noqa: F811
    world.rows["a"] = Thing("anchor", 12)
    row = owe()
    host.drain()
    world.rows["a"] = Thing("anchor", 13)
    owe()
    host.drain()

    world.rows["a"] = Thing("anchor", 14)
    Effect.objects.filter(pk=row.pk).update(state=State.PENDING, done_at=None)
    host.drain()

    assert world.copies["a"] == (3, Thing("anchor", 14))


def test_f21_a_row_rescued_while_a_newer_one_waits_is_superseded(world: World) -> None:  # noqa: F811
    row = owe()
    claim()
    newer = owe()

    after_the_lease()

    assert state_of(row) == State.SUPERSEDED
    assert state_of(newer) == State.PENDING


def test_f26_a_row_that_kills_its_process_each_time_stops_nobody_else(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler = registry.topic("thing").handler
    poison = owe("poison")
    others = [owe("b"), say()]

    def live(mouth: stage.Mouth) -> None:
        monkeypatch.setattr(handler, "view", lambda key: os._exit(137) if key == "poison" else None, raising=False)
        host.drain()

    deaths = 0
    for _ in range(8):
        deaths += stage.fork(live).killed
        after_the_lease()

    assert deaths == 5
    assert state_of(poison) == State.DEAD
    assert {state_of(row) for row in others} == {State.DONE}
    assert Effect.objects.get(pk=poison.pk).last_error


# --- F34: nothing can be written -----------------------------------------------------------------------------------


@contextmanager
def read_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be written, over this connection or a new one: a server that has become a replica."""
    say_so = "PRAGMA query_only = on" if connection.vendor == "sqlite" else "SET default_transaction_read_only = on"
    begin = connection.init_connection_state

    def begin_read_only() -> None:
        begin()
        with connection.cursor() as cursor:
            cursor.execute(say_so)

    connection.close()
    with monkeypatch.context() as patch:
        patch.setattr(connection, "init_connection_state", begin_read_only)
        yield
    connection.close()


def test_f34_no_call_is_made_whose_claim_could_not_be_committed(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owe()
    say()

    with read_only(monkeypatch), pytest.raises(DatabaseError):
        host.drain()

    assert world.calls == []
    host.drain()
    assert Counter(world.calls)["send said"] == 1


def test_f34_no_mail_leaves_whose_mark_could_not_be_committed(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Claim, "has_time_for_a_record", lambda self: False)
    row = say()
    (mine,) = claim()

    with read_only(monkeypatch):
        run(mine)

    assert world.sent == []
    after_the_lease()
    host.drain()
    assert world.sent == ["said"]
    assert state_of(row) == State.DONE


def test_f34_a_full_disk_lets_nothing_leave(world: World) -> None:  # noqa: F811
    if connection.vendor != "sqlite":
        pytest.skip("the file is the server's: the read-only case stands for it")
    say()

    def live(mouth: stage.Mouth) -> None:
        connection.ensure_connection()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        try:
            host.drain()
        except DatabaseError as error:
            mouth.say([type(error).__name__, world.sent])

    life = stage.fork(live)

    assert life.said == ["OperationalError", []]
    host.drain()
    assert world.sent == ["said"]
