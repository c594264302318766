"""What another system goes through: it puts a booking in, looks at it, moves it, and never sees an amount."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from bookings.models import Booking, CalendarEntry
from jada import health
from jada.keys import FAILURES_A_MINUTE
from jada.outbox.models import Effect
from tests.conftest import DASHBOARD_TOKEN, SERVICE_KEY
from tests.factories.bookings import NOW, VesselFactory

pytestmark = pytest.mark.django_db

BODY = {
    "channel": "partner",
    "external_id": "PX-1007",
    "date": "2027-05-30",
    "start": "13:00",
    "duration_hours": 3,
    "vessel": "jada",
    "guest_count": 4,
    "guest_name": "Quillon Zebulon",
    "guest_email": "qz@example.com",
    "notes": "paid 840.75 in all",
    "gross": "840.75",
    "fees": "84.08",
    "payout": "756.67",
}


@pytest.fixture(autouse=True)
def _at_nine_in_the_morning() -> Iterator[None]:
    cache.clear()
    with time_machine.travel(NOW, tick=False):
        yield
    cache.clear()


@pytest.fixture(autouse=True)
def jada() -> Any:
    return VesselFactory.create(key="jada", name="JADA")


def put_in(client: Client, body: dict[str, Any] | None = None, **headers: str) -> Any:
    sent = {"X-Api-Key": SERVICE_KEY} | headers
    return client.post("/api/events", json.dumps(body or BODY), content_type="application/json", headers=sent)


def test_a_booking_is_put_in_seen_moved_and_never_shows_an_amount(client: Client) -> None:
    made = put_in(client)
    event = f"/api/events/{made.json()['event_id']}"
    seen = client.get(event, headers={"Authorization": f"Bearer {SERVICE_KEY}"})
    moved = client.patch(
        event,
        json.dumps({"starts_at": "2027-05-30T15:00:00-07:00", "party_size": 5}),
        content_type="application/json",
        headers={"X-Api-Key": SERVICE_KEY},
    )
    calendar = client.get("/api/calendar", headers={"X-Dashboard-Token": DASHBOARD_TOKEN})

    assert [made.status_code, seen.status_code, moved.status_code, calendar.status_code] == [201, 200, 200, 200]
    assert moved.json()["party_size"] == 5
    assert calendar.json()["entries"][0]["starts_at"] == "2027-05-30T15:00:00-07:00"
    for answer in (made, seen, moved, calendar):
        text = answer.content.decode()
        assert not any(secret in text for secret in ("840", "84.08", "756", "Zebulon", "qz@"))


def test_everything_that_a_booking_needs_is_there_at_once(client: Client) -> None:
    answer = put_in(client)
    booking = Booking.objects.get()

    assert answer.json()["ref"] == booking.ref
    assert answer.json()["code"]
    assert CalendarEntry.objects.get().booking == booking
    assert {"crew.event", "guests.page", "mail.message"} <= set(Effect.objects.values_list("topic", flat=True))


def test_the_same_booking_again_is_the_same_booking(client: Client) -> None:
    first, again = put_in(client), put_in(client)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["event_id"] == first.json()["event_id"]
    assert Booking.objects.count() == 1


def test_a_refused_booking_leaves_nothing_behind(client: Client) -> None:
    put_in(client)
    effects = Effect.objects.count()

    answer = put_in(client, BODY | {"external_id": "PX-1008", "start": "14:00"})

    assert (answer.status_code, answer.json()["error"]) == (409, "vessel_taken")
    assert Booking.objects.get().ref in answer.json()["message"]
    assert Effect.objects.count() == effects


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"guest_count": 7}, "over_capacity"),
        ({"date": "2027-05-01"}, "in_the_past"),
        ({"vessel": "ghost"}, "unknown_vessel"),
    ],
)
def test_a_booking_that_cannot_be_is_a_sentence(client: Client, change: dict[str, Any], error: str) -> None:
    answer = put_in(client, BODY | change)

    assert (answer.status_code, answer.json()["error"]) == (422, error)
    assert not Booking.objects.exists()


def test_an_old_client_may_put_its_key_in_the_body_of_that_one_call(client: Client) -> None:
    answer = client.post(
        "/api/events", json.dumps(BODY | {"SERVICE_KEY": SERVICE_KEY}), content_type="application/json"
    )

    assert answer.status_code == 201


def test_no_key_is_kept_anywhere(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client.post(
            "/api/events",
            json.dumps(BODY | {"SERVICE_KEY": SERVICE_KEY}),
            content_type="application/json",
            headers={"Idempotency-Key": "once"},
        )
        put_in(client, BODY, **{"X-Api-Key": SERVICE_KEY + "x"})

    assert SERVICE_KEY not in caplog.text
    assert SERVICE_KEY not in stored()


def stored() -> str:
    """Every row there is, as text."""
    return "".join(repr(list(model._base_manager.values())) for model in apps.get_models())


def test_a_client_that_guesses_is_told_to_wait(client: Client) -> None:
    for _ in range(FAILURES_A_MINUTE):
        client.get("/api/auth-check", headers={"X-Api-Key": "guess"})

    answer = client.get("/api/auth-check", headers={"X-Api-Key": "guess", "X-Forwarded-For": "203.0.113.7"})

    assert (answer.status_code, answer.json()["error"], answer["Retry-After"]) == (429, "too_many_failures", "60")


def test_a_body_that_is_too_large_is_a_refusal_like_any_other(client: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    answer = put_in(client)

    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


def test_our_own_fault_is_said_without_its_details(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"gross was 840.75 of {SERVICE_KEY}")

    monkeypatch.setattr("bookings.intake.api.enter_booking", broken)

    answer = put_in(client)

    assert (answer.status_code, set(answer.json())) == (500, {"error", "message"})
    assert "840.75" not in answer.content.decode()


class TestHealth:
    def test_answers_while_it_lives(self, client: Client) -> None:
        assert client.get("/health/live").json() == {"live": True}

    def test_counts_what_is_late_and_stuck(self, client: Client) -> None:
        put_in(client)
        Effect.objects.filter(topic="guests.page").update(state="dead")
        Effect.objects.exclude(topic="guests.page").update(run_at=NOW)

        with time_machine.travel(NOW.replace(minute=5), tick=False):
            answer = client.get("/health/ready")

        said = answer.json()
        assert (answer.status_code, said["ready"]) == (200, True)
        assert (said["oldest_due_seconds"], said["dead"], said["in_doubt"]) == (300, 1, 0)

    def test_is_not_ready_without_its_database(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(at: object) -> None:
            raise OperationalError("password of jada@10.0.0.3 refused")

        monkeypatch.setattr(health, "_outbox", away)

        answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()) == (503, {"ready": False})

    @pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
    def test_only_answers(self, client: Client, path: str) -> None:
        assert client.post(path).status_code == 405
