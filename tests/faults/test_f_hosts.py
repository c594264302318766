"""F28, F30, F31, F33: hosts that are dead for an hour, believe another hour, share one file, or hear no bell."""

from __future__ import annotations

import math
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client

from bookings.models import Booking
from jada.outbox import bell, host, registry
from jada.outbox.enums import Mode, State
from jada.outbox.models import Attempt, Effect
from jada.outbox.registry import Work
from jada.outbox.sweep import sweep
from tests.factories.bookings import VesselFactory, a_booking
from tests.faults import stage
from tests.faults.chaos.machine import until
from tests.faults.trips import a_trip, die_at, leave_only, next_month, page_of, puts, today, work_off
from tests.rig.client import Rig

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HOUR = timedelta(hours=1)
on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about one file that several processes share")


# --- dead for an hour ------------------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """A courier of this test alone: what it was given, lane by lane, in the order of its calls."""
    heard: dict[str, list[int]] = defaultdict(list)
    monkeypatch.setattr(registry, "_topics", {})

    @registry.courier("test.told")
    class Told:
        def prepare(self, work: Work) -> str:
            return work.key

        def send(self, prepared: str, work: Work) -> Mapping[str, Any]:
            heard[prepared].append(work.effect_id)
            return {}

        def in_doubt(self, work: Work) -> str:
            return "hold"

    return heard


def test_f28_ten_thousand_rows_of_a_dead_hour_are_alarmed_and_delivered_in_the_order_of_their_lanes(
    told: dict[str, list[int]], client: Client
) -> None:
    lanes = [f"lane-{number}" for number in range(500)]
    rows = [
        Effect(topic="test.told", key=lane, mode=Mode.MESSAGE, lane=lane, fact=f"{lane}:{turn}")
        for turn in range(20)
        for lane in lanes
    ]
    Effect.objects.bulk_create(rows, batch_size=500)
    stage.pass_time(HOUR)

    ready = client.get("/health/ready").json()
    while not host.drain_together():  # a Celery task's turn; the next one goes on
        pass

    assert ready["oldest_due_seconds"] >= 3600
    assert not Effect.objects.exclude(state=State.DONE).exists()
    assert sum(map(len, told.values())) == 10_000
    assert all(order == sorted(order) for order in told.values())


def test_f28_without_a_beat_a_worker_alone_rescues_and_delivers(fake_aws: Rig) -> None:
    booking = a_trip()
    die_at("after_claim")
    stage.pass_time(HOUR)

    host.start_threads(count=2)

    until(lambda: not Effect.objects.unfinished().exists(), "Delivering everything", seconds=40)
    assert booking.public_id in fake_aws.items()


# --- another hour ----------------------------------------------------------------------------------------------------


def elsewhen(by: timedelta, act: Callable[[], object]) -> Callable[[], None]:
    """As on a host that has another time."""

    def shifted() -> None:
        with time_machine.travel(datetime.now(UTC) + by, tick=True):
            act()

    return shifted


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_f30_what_a_worker_of_another_hour_leaves_behind_is_delivered_in_time(by: timedelta, fake_aws: Rig) -> None:
    booking = a_trip()
    leave_only("guests.page", "guests.page_edge", "guests.page_seen", "crew.event")
    stage.pass_time()  # due for a host that is behind, too
    die_at("after_claim", elsewhen(by, host.drain))

    work_off(rounds=6)

    assert not Effect.objects.unfinished().exists()
    assert {outcome for _, outcome in puts(fake_aws, page_of(booking))} == {"accepted"}


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_f30_a_sweeper_of_another_hour_makes_no_second_mail_and_loses_nothing(by: timedelta, fake_aws: Rig) -> None:
    a_trip()
    stopped = stage.fork(_claim_and_stand)
    stage.fork(lambda mouth: elsewhen(by, sweep)())

    work_off(rounds=6)
    if stopped.stands:
        stopped.wake()

    assert not Effect.objects.unfinished().exists()
    effects = [line.effect for line in fake_aws.lines("ses", "SendEmail", "accepted")]
    assert len(effects) == len(set(effects))


def _claim_and_stand(mouth: stage.Mouth) -> None:
    from jada.outbox.delivery import claim, run

    taken = claim()
    mouth.stand_still("claimed")
    for row in taken:
        run(row)


@pytest.mark.postgres
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_f30_a_lease_is_measured_by_the_clock_of_the_database(by: timedelta, fake_aws: Rig) -> None:
    a_trip()
    die_at("after_claim", elsewhen(by, host.drain))

    lease = Effect.objects.get(state=State.RUNNING).lease_until
    stage.fork(lambda mouth: elsewhen(by, sweep)())

    assert lease is not None
    assert timedelta(0) < lease - datetime.now(UTC) < timedelta(minutes=5)
    assert Effect.objects.filter(state=State.RUNNING).count() == 1  # not rescued early


