"""Faults of the engine alone, by their numbers in the list of scenarios: one small world, the real database.

What kills a whole process is played in one (`stage.fork`); the others are in the same process, on purpose in order.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import transaction

from bookings.models import Booking
from jada.failures import Outcome
from jada.mail.models import Message
from jada.outbox import desk, failpoints, host, registry
from jada.outbox.claims import Claim
from jada.outbox.delivery import claim, run
from jada.outbox.enums import Mode, State
from jada.outbox.invariants import violations
from jada.outbox.models import Attempt, Effect
from jada.outbox.sql import clock
from jada.outbox.sweep import rescue
from tests.factories.bookings import a_booking
from tests.faults import stage
from tests.faults.small import after_the_lease, on_threads, owe, say, state_of
from tests.jada.outbox.conftest import Thing, World, world  # noqa: F401  a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@contextmanager
def ordered(monkeypatch: pytest.MonkeyPatch, faults: str) -> Iterator[None]:
    failpoints.forget()
    with monkeypatch.context() as patch:
        patch.setenv("FAILPOINT", faults)
        yield


# --- F1, F2, F6: before the call -----------------------------------------------------------------------------------


def test_f01_an_error_before_the_commit_leaves_no_booking_and_owes_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        a_booking(guest_email="dana@guest.example")
        raise ZeroDivisionError

    assert not Booking.objects.exists()
    assert not Effect.objects.exists()
    assert not Message.objects.exists()


def test_f02_a_process_killed_before_it_could_ring_costs_no_effect(world: World) -> None:  # noqa: F811
    world.rows["a"] = Thing("anchor", 12)

    def live(mouth: stage.Mouth) -> None:
        os.environ["FAILPOINT"] = "after_commit_before_bell:kill:1"
        owe()

    life = stage.fork(live)

    assert life.killed
    host.drain()
    assert world.copies["a"][1] == Thing("anchor", 12)


def test_f06_eight_rows_of_a_worker_killed_at_once_are_all_delivered_in_order(world: World) -> None:  # noqa: F811
    for n in range(8):
        world.rows[f"k{n}"] = Thing("anchor", n)
        owe(f"k{n}")
        owe(f"k{n}")
    say("one")
    say("two")

    life = stage.fork(lambda mouth: (claim(limit=8), os._exit(137)))

    assert life.killed
    assert Effect.objects.filter(state=State.RUNNING).count() == 8
    after_the_lease()
    assert set(Effect.objects.filter(topic="thing", state=State.PENDING).values_list("attempts", flat=True)) <= {0, 1}
    host.drain()
    assert {key: copy[1] for key, copy in world.copies.items()} == world.rows
    assert world.sent == ["one", "two"]
    assert violations() == []


# --- F13, F14, F15: rescue and record ------------------------------------------------------------------------------


class Shore:
    """A target outside of every process: one line for each call, and the fence of a version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def write(self, version: int) -> Outcome:
        stands = max((int(line.split()[1]) for line in self.lines() if line.startswith("written")), default=0)
        outcome = Outcome.NEWER if stands > version else Outcome.WRITTEN
        with self.path.open("a") as file:
            file.write(f"{outcome} {version}\n")
        return outcome


def stopped(mouth: stage.Mouth) -> None:
    """Claim, and stand still until SIGCONT; then go on as if nothing had happened."""
    (mine,) = claim()
    mouth.say("claimed")
    os.write(mouth.up, stage.WAITS + b"\n")
    os.kill(os.getpid(), signal.SIGSTOP)
    run(mine)
    mouth.say("went on")


def go_on(life: stage.Life) -> None:
    os.kill(life.pid, signal.SIGCONT)
    life.wake()
    assert life.said == "went on"


