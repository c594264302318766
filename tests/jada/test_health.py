"""What a load balancer and an alarm are told. 503 only where another process would serve better."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from jada import health
from jada.outbox import heartbeats
from jada.outbox.enums import Mode, State
from jada.outbox.models import Effect

pytestmark = [pytest.mark.django_db]
NOW = datetime(2027, 5, 20, 16, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch: Any) -> Iterator[None]:
    monkeypatch.setattr(health, "_migrated", False)
    heartbeats.forget()
    with time_machine.travel(NOW, tick=False):
        yield
    heartbeats.forget()


def owed(name: str, **fields: Any) -> Effect:
    usual: dict[str, Any] = {"topic": "crew.event", "key": name, "mode": Mode.STATE, "lane": f"lane:{name}"}
    return Effect.objects.create(**usual | fields)


def ready(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/health/ready")
    return answer.status_code, answer.json()


def test_a_quiet_house_is_ready(client: Client) -> None:
    status, said = ready(client)

    assert status == 200
    assert said == {
        "ready": True,
        "database": True,
        "migrated": True,
        "oldest_due_seconds": 0,
        "dead": 0,
        "in_doubt": 0,
        "unknown_topics": 0,
        "target_newer": False,
        "heartbeat_seconds": {"worker": None, "sweeper": None, "schedule": None},
    }


def test_it_counts_what_a_person_or_an_alarm_must_hear_of_and_stays_in_service(client: Client) -> None:
    owed("a", run_at=NOW - timedelta(minutes=9))
    owed("b", state=State.DEAD, cause="restored")
    owed("c", state=State.IN_DOUBT)
    owed("d", topic="gone.thing")
    heartbeats.beat(heartbeats.WORKER, at=NOW - timedelta(hours=2))

    status, said = ready(client)

    assert (status, said["oldest_due_seconds"], said["dead"], said["in_doubt"]) == (200, 540, 1, 1)
    assert (said["unknown_topics"], said["target_newer"]) == (1, True)
    assert said["heartbeat_seconds"]["worker"] == 7200


def test_a_process_whose_migrations_are_missing_gets_no_traffic(client: Client) -> None:
    last = MigrationRecorder.Migration.objects.filter(app="outbox").order_by("pk").last()
    last.delete()

    status, said = ready(client)

    assert (status, said) == (503, {"ready": False, "database": True, "migrated": False})


def test_a_database_that_is_ahead_of_the_code_is_served(client: Client) -> None:
    MigrationRecorder(connection).record_applied("outbox", "9999_of_the_next_release")

    assert ready(client)[0] == 200


def test_without_its_database_it_says_so_and_nothing_of_it(client: Client, monkeypatch: Any) -> None:
    def away() -> bool:
        raise OperationalError("password of jada@10.0.0.3 refused")

    monkeypatch.setattr(health, "_is_migrated", away)

    assert ready(client) == (503, {"ready": False})


def test_being_alive_asks_no_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/health/live").json() == {"live": True}