@pytest.mark.postgres
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_f30_a_doubt_begins_by_the_clock_of_the_database(by: timedelta, fake_aws: Rig) -> None:
    a_trip()
    leave_only("mail.message")
    fake_aws.order("lost", service="ses", op="SendEmail", times=1)

    stage.fork(lambda mouth: elsewhen(by, host.drain)())

    since = Attempt.objects.get(outcome="in_doubt").at
    assert abs(since - datetime.now(UTC)) < timedelta(minutes=5)


# --- one file --------------------------------------------------------------------------------------------------------


@on_sqlite
def test_f31_four_writers_two_workers_and_a_backup_share_one_file(fake_aws: Rig, tmp_path: Path) -> None:
    vessels = [VesselFactory() for _ in range(4)]
    alone = median(
        _timed(lambda: a_booking(at=today(), starts_at=next_month(), vessel=VesselFactory())) for _ in range(5)
    )
    host.start_threads(count=2)
    over = time.monotonic() + 5
    times: list[float] = []
    copies: list[Path] = []

    def write(number: int) -> None:
        trip = 0
        while time.monotonic() < over:
            start = next_month() + timedelta(days=trip)
            options = {
                "at": today(),
                "vessel": vessels[number],
                "starts_at": start,
                "guest_email": f"guest-{number}@example.com",
            }
            times.append(_timed(partial(a_booking, **options)))
            trip += 1
            time.sleep(0.2)  # what is booked here is delivered too, and takes longer than its writing
        connections.close_all()

    with ThreadPoolExecutor(5) as people:
        writing = [people.submit(write, number) for number in range(4)]
        backing = people.submit(_back_up_until, over, tmp_path, copies)
        for each in (*writing, backing):
            each.result()  # "database is locked" would be raised here

    assert len(times) > 12
    # A second, or on a machine that is busy with others what the same write alone allows to expect of six at once.
    assert sorted(times)[math.ceil(0.95 * len(times)) - 1] < max(1.0, 20 * alone)
    assert len(copies) >= 4
    for copy in copies:
        _is_whole(copy)
    host.finish()
    work_off()
    assert not Effect.objects.unfinished().exists()


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _back_up_until(over: float, folder: Path, copies: list[Path]) -> None:
    """By SQLite's own backup, and as file and log side by side, as a machine's snapshot has them."""
    path = str(connection.settings_dict["NAME"])
    while time.monotonic() < over:
        copy = folder / f"copy-{len(copies)}.sqlite3"
        source = sqlite3.connect(path, timeout=20)
        if len(copies) % 2:
            with sqlite3.connect(copy) as target:
                source.backup(target, pages=50)
            target.close()
        else:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM bookings_booking").fetchone()  # holds the log as a snapshot would
            shutil.copyfile(path, copy)
            shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        source.close()
        copies.append(copy)
        time.sleep(0.3)


def _is_whole(copy: Path) -> None:
    """It opens, and every booking in it has all that it owes (I1)."""
    opened = sqlite3.connect(copy)
    without = """SELECT count(*) FROM bookings_booking b WHERE NOT EXISTS (
        SELECT 1 FROM outbox_effect e WHERE e.topic = 'crew.event' AND e."key" = b.public_id)
        OR NOT EXISTS (SELECT 1 FROM outbox_effect e WHERE e.topic = 'mail.message'
        AND e.subject = 'booking:' || b.public_id)"""
    try:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert opened.execute(without).fetchone() == (0,)
    finally:
        opened.close()


# --- the bell --------------------------------------------------------------------------------------------------------


def test_f33_a_thousand_bells_for_one_booking_make_no_call_more(fake_aws: Rig) -> None:
    booking = a_trip()
    host.start_threads(count=4)

    for _ in range(1000):
        bell.ring()

    until(lambda: not Effect.objects.unfinished().exists(), "Delivering everything", seconds=40)
    assert puts(fake_aws, page_of(booking)) == [(1, "accepted")]
    assert len(fake_aws.lines("dynamodb", "PutItem")) == 1
    assert len(fake_aws.lines("cloudfront", "CreateInvalidation")) == 1


def test_f33_without_any_bell_it_is_delivered_at_the_next_poll(fake_aws: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "ring", lambda: None)
    host.start_threads(count=2)
    a_trip()
    leave_only("crew.event")

    until(lambda: bool(fake_aws.items()), "A delivery without a bell", seconds=5)

    assert Booking.objects.get().public_id in fake_aws.items()
