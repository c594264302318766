"""The calendar API: what dashboards see, and how they hold time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from bookings.models import CalendarEntry, Vessel
from bookings.services import cancel_booking
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from tests.conftest import DASHBOARD_TOKEN, SERVICE_KEY
from tests.factories.bookings import NOW, START, VesselFactory, a_booking

pytestmark = pytest.mark.django_db

URL = "/api/calendar"
DAY = "2027-06-12"


@pytest.fixture(autouse=True)
def _at_nine_in_the_morning() -> Iterator[None]:
    cache.clear()
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def jada() -> Vessel:
    return VesselFactory.create(key="jada", name="JADA")


class Dashboard:
    """Calls with the token."""

    def __init__(self) -> None:
        self.client = Client(headers={"X-Dashboard-Token": DASHBOARD_TOKEN})

    def get(self, query: str = "") -> Any:
        return self.client.get(URL + query)

    def post(self, **body: object) -> Any:
        return self.send("post", URL, {"date": DAY, "charter_type": "birthday", "guest_count": 4, **body})

    def patch(self, entry_id: str, **body: object) -> Any:
        return self.send("patch", f"{URL}/{entry_id}", body)

    def send(self, method: str, path: str, body: object, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return getattr(self.client, method)(path, content, content_type="application/json", headers=headers)


@pytest.fixture
def dashboard() -> Dashboard:
    return Dashboard()


class TestReading:
    def test_shows_the_coming_ninety_days(self, dashboard: Dashboard, jada: Vessel) -> None:
        booking = a_booking(vessel=jada)
        a_booking(vessel=jada, starts_at=START + timedelta(days=120))

        answer = dashboard.get().json()

        assert answer["first_day"] == "2027-05-20"
        assert answer["last_day"] == "2027-08-18"
        assert answer["entries"] == [
            {
                "id": booking.entry.public_id,
                "vessel": "jada",
                "kind": "charter",
                "status": "confirmed",
                "title": booking.ref,
                "date": "2027-05-30",
                "starts_at": "2027-05-30T13:00:00-07:00",
                "ends_at": "2027-05-30T16:00:00-07:00",
                "needs_times": False,
                "guest_count": 3,
            }
        ]

    def test_shows_neither_guest_nor_contact(self, dashboard: Dashboard, jada: Vessel) -> None:
        a_booking(vessel=jada, guest_name="Quillon Zebulon", guest_email="qz@example.com", guest_phone="+16195550100")

        text = dashboard.get().content.decode()

        assert not any(secret in text for secret in ("Quillon", "Zebulon", "qz@", "5550100"))

    def test_takes_a_day_by_the_dock(self, dashboard: Dashboard, jada: Vessel) -> None:
        a_booking(vessel=jada, starts_at=datetime(2027, 6, 13, 5, 0, tzinfo=UTC))  # 10 PM on the 12th

        assert len(dashboard.get(f"?from={DAY}&to={DAY}&vessel=jada").json()["entries"]) == 1
        assert dashboard.get("?from=2027-06-14&to=2027-06-14&vessel=jada").json()["entries"] == []

    def test_leaves_out_what_is_cancelled_and_other_vessels(self, dashboard: Dashboard, jada: Vessel) -> None:
        a_booking(vessel=VesselFactory.create(key="other"))
        cancel_booking(booking=a_booking(vessel=jada), reason="storm", by=SYSTEM, at=NOW)

        assert dashboard.get("?vessel=jada").json()["entries"] == []

    @pytest.mark.parametrize(
        ("query", "word"),
        [
            ("?from=soon", "from"),
            ("?from=0001-01-01", "from"),
            ("?from=2027-06-02&to=2027-06-01", "last day"),
            ("?from=2027-01-01&to=2029-01-01", "366"),
            ("?vessel=ghost", "the vessels are jada"),
            ("?vessel=%00", "vessel"),
        ],
    )
    def test_says_what_is_wrong_with_a_question(
        self, dashboard: Dashboard, jada: Vessel, query: str, word: str
    ) -> None:
        answer = dashboard.get(query)

        assert answer.status_code == 422
        assert word in answer.json()["message"]

    def test_costs_the_same_however_many_there_are(
        self, dashboard: Dashboard, jada: Vessel, django_assert_num_queries: Any
    ) -> None:
        for n in range(4):
            a_booking(vessel=jada, starts_at=START + timedelta(days=n))

        with django_assert_num_queries(1):
            dashboard.get()


class TestHolding:
    def test_a_day_without_times_is_pencilled_in_and_blocks_nothing(self, dashboard: Dashboard, jada: Vessel) -> None:
        answer = dashboard.post()
        entry = CalendarEntry.objects.get()

        assert answer.status_code == 201
        assert answer.json()["needs_times"] is True
        assert f"PATCH /api/calendar/{entry.public_id}" in answer.json()["message"]
        assert (entry.blocks, entry.starts_at, entry.ends_at) == (
            False,
            datetime(2027, 6, 12, 7, 0, tzinfo=UTC),
            datetime(2027, 6, 13, 7, 0, tzinfo=UTC),
        )

    def test_a_pencilled_day_spans_the_day_the_clocks_change(self, dashboard: Dashboard, jada: Vessel) -> None:
        dashboard.post(date="2027-11-07")

        entry = CalendarEntry.objects.get()
        assert entry.ends_at - entry.starts_at == timedelta(hours=25)

    @pytest.mark.parametrize(
        "times",
        [
            {"start": "13:00", "duration_hours": 3},
            {"starts_at": "2027-06-12T13:00:00-07:00", "ends_at": "2027-06-12T23:00:00Z"},
            {"start": "13:00", "ends_at": "2027-06-12T16:00:00-07:00"},
        ],
    )
    def test_times_hold_the_vessel_with_its_turnaround(
        self, dashboard: Dashboard, jada: Vessel, times: dict[str, object]
    ) -> None:
        answer = dashboard.post(title="Lindqvist birthday", **times)
        entry = CalendarEntry.objects.get()

        assert answer.status_code == 201
        assert (answer.json()["kind"], answer.json()["status"], answer.json()["message"]) == (
            "tentative",
            "tentative",
            "",
        )
        assert entry.blocks
        assert entry.blocked_until == datetime(2027, 6, 13, 0, 0, tzinfo=UTC)

    def test_refuses_a_time_that_is_taken_and_names_what_is_there(self, dashboard: Dashboard, jada: Vessel) -> None:
        booking = a_booking(vessel=jada, guest_name="Dana Whit")

        answer = dashboard.post(date="2027-05-30", start="16:30", duration_hours=2)

        assert answer.status_code == 409
        assert answer.json()["error"] == "vessel_taken"
        assert booking.ref in answer.json()["message"]
        assert "Whit" not in answer.json()["message"]  # whose trip it is, is nothing for a dashboard
        assert CalendarEntry.objects.count() == 1

    def test_a_hold_keeps_a_booking_out(self, dashboard: Dashboard, jada: Vessel) -> None:
        dashboard.post(title="Birthday", start="13:00", duration_hours=3)

        answer = dashboard.post(start="14:00", duration_hours=1)

        assert answer.status_code == 409
        assert "Birthday" in answer.json()["message"]

    def test_is_in_the_history(self, dashboard: Dashboard, jada: Vessel) -> None:
        dashboard.post()

        event = Event.objects.get()
        assert (event.act, event.actor_kind, event.actor_name) == ("bookings.hold.placed", "service", "d1")

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"guest_count": 0}, "invalid"),
            ({"guest_count": 7}, "over_capacity"),
            ({"guest_count": 10**30}, "invalid"),
            ({"date": "2027-05-19"}, "in_the_past"),
            ({"date": "2027-02-30"}, "invalid"),
            ({"date": "9999-12-31"}, "invalid"),
            ({"vessel": "ghost"}, "unknown_vessel"),
            ({"vessel": ["jada"]}, "invalid"),
            ({"start": "25:00"}, "invalid"),
            ({"start": "13:00"}, "period_unclear"),
            ({"duration_hours": 3}, "period_unclear"),
            ({"start": "13:00", "duration_hours": "NaN"}, "invalid"),
            ({"start": "13:00", "duration_hours": -1}, "invalid"),
            ({"start": "13:00", "starts_at": "2027-06-12T13:00:00-07:00"}, "invalid"),
            ({"start": "13:00", "ends_at": "2027-06-12T12:00:00-07:00"}, "ends_before_start"),
            ({"start": "13:00", "ends_at": "2029-06-12T12:00:00-07:00"}, "period_unclear"),
            ({"starts_at": "2027-06-12T13:00:00"}, "invalid"),
            ({"starts_at": "9999-12-31T23:59:00-14:00", "duration_hours": 1}, "invalid"),
            ({"starts_at": "2027-06-14T13:00:00-07:00", "duration_hours": 1}, "period_unclear"),
            ({"title": "a\u0000b"}, "invalid"),
            ({"title": "x" * 121}, "invalid"),
            ({"charter_type": "  "}, "invalid"),
            ({"gross": "840.75"}, "invalid"),
        ],
    )
    def test_says_what_is_wrong_with_a_hold(
        self, dashboard: Dashboard, jada: Vessel, body: dict[str, object], error: str
    ) -> None:
        answer = dashboard.post(**body)

        assert (answer.status_code, answer.json()["error"]) == (422, error)
        assert answer.json()["message"].endswith(".")
        assert not CalendarEntry.objects.exists()

    def test_takes_a_day_in_the_past_when_it_is_meant(self, dashboard: Dashboard, jada: Vessel) -> None:
        assert dashboard.post(date="2027-05-19", past_ok=True).status_code == 201

    def test_takes_today(self, dashboard: Dashboard, jada: Vessel) -> None:
        assert dashboard.post(date="2027-05-20").status_code == 201

    def test_has_no_vessel_to_hold_before_there_is_one(self, dashboard: Dashboard) -> None:
        assert "the vessels are none yet" in dashboard.post().json()["message"]

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'"x"', b"null", b'{"title": "\\ud800"}'])
    def test_reads_no_nonsense(self, dashboard: Dashboard, jada: Vessel, body: bytes) -> None:
        answer = dashboard.send("post", URL, body)

        assert answer.status_code in {400, 422}
        assert set(answer.json()) >= {"error", "message"}

    def test_the_same_request_again_is_one_hold(self, dashboard: Dashboard, jada: Vessel) -> None:
        body = {"date": DAY, "charter_type": "birthday", "guest_count": 4}

        first = dashboard.send("post", URL, body, **{"Idempotency-Key": "a"})
        second = dashboard.send("post", URL, body, **{"Idempotency-Key": "a"})

        assert (second.status_code, second.json()) == (201, first.json())
        assert CalendarEntry.objects.count() == 1

    def test_a_used_idempotency_key_is_refused_for_another_request(self, dashboard: Dashboard, jada: Vessel) -> None:
        body = {"date": DAY, "charter_type": "birthday", "guest_count": 4}
        dashboard.send("post", URL, body, **{"Idempotency-Key": "a"})

        answer = dashboard.send("post", URL, body | {"guest_count": 5}, **{"Idempotency-Key": "a"})

        assert (answer.status_code, answer.json()["error"]) == (422, "idempotency_key_reused")


class TestGivingTimes:
    def test_turns_a_pencilled_day_into_a_hold(self, dashboard: Dashboard, jada: Vessel) -> None:
        held = dashboard.post().json()

        answer = dashboard.patch(held["id"], start="13:00", duration_hours="2.5")

        assert (answer.status_code, answer.json()["needs_times"], answer.json()["message"]) == (200, False, "")
        assert answer.json()["ends_at"] == "2027-06-12T15:30:00-07:00"
        assert CalendarEntry.objects.get().blocks

    def test_refuses_a_time_that_is_taken(self, dashboard: Dashboard, jada: Vessel) -> None:
        held = dashboard.post(date="2027-05-30").json()
        a_booking(vessel=jada)

        assert dashboard.patch(held["id"], start="13:00", duration_hours=1).status_code == 409
        assert CalendarEntry.objects.get(public_id=held["id"]).needs_times

    def test_wants_a_start(self, dashboard: Dashboard, jada: Vessel) -> None:
        held = dashboard.post().json()

        assert dashboard.patch(held["id"]).json()["error"] == "period_unclear"

    def test_leaves_a_trip_alone(self, dashboard: Dashboard, jada: Vessel) -> None:
        entry = a_booking(vessel=jada).entry

        answer = dashboard.patch(entry.public_id, start="09:00", duration_hours=1)

        assert (answer.status_code, answer.json()["error"]) == (422, "not_without_times")

    @pytest.mark.parametrize("entry_id", ["NOSUCHENTRY", "%00", "x' OR 1=1"])
    def test_knows_no_other_entries(self, dashboard: Dashboard, jada: Vessel, entry_id: str) -> None:
        assert dashboard.patch(entry_id, start="09:00", duration_hours=1).status_code == 404


class TestDoor:
    def test_opens_to_no_service_key(self, client: Client) -> None:
        answer = client.get(URL, headers={"X-Dashboard-Token": SERVICE_KEY, "X-Api-Key": SERVICE_KEY})

        assert (answer.status_code, answer.json()["error"]) == (401, "credential_wrong")

    def test_says_which_methods_work(self, dashboard: Dashboard) -> None:
        answer = dashboard.client.delete(URL)

        assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
        assert set(answer["Allow"].split(", ")) == {"GET", "POST"}
