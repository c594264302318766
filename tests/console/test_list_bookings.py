import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bookings.finance.services import record_amounts
from bookings.models import Booking
from jada.audit.actors import SYSTEM
from tests.factories.bookings import NOW, START, VesselFactory, a_booking

pytestmark = pytest.mark.django_db


def listed(*options: str) -> str:
    out = StringIO()
    call_command("list_bookings", *options, stdout=out)
    return out.getvalue()


def as_json(*options: str) -> Any:
    return json.loads(listed("--json", *options))


@pytest.fixture
def booking() -> Booking:
    def with_money(booking: Booking) -> None:
        record_amounts(booking_id=booking.pk, gross=Decimal("840.75"), fees=Decimal("105.10"), by=SYSTEM, at=NOW)

    return a_booking(
        vessel=VesselFactory(name="JADA"),
        external_id="kqvmztr",
        given_code="XHQGMDH",
        guest_name="Zoë Núñez",
        also=with_money,
        tell=False,
    )


def test_says_of_a_booking_what_a_program_needs(booking: Booking) -> None:
    assert as_json() == [
        {
            "ref": booking.ref,
            "channel": "boatsetter",
            "external_id": "kqvmztr",
            "code": "XHQGMDH",
            "status": "confirmed",
            "guest_name": "Zoë Núñez",
            "start": "2027-05-30T13:00:00-07:00",
            "end": "2027-05-30T16:00:00-07:00",
            "party_size": 3,
            "vessel": "JADA",
        }
    ]


def test_has_amounts_as_text_only_when_they_are_asked_for(booking: Booking) -> None:
    (line,) = as_json("--money")

    assert (line["gross"], line["fees"], line["payout"]) == ("840.75", "105.10", None)


def test_shows_people_no_amount_either_unless_they_ask(booking: Booking) -> None:
    assert "840.75" not in listed()
    assert "840.75" in listed("--money")


def test_is_a_table_for_people(booking: Booking) -> None:
    head, line = listed().splitlines()

    assert head.split()[:3] == ["start", "end", "vessel"]
    assert "2027-05-30 13:00-07:00" in line
    assert "Zoë Núñez" in line


def test_of_nothing_says_so() -> None:
    assert (listed(), as_json()) == ("No bookings.\n", [])


def test_has_no_code_where_there_is_no_page() -> None:
    a_booking(status="inquiry", tell=False)

    assert as_json()[0]["code"] is None


def test_goes_by_departure() -> None:
    late = a_booking(starts_at=START + timedelta(days=1), tell=False)
    early = a_booking(starts_at=START, tell=False)

    assert [line["ref"] for line in as_json()] == [early.ref, late.ref]


def test_of_one_status_leaves_out_the_others(booking: Booking) -> None:
    assert not as_json("--status", "cancelled")


def test_goes_by_the_day_at_the_dock_and_not_by_utc() -> None:
    a_booking(starts_at=datetime(2027, 5, 31, 1, 0, tzinfo=UTC), tell=False)  # 30 May, 6 PM at the dock

    assert len(as_json("--from", "2027-05-30", "--to", "2027-05-30")) == 1
    assert not as_json("--from", "2027-05-31")
    assert not as_json("--to", "2027-05-29")


def test_refuses_what_is_not_a_day() -> None:
    with pytest.raises(CommandError, match=r"'30\.5\.' is not a day: write it as 2027-05-30\."):
        listed("--from", "30.5.")


def test_costs_the_same_for_any_number_of_bookings(booking: Booking, django_assert_num_queries: Any) -> None:
    a_booking(starts_at=START + timedelta(days=1), tell=False)

    with django_assert_num_queries(3):
        as_json("--money")
