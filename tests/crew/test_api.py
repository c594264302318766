"""The crew event for other systems."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from bookings.models import Booking
from bookings.services import TripDetails, amend_booking
from crew import services
from crew.models import CrewEvent
from jada.audit.actors import SYSTEM
from jada.audit.models import Event as History
from jada.outbox.models import RequestKey
from tests.conftest import SERVICE_KEY
from tests.factories.bookings import NOW, START
from tests.factories.crew import a_crew_event, captain, event_of
from tests.meanwhile import meanwhile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def event() -> CrewEvent:
    captain("ines")
    return a_crew_event(guest_name="Dana Whitlock", private_note="Gross 840.75")


def call(method: str, event_id: str, body: Any = None, *, key: str = SERVICE_KEY) -> Any:
    return getattr(Client(), method)(
        f"/api/events/{event_id}", body, content_type="application/json", headers={"X-Api-Key": key}
    )


def test_answers_what_the_table_outside_holds(event: CrewEvent) -> None:
    answer = Client().get(f"/api/events/{event.public_id}", headers={"X-Api-Key": SERVICE_KEY})

    view = services.event_view(event_of(event.booking))
    assert answer.status_code == 200
    assert answer.json()["guest"] == "Dana"
    assert answer.json()["crew"] == [
        {"role": "captain", "name": "Ines Calloway", "state": "invited"},
        {"role": "mate_or_deckhand", "name": "", "state": "open"},
    ]
    assert set(answer.json()) == set(view.__dataclass_fields__)
    assert "840.75" not in answer.content.decode()
    assert "Whitlock" not in answer.content.decode()


@pytest.mark.parametrize("method", ["get", "patch"])
def test_refuses_a_call_without_its_key(event: CrewEvent, method: str) -> None:
    assert getattr(Client(), method)(f"/api/events/{event.public_id}").status_code == 401


@pytest.mark.parametrize("event_id", ["N0SUCHTR1P", "x", "a" * 40])
def test_an_unknown_event_is_not_there(event_id: str) -> None:
    assert call("patch", event_id, {}).status_code in (404, 422)


def test_a_trip_moved_here_moves_everywhere(event: CrewEvent) -> None:
    answer = call("patch", event.public_id, {"starts_at": "2027-05-30T15:00:00-07:00", "party_size": 5})

    assert answer.status_code == 200
    assert answer.json()["call_time"] == "2:00 PM"
    assert answer.json()["ends_at"] == "2027-05-30T18:00:00-07:00"
    assert Booking.objects.get().party_size == 5
    assert History.objects.filter(act="bookings.booking.amended", actor_name="k1").exists()


def test_an_end_alone_keeps_the_start(event: CrewEvent) -> None:
    answer = call("patch", event.public_id, {"ends_at": "2027-05-30T17:00:00-07:00"})

    assert answer.json()["starts_at"] == "2027-05-30T13:00:00-07:00"
    assert answer.json()["ends_at"] == "2027-05-30T17:00:00-07:00"


def test_a_note_for_the_crew_can_be_written(event: CrewEvent) -> None:
    assert call("patch", event.public_id, {"public_note": "One guest uses a cane."}).json()["public_note"] == (
        "One guest uses a cane."
    )


@pytest.mark.parametrize("note", ["$840.75", "USD 840.75", "＄８４０．７５", "gross 840"])
def test_a12_money_in_the_note_is_refused_with_the_words_shown(event: CrewEvent, note: str) -> None:
    answer = call("patch", event.public_id, {"public_note": note, "party_size": 6})

    assert answer.status_code == 422
    assert answer.json()["error"] == "money_in_note"
    assert "840" in answer.json()["message"]
    assert (Booking.objects.get().public_note, Booking.objects.get().party_size) == ("", 3)


@pytest.mark.parametrize("field", ["gross", "notes", "private_note", "crew", "guest_email", "status", "payment_state"])
def test_an_unknown_field_is_refused(event: CrewEvent, field: str) -> None:
    answer = call("patch", event.public_id, {field: "1"})

    assert answer.status_code == 422
    assert field in answer.json()["fields"]


@pytest.mark.parametrize(
    "body",
    [
        {"party_size": 0},
        {"party_size": 25},
        {"starts_at": "2027-05-30T15:00:00"},
        {"ends_at": "2027-05-30T12:00:00-07:00"},
        {"public_note": "a\u0000b"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_words(event: CrewEvent, body: dict[str, Any]) -> None:
    answer = call("patch", event.public_id, body)

    assert answer.status_code == 422
    assert answer.json()["message"].endswith(".")
    assert Booking.objects.get().starts_at == START


def test_nothing_to_change_changes_nothing(event: CrewEvent) -> None:
    before = History.objects.count()

    assert call("patch", event.public_id, {}).status_code == 200
    assert History.objects.count() == before


@pytest.mark.parametrize("query", ["ordering=gross", "gross__gt=500", "fields=finance", "expand=finance"])
def test_a15_questions_about_money_change_no_byte(event: CrewEvent, query: str) -> None:
    plain = call("get", event.public_id)
    asked = Client().get(f"/api/events/{event.public_id}?{query}", headers={"X-Api-Key": SERVICE_KEY})

    assert asked.content == Client().get(f"/api/events/{event.public_id}", headers={"X-Api-Key": SERVICE_KEY}).content
    assert plain.status_code == 200


# --- the same change again, and the one that comes late ------------------------------------------------------------


def change(event: CrewEvent, body: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client().patch(
        f"/api/events/{event.public_id}",
        body,
        content_type="application/json",
        headers={"X-Api-Key": SERVICE_KEY, **named},
    )


def read(event: CrewEvent) -> Any:
    return Client().get(f"/api/events/{event.public_id}", headers={"X-Api-Key": SERVICE_KEY})


def test_a_change_that_comes_late_is_answered_as_before_and_undoes_nothing(event: CrewEvent) -> None:
    first = change(event, {"party_size": 5}, Idempotency_Key="a")
    change(event, {"party_size": 6}, Idempotency_Key="b")

    late = change(event, {"party_size": 5}, Idempotency_Key="a")

    assert (late.status_code, late.json()) == (200, first.json())
    assert late["ETag"] == first["ETag"]
    assert Booking.objects.get().party_size == 6


def test_a_key_is_for_one_change(event: CrewEvent) -> None:
    change(event, {"party_size": 5}, Idempotency_Key="a")

    answer = change(event, {"party_size": 6}, Idempotency_Key="a")

    assert (answer.status_code, answer.json()["error"]) == (422, "idempotency_key_reused")
    assert Booking.objects.get().party_size == 5


def test_a_key_is_for_one_event(event: CrewEvent) -> None:
    other = a_crew_event(starts_at=START + timedelta(days=1))
    change(event, {"party_size": 5}, Idempotency_Key="a")

    assert change(other, {"party_size": 5}, Idempotency_Key="a").status_code == 422


def test_what_was_refused_may_be_asked_again_with_its_key(event: CrewEvent) -> None:
    assert change(event, {"party_size": 25}, Idempotency_Key="a").status_code == 422

    assert change(event, {"party_size": 5}, Idempotency_Key="a").status_code == 200


def test_a_change_of_what_was_read_is_made(event: CrewEvent) -> None:
    answer = change(event, {"party_size": 5}, If_Match=read(event)["ETag"])

    assert answer.status_code == 200
    assert answer["ETag"] == read(event)["ETag"]


def test_a_change_of_what_has_changed_since_is_refused(event: CrewEvent) -> None:
    seen = read(event)["ETag"]
    change(event, {"party_size": 6})

    answer = change(event, {"party_size": 5}, If_Match=seen)

    assert (answer.status_code, answer.json()["error"]) == (412, "changed_meanwhile")
    assert Booking.objects.get().party_size == 6


def test_any_state_will_do_where_none_is_named(event: CrewEvent) -> None:
    assert change(event, {"party_size": 5}, If_Match="*").status_code == 200


def test_a_change_that_needed_no_key_keeps_no_answer(event: CrewEvent) -> None:
    change(event, {"party_size": 5})

    assert not RequestKey.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_change_leaves_alone_what_another_changes_at_the_same_instant(event: CrewEvent) -> None:
    def other() -> None:
        booking = Booking.objects.get()
        amend_booking(booking=booking, trip=replace(TripDetails.of(booking), party_size=6), by=SYSTEM, at=NOW)

    answer = meanwhile(other, lambda: change(event, {"public_note": "One guest uses a cane."}))

    assert answer.status_code == 200
    assert (Booking.objects.get().party_size, Booking.objects.get().public_note) == (6, "One guest uses a cane.")
