"""The production host: real Celery workers, a real broker, a real booking. The broker only rings; beat sweeps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection
from pytest_django import Settings

from bookings.models import Booking
from jada import broker
from jada.aws import clients
from jada.celery import app
from jada.outbox import bell
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests import services
from tests.emulator import REGION
from tests.factories.bookings import a_booking
from tests.factories.crew import captain, crewed_vessel
from tests.structure.source import ROOT

# Celery is the host of production, which is PostgreSQL.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.postgres]

PATIENCE = 60  # seconds until a worker that starts on a busy machine has delivered everything
Celery = Callable[..., None]


@pytest.fixture
def celery(brand: str, tmp_path: Path) -> Iterator[Celery]:
    """Starts `celery -A jada …` on this test's database and local AWS; what was started ends with the test."""
    with ExitStack() as started:

        def start(*args: str, **environment: str) -> None:
            log = started.enter_context((tmp_path / f"{args[0]}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "jada", *args],
                cwd=ROOT,
                env=os.environ | production(brand) | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            started.callback(process.wait, 20)
            started.callback(process.terminate)

        yield start
    let_go_of_the_database()


def let_go_of_the_database() -> None:
    """PostgreSQL takes a moment to notice that a process has ended, and drops no database that somebody is in."""
    deadline = time.monotonic() + 10
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while connection.vendor == "postgresql" and time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(sessions)
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.05)


def production(guest_base_url: str) -> dict[str, str]:
    """The shipped settings, but for a local AWS, which they allow only in DEBUG."""
    database = connection.settings_dict
    where = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        where = f"postgres://{database['USER']}@{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"
    return {
        "DJANGO_SETTINGS_MODULE": "jada.settings",
        "DEBUG": "true",
        "OUTBOX_HOST": "celery",
        "DATABASE_URL": where,
        "GUEST_BASE_URL": guest_base_url,
        "CREW_BASE_URL": django_settings.CREW_BASE_URL,
    }


@pytest.fixture
def ring_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """This process rings at a broker, as a web process does."""
    names = ("broker_url", "broker_transport_options")
    before = {name: app.conf[name] for name in names}

    def ring_at(url: str, queue_url: str = "") -> None:
        settings.OUTBOX_HOST = "celery"
        monkeypatch.setattr(bell, "_publisher", None)
        options = broker.options(url, queue_url=queue_url, region=REGION)
        services.ring_at(url, broker_transport_options=options)

    yield ring_at
    services.ring_at(before["broker_url"], broker_transport_options=before["broker_transport_options"])


@pytest.fixture
def own_redis(redis_url: str) -> str:
    """A database of this process's own: a ring of another test's worker would be answered on another database."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = f"{redis_url.rpartition('/')[0]}/{8 + number % 8}"
    with redis.Redis.from_url(url) as server:
        server.flushdb()
    return url


def book() -> Booking:
    captain()
    vessel = crewed_vessel(captains=1, mates=0, hosts_over_12=0)
    return a_booking(vessel=vessel, guest_email="dana@example.com")


def wait_until_delivered() -> None:
    deadline = time.monotonic() + PATIENCE
    while Effect.objects.unfinished().exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def undelivered() -> list[str]:
    return [f"{row} {row.state} {row.last_error}" for row in Effect.objects.exclude(state=State.DONE)]


def test_a_worker_on_sqs_delivers_what_a_booking_owes(
    stack: dict[str, str], celery: Celery, ring_at: Callable[..., None]
) -> None:
    url = clients.sqs().create_queue(QueueName=f"bell-{uuid4().hex[:8]}")["QueueUrl"]
    ring_at("sqs://", url)
    celery("worker", "--concurrency", "1", CELERY_BROKER_URL="sqs://", CELERY_QUEUE_URL=url)

    book()
    wait_until_delivered()

    assert undelivered() == []
    assert Effect.objects.count() >= 6


@pytest.mark.redis
def test_a_worker_on_redis_delivers_what_a_booking_owes(
    own_redis: str, celery: Celery, ring_at: Callable[..., None]
) -> None:
    ring_at(own_redis)
    celery("worker", "--concurrency", "1", CELERY_BROKER_URL=own_redis)

    book()
    wait_until_delivered()

    assert undelivered() == []


@pytest.mark.redis
def test_beat_sweeps_what_nobody_rang_for(own_redis: str, celery: Celery, tmp_path: Path) -> None:
    book()  # no bell: this process rings nowhere
    celery("worker", "--concurrency", "1", CELERY_BROKER_URL=own_redis)
    celery("beat", "--schedule", str(tmp_path / "beat"), CELERY_BROKER_URL=own_redis)

    wait_until_delivered()

    assert undelivered() == []
