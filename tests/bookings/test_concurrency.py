"""Two acts on the calendar at one instant: the second one waits, and then finds what the first one left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookings.enums import BookingStatus
from bookings.models import Booking
from bookings.services import TripDetails, amend_booking, cancel_booking
from jada.audit.actors import SYSTEM
from tests.factories.bookings import NOW, START, VesselFactory, a_booking
from tests.meanwhile import meanwhile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_a_cancellation_while_the_office_moves_the_trip_to_another_vessel_cancels_it() -> None:
    booking = a_booking()
    as_known, moved = Booking.objects.get(), replace(TripDetails.of(booking), vessel=VesselFactory())

    meanwhile(
        lambda: amend_booking(booking=booking, trip=moved, by=SYSTEM, at=NOW),
        lambda: cancel_booking(booking=as_known, reason="Cancelled on Boatsetter", by=SYSTEM, at=NOW),
    )

    assert Booking.objects.get().status == BookingStatus.CANCELLED


def test_a_file_of_bookings_and_one_booking_on_its_second_vessel_are_no_deadlock() -> None:
    first, second = VesselFactory(), VesselFactory()

    meanwhile(
        lambda: a_booking(vessel=first),
        lambda: a_booking(vessel=second, guest_name="Noor Haddad"),
        last=lambda: a_booking(vessel=second, starts_at=START + timedelta(days=3)),
    )

    assert all(booking.ref == f"J-{booking.pk:04d}" for booking in Booking.objects.all())
    assert Booking.objects.count() == 3