def test_f13_a_worker_stopped_beyond_its_lease_does_not_take_an_object_back(
    world: World,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shore, handler = Shore(tmp_path / "shore"), registry.topic("thing").handler
    monkeypatch.setattr(handler, "write", lambda key, view, version: shore.write(version), raising=False)
    world.rows["a"] = Thing("anchor", 12)
    row = owe()
    life = stage.fork(stopped)

    after_the_lease()
    host.drain()
    go_on(life)

    assert shore.lines() == ["written 2", "newer 1"]
    assert state_of(row) == State.DONE
    assert violations() == []


def test_f13_a_worker_stopped_beyond_its_lease_sends_no_mail(world: World) -> None:  # noqa: F811
    row = say()
    life = stage.fork(stopped)

    after_the_lease()
    host.drain()
    go_on(life)

    assert world.sent == ["said"]
    assert state_of(row) == State.DONE
    assert not Attempt.objects.filter(outcome="in_doubt").exists()


def test_f13_a_stale_claim_marks_nothing_while_another_has_the_row(world: World) -> None:  # noqa: F811
    say()
    (stale,) = claim()
    after_the_lease()
    (held,) = claim()

    run(stale)
    assert world.sent == []
    run(held)

    assert world.sent == ["said"]


def test_f13_a_worker_that_knows_how_long_it_stood_does_not_begin(world: World) -> None:  # noqa: F811
    row = owe()
    (mine,) = claim()
    mine.ends = time.monotonic()

    run(mine)

    assert world.calls == []
    assert state_of(row) == State.PENDING


def test_f14_a_rescue_and_a_completion_are_never_both(world: World) -> None:  # noqa: F811
    """1,000 rows whose leases have just run out: one thread completes them, another rescues them, in both orders."""
    count, gate = 1000, threading.Barrier(2)
    rows = [Effect(topic="thing.seen", key=f"k{n}", mode=Mode.STATE, lane=f"seen:{n}") for n in range(count)]
    Effect.objects.bulk_create(rows)
    mine = claim(limit=count)
    assert len(mine) == count
    random.Random(14).shuffle(mine[: count // 2])
    mine[count // 2 :] = reversed(mine[count // 2 :])
    stage.pass_time()

    def complete() -> None:
        gate.wait()
        for taken in mine:
            run(taken)

    def save() -> None:
        gate.wait()
        rescue(clock())

    on_threads(complete, save)

    rescued = set(Attempt.objects.filter(outcome="lost_lease").values_list("effect", flat=True))
    done = set(Effect.objects.filter(state=State.DONE).values_list("pk", flat=True))
    assert not rescued & done
    assert len(rescued | done) == count
    assert set(Effect.objects.filter(pk__in=rescued).values_list("state", flat=True)) <= {State.PENDING}


@pytest.mark.parametrize("first", ["rescued", "completed"])
def test_f14_whichever_comes_first_stands(world: World, first: str) -> None:  # noqa: F811
    row = owe()
    (mine,) = claim()
    stage.pass_time()

    for act in (after_the_lease, lambda: run(mine)) if first == "rescued" else (lambda: run(mine), after_the_lease):
        act()

    assert state_of(row) == (State.PENDING if first == "rescued" else State.DONE)


THREE_TIMES = ",".join(f"before_record:dberror:{n}" for n in (1, 2, 3))


def test_f15_a_record_that_fails_three_times_is_made_by_the_same_worker(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desk, "PAUSE", 0.01)
    rows = [owe(), say()]

    for mine in claim(limit=2):
        with ordered(monkeypatch, THREE_TIMES):
            run(mine)

    assert Counter(world.calls) == {"write a": 1, "send said": 1}
    assert {state_of(row) for row in rows} == {State.DONE}


def test_f15_what_cannot_be_recorded_while_the_lease_lasts_is_repeated_or_in_doubt(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Claim, "has_time_for_a_record", lambda self: False)
    row, mail = owe(), say()

    for mine in claim(limit=2):
        with ordered(monkeypatch, "before_record:dberror:1"):
            run(mine)
    after_the_lease()
    host.drain()

    assert Counter(world.calls)["write a"] == 2
    assert state_of(row) == State.DONE
    assert world.sent == ["said"]
    assert state_of(mail) == State.IN_DOUBT
