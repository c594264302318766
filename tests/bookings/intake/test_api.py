from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from bookings.finance.services import amounts_of
from bookings.intake.models import IntakeEvent, IntakeMessage
from bookings.models import Booking, Vessel
from tests.conftest import SERVICE_KEY
from tests.factories.bookings import NOW, VesselFactory, a_booking

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_the_desk() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def vessel() -> Vessel:
    return VesselFactory(key="halcyon", name="Halcyon")


def body(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "channel": "partner",
        "external_id": "P-77",
        "date": "2027-05-30",
        "start": "13:00",
        "duration_hours": 3,
        "vessel": "halcyon",
        "party_size": 3,
        "guest_name": "Dana Whit",
        "guest_email": "dana@example.com",
        "guest_phone": "(619) 555-0117",
        "notes": "Paid 840.75.\nAnniversary",
        "gross": "840.75",
        "fees": 105.09,
        "payout": "735.66",
        "code": "XHQGMDH",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def post(client: Client, said: dict[str, object], **headers: str) -> Any:
    return client.post(
        "/api/events",
        json.dumps(said),
        content_type="application/json",
        headers={"X-Api-Key": SERVICE_KEY, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )


class TestPuttingIn:
    def test_a_booking_is_made(self, client: Client, vessel: Vessel) -> None:
        answer = post(client, body())

        booking = Booking.objects.get()
        assert answer.status_code == 201
        assert answer.json() == {
            "event_id": booking.public_id,
            "ref": booking.ref,
            "code": "XHQGMDH",
            "status": "confirmed",
        }
        assert booking.local_start.isoformat() == "2027-05-30T13:00:00-07:00"
        assert (booking.vessel, booking.party_size, booking.guest_phone) == (vessel, 3, "+16195550117")

    def test_its_notes_are_private_and_its_money_is_in_finance(self, client: Client, vessel: Vessel) -> None:
        post(client, body())

        booking = Booking.objects.get()
        amounts = amounts_of(booking_id=booking.pk)
        assert (booking.private_note, booking.public_note) == ("Paid 840.75.\nAnniversary", "")
        assert amounts is not None
        assert (amounts.gross, amounts.fees, amounts.payout) == (
            Decimal("840.75"),
            Decimal("105.09"),
            Decimal("735.66"),
        )

    def test_amounts_never_come_out(self, client: Client, vessel: Vessel) -> None:
        assert "840.75" not in post(client, body()).content.decode()

    def test_an_instant_and_an_end_do_as_well(self, client: Client, vessel: Vessel) -> None:
        times = {"starts_at": "2027-05-30T20:00:00Z", "ends_at": "2027-05-30T23:00:00Z"}

        answer = post(client, body(date=None, start=None, duration_hours=None, guest_count=3, **times))

        assert answer.status_code == 201

    def test_the_main_vessel_is_meant_when_none_is_named(self, client: Client, vessel: Vessel) -> None:
        post(client, body(vessel=None))

        assert Booking.objects.get().vessel == vessel

    def test_an_old_client_may_carry_its_key_in_the_body_and_it_is_not_kept(
        self, client: Client, vessel: Vessel
    ) -> None:
        said = body(SERVICE_KEY=SERVICE_KEY)

        answer = client.post("/api/events", json.dumps(said), content_type="application/json")

        assert answer.status_code == 201
        assert SERVICE_KEY.encode() not in bytes(IntakeMessage.objects.get().raw)


class TestTheSameAgain:
    def test_the_seller_s_id_answers_the_booking_that_is_there(self, client: Client, vessel: Vessel) -> None:
        first = post(client, body())

        again = post(client, body(external_id="#p-77", party_size=5))

        assert (again.status_code, again.json()) == (200, first.json())
        assert Booking.objects.get().party_size == 3

    def test_without_an_id_the_same_entry_is_the_same_booking(self, client: Client, vessel: Vessel) -> None:
        first = post(client, body(external_id=None))

        again = post(client, body(external_id=None))

        assert (first.status_code, again.status_code) == (201, 200)
        assert Booking.objects.count() == 1
        assert not IntakeEvent.objects.exists()

    def test_an_idempotency_key_answers_what_it_answered(self, client: Client, vessel: Vessel) -> None:
        answers = [post(client, body(), Idempotency_Key="abc") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 201]
        assert Booking.objects.count() == 1

    def test_an_idempotency_key_is_for_one_request(self, client: Client, vessel: Vessel) -> None:
        post(client, body(), Idempotency_Key="abc")

        answer = post(client, body(party_size=4), Idempotency_Key="abc")

        assert (answer.status_code, answer.json()["error"]) == (422, "idempotency_key_reused")


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "status", "sentence"),
        [
            ({"party_size": 7}, 422, "may carry 6 passengers, not 7"),
            ({"date": "2027-05-01"}, 422, "is in the past"),
            ({"vessel": "nautilus"}, 422, "no vessel with the key “nautilus”: the vessels are halcyon"),
            ({"start": None}, 422, "Say when it starts"),
            ({"duration_hours": None}, 422, "Say when it ends"),
            ({"date": "2027-03-14", "start": "02:30", "past_ok": True}, 422, "does not exist"),
            ({"date": "2027-05-29", "start": None, "starts_at": "2027-05-30T20:00:00Z"}, 422, "correct one of the two"),
            ({"guest_count": 4}, 422, "give one of them"),
            ({"guest_email": "dana"}, 422, "is not an e-mail address"),
            ({"gross": "-1"}, 422, "gross"),
            ({"gross": "1.005"}, 422, "gross"),
            ({"duration_hours": None, "ends_at": "2027-05-30T19:00:00Z"}, 422, "ends before it begins"),
            ({"channel": "pirate"}, 422, "channel"),
            ({"rum": "yes"}, 422, "rum is not known here"),
        ],
    )
    def test_a_refusal_is_a_sentence_and_keeps_nothing(
        self, client: Client, vessel: Vessel, changes: dict[str, object], status: int, sentence: str
    ) -> None:
        answer = post(client, body(**changes))

        assert answer.status_code == status
        assert sentence in answer.json()["message"]
        assert not Booking.objects.exists()
        assert not IntakeMessage.objects.exists()

    def test_an_overlap_names_the_other_booking(self, client: Client, vessel: Vessel) -> None:
        other = a_booking(vessel=vessel)

        answer = post(client, body())

        assert answer.status_code == 409
        assert other.ref in answer.json()["message"]

    def test_the_past_is_booked_when_it_is_said_so(self, client: Client, vessel: Vessel) -> None:
        assert post(client, body(date="2027-05-01", past_ok=True)).status_code == 201

    def test_without_a_key_nothing_is_put_in(self, client: Client, vessel: Vessel) -> None:
        answer = client.post("/api/events", json.dumps(body()), content_type="application/json")

        assert answer.status_code == 401
        assert not Booking.objects.exists()
