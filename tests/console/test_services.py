from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bookings.finance.services import record_amounts
from bookings.models import Booking
from bookings.services import TripDetails, amend_booking, cancel_booking
from jada.audit.actors import SYSTEM
from jada.mail.models import Message
from jada.outbox import host
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import NOW, START, a_booking

pytestmark = pytest.mark.django_db


def to_ops() -> list[Message]:
    return list(Message.objects.filter(recipient="ops").order_by("pk"))


def with_gross(gross: str) -> Booking:
    def money(booking: Booking) -> None:
        record_amounts(booking_id=booking.pk, gross=Decimal(gross), by=SYSTEM, at=NOW)

    return a_booking(also=money)


def test_the_manager_is_told_what_was_booked_with_links_and_margin() -> None:
    booking = with_gross("840.75")

    (message,) = to_ops()
    assert message.kind == "ops.booked"
    assert message.has_money
    assert message.values["money"]["gross"] == "840.75"
    assert message.values["guest_url"].startswith("https://queenofsandiego.com/g/")
    assert message.values["console_url"].endswith(f"/admin/bookings/booking/{booking.pk}/change/")


def test_what_is_missing_is_flagged_at_once() -> None:
    a_booking(party_size=None)

    assert to_ops()[0].values["missing"] == [
        "the guest's e-mail",
        "the guest's telephone",
        "the number of guests",
    ]


def test_a_change_before_the_first_mail_left_is_told_in_it() -> None:
    booking = a_booking()
    later = replace(TripDetails.of(booking), starts_at=START + timedelta(hours=1), ends_at=START + timedelta(hours=4))

    amend_booking(booking=booking, trip=later, by=SYSTEM, at=NOW + timedelta(minutes=1))

    first, second = to_ops()
    assert (first.state, second.state) == (State.CANCELLED, State.PENDING)
    assert second.kind == "ops.booked"
    assert second.values["time"] == "2:00 PM to 5:00 PM"


def test_a_change_of_contacts_is_no_news() -> None:
    booking = a_booking()

    amend_booking(booking=booking, trip=replace(TripDetails.of(booking), guest_phone="+16195550100"), by=SYSTEM, at=NOW)

    assert len(to_ops()) == 1


def test_a_cancellation_says_why() -> None:
    booking = a_booking()
    cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW + timedelta(minutes=1))

    assert [(m.kind, m.values["reason"]) for m in to_ops()][-1] == ("ops.cancelled", "weather")


def test_nobody_is_told_of_a_trip_that_is_over() -> None:
    a_booking(starts_at=NOW - timedelta(days=3), past_ok=True)

    assert to_ops() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["booked", "changed", "cancelled"])
def test_every_mail_to_the_manager_can_be_read(act: str, stack: dict[str, str], mailoutbox: list[object]) -> None:
    booking = with_gross("840.75")
    host.drain()
    if act == "changed":
        changed = replace(TripDetails.of(booking), party_size=4)
        amend_booking(booking=booking, trip=changed, by=SYSTEM, at=NOW + timedelta(minutes=1))
    if act == "cancelled":
        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW + timedelta(minutes=1))
    host.drain()

    message = to_ops()[-1]
    assert message.kind == f"ops.{act}"
    assert message.state == State.DONE, Effect.objects.get(fact=message.fact).last_error
    assert "Dana Whit" in message.text
    assert "Dana Whit" in message.html
