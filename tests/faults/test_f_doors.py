"""F3, F4, F5, F36: what a client sees at the door while servers break behind it, and what nobody ever sees."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from django.apps import apps
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from pytest_django.fixtures import Settings

from bookings.models import Booking
from jada.celery import app
from jada.logs import HideSecrets
from jada.mail.models import Message
from jada.outbox import bell, tasks
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.conftest import SERVICE_KEY
from tests.factories.bookings import VesselFactory
from tests.faults import stage
from tests.faults.chaos.__main__ import Options
from tests.faults.chaos.company import Company, Office
from tests.faults.chaos.judge import Verdict, _acts
from tests.faults.chaos.machine import Postgres
from tests.faults.chaos.season import Season
from tests.faults.trips import a_trip, die_at, next_month, work_off
from tests.rig.client import Rig
from tests.services import ring_at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BODY = {
    "channel": "partner",
    "external_id": "PX-1007",
    "duration_hours": 3,
    "vessel": "jada",
    "guest_count": 4,
    "guest_name": "Quillon Zebulon",
    "guest_email": "qz@example.com",
}


@pytest.fixture(autouse=True)
def nobody_has_guessed_a_key() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def put_in(key: str = "once", **changes: Any) -> tuple[int, dict[str, Any]]:
    """One request of a client, in whichever thread or process it is made."""
    headers = {"X-Api-Key": SERVICE_KEY, "Idempotency-Key": key}
    sent = json.dumps(BODY | {"starts_at": next_month().isoformat()} | changes)
    answer = Client().post("/api/events", sent, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


# --- the broker ------------------------------------------------------------------------------------------------------


@pytest.fixture
def broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Celery is the host; each test names a broker, and has a bell of its own that does not pause for long."""
    before = app.conf.broker_url
    settings.OUTBOX_HOST = "celery"
    monkeypatch.setattr(bell, "BREAK_SECONDS", 3600)  # its thread sleeps on, and hears no ring of another test
    monkeypatch.setattr(bell, "_publisher", None)
    yield
    ring_at(before)


@pytest.fixture
def silent() -> Iterator[str]:
    """It accepts, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def book_and_sweep(rig: Rig) -> None:
    """Ten bookings are answered 201, and the sweep alone delivers all that they owe."""
    for number in range(10):
        VesselFactory(key=f"boat-{number}")

    answers = [put_in(f"k{n}", external_id=f"PX-{n}", vessel=f"boat-{n}")[0] for n in range(10)]
    for _ in range(6):
        tasks.sweep_and_drain()
        stage.pass_time()

    assert answers == [201] * 10
    assert not Effect.objects.unfinished().exists()
    assert len(rig.items()) == 10


def test_f03_a_broker_that_refuses_costs_no_booking_and_no_delivery(fake_aws: Rig, broker: None) -> None:
    ring_at("redis://127.0.0.1:9/0")

    book_and_sweep(fake_aws)


def test_f03_a_broker_that_is_silent_costs_no_booking_and_no_delivery(fake_aws: Rig, broker: None, silent: str) -> None:
    ring_at(silent)

    book_and_sweep(fake_aws)


@pytest.mark.redis
def test_f03_a_broker_that_drops_every_message_costs_no_delivery(fake_aws: Rig, broker: None, redis_url: str) -> None:
    ring_at(redis_url)  # nobody reads it: what was rung is thrown away at the end
    queue = redis.Redis.from_url(redis_url)

    book_and_sweep(fake_aws)

    queue.delete("celery")
    queue.close()


# --- the database ----------------------------------------------------------------------------------------------------


def test_f04_whose_answer_was_lost_behind_the_commit_asks_again_and_has_one_booking() -> None:
    VesselFactory(key="jada")
    die_at("after_commit_before_bell", put_in)

    status, answer = put_in()

    booking = Booking.objects.get()
    assert status == 201  # the answer that was lost, given again
    assert answer["event_id"] == booking.public_id
    assert Effect.objects.filter(topic="crew.event", key=booking.public_id).count() == 1


@pytest.mark.postgres
def test_f04_a_database_stopped_at_once_in_the_middle_of_commits_books_each_trip_once(
    fake_aws: Rig, tmp_path: Path
) -> None:
    postgres = Postgres()
    try:
        postgres.make()
        company = Company("none", tmp_path, fake_aws, postgres.url, workers=0)
        company.prepare()
        company.open()
        office = Office(company)
        season = Season(company, office, bookings=40, rate=20, seed=Options(4).seed)
        clients = threading.Thread(target=season.run)
        clients.start()
        for _ in range(3):
            clients.join(0.7)
            postgres.stop_at_once()
            postgres.start()
        clients.join(120)
        said, verdict = company.ask("judge"), Verdict()
        office.close()
        company.close()
    finally:
        postgres.remove()

    _acts(verdict, season.trips[1:], said)
    assert dict(verdict.faults) == {"answers": []}
    assert len(said["bookings"]) == 39
    assert sum(trip.asked for trip in season.trips) > 39  # somebody had to ask again
    assert [each for each in said["check"] if each.startswith(("I1", "I4"))] == []


# --- the same request ------------------------------------------------------------------------------------------------


def test_f05_sixteen_times_the_same_request_at_once_is_one_booking() -> None:
    VesselFactory(key="jada")
    together = threading.Barrier(16)

    def ask(number: int) -> tuple[int, dict[str, Any]]:
        together.wait(20)
        try:
            return put_in()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(ask, range(16)))

    booking = Booking.objects.get()
    assert [status for status, _ in answers] == [201] * 16
    assert {answer["event_id"] for _, answer in answers} == {booking.public_id}
    assert Message.objects.filter(kind="ops.booked").count() == 1


def test_f05_the_same_key_for_another_request_is_refused_and_changes_nothing() -> None:
    VesselFactory(key="jada")
    put_in()

    status, answer = put_in(guest_count=5)

    assert (status, answer["error"]) == (422, "idempotency_key_reused")
    assert Booking.objects.get().party_size == 4


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, at any level, as the shipped handler writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(HideSecrets())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


def test_f36_no_link_of_a_mail_is_in_the_database_a_log_or_the_console(
    fake_aws: Rig, log: io.StringIO, client: Client
) -> None:
    a_trip()
    fake_aws.order("500", service="ses", op="SendEmail", times=1)  # one in doubt
    fake_aws.order("403", service="s3", op="PutObject", times=None)  # pages that get stuck
    work_off(rounds=8)
    tokens = {link.partition("token=")[2] for mail in fake_aws.mails() for link in mail["links"]}
    client.force_login(User.objects.create_superuser("ops", "ops@sailjada.com", "correct horse battery"))

    looked = [client.get(f"/admin/{page}") for page in ("", "outbox/effect/", "mail/message/")]
    looked += [client.get(f"/admin/outbox/effect/{pk}/change/") for pk in Effect.objects.values_list("pk", flat=True)]
    looked += [client.get(f"/admin/mail/message/{pk}/change/") for pk in Message.objects.values_list("pk", flat=True)]

    everything = {"database": dump(), "log": log.getvalue(), "console": "".join(a.content.decode() for a in looked)}
    assert tokens
    assert Effect.objects.filter(state=State.DEAD).exists()
    assert [a.status_code for a in looked if a.status_code != 200] == []
    assert {where: [t for t in tokens if t in text] for where, text in everything.items()} == {
        "database": [],
        "log": [],
        "console": [],
    }
    assert "token=" not in everything["database"]


def dump() -> str:
    """Every value of every row of every table."""
    values: list[str] = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            values += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(values)
