"""Two messages at one instant are as good as one after the other. On PostgreSQL the vessel's row keeps them apart, on
SQLite the write lock that every transaction begins with.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from bookings.enums import BookingStatus
from bookings.intake.models import IntakeEvent, IntakeMessage
from bookings.intake.services import Accepted
from bookings.models import Booking
from tests.bookings.intake.samples import edited
from tests.bookings.intake.test_services import APPROVED, CANCELLED, cancelling
from tests.factories.intake import arrives, fleet
from tests.meanwhile import meanwhile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def together(*acts: Callable[[], Accepted]) -> list[Accepted]:
    start = Barrier(len(acts))

    def run(act: Callable[[], Accepted]) -> Accepted:
        start.wait(timeout=10)
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_the_same_bytes_twice_at_once_are_one_message() -> None:
    fleet()

    accepted = together(*[lambda: arrives(APPROVED)] * 3)

    assert sorted(one.fresh for one in accepted) == [False, False, True]
    assert (IntakeMessage.objects.count(), IntakeEvent.objects.count(), Booking.objects.count()) == (1, 1, 1)


def test_a_booking_and_its_cancellation_at_once_are_a_cancelled_booking() -> None:
    fleet()
    cancellation = cancelling(CANCELLED, "tfwpbnx", "Sat, 01 Jun 2024 10:00:00 -0700")

    together(lambda: arrives(APPROVED), lambda: arrives(cancellation))

    assert Booking.objects.get().status == BookingStatus.CANCELLED
    assert IntakeEvent.objects.count() == 2


def test_a_cancellation_that_names_no_known_listing_waits_for_its_booking_too() -> None:
    fleet()
    known = cancelling(CANCELLED, "tfwpbnx", "Sat, 01 Jun 2024 10:00:00 -0700")
    cancellation = known.replace(b"Marisol 38 ft", b"Marisol 39 ft")

    meanwhile(lambda: arrives(APPROVED), lambda: arrives(cancellation))

    assert known != cancellation
    assert Booking.objects.get().status == BookingStatus.CANCELLED


def test_one_notice_in_two_forms_at_once_is_one_booking() -> None:
    fleet()
    again = edited(APPROVED)

    together(lambda: arrives(APPROVED), lambda: arrives(again))

    assert (IntakeEvent.objects.count(), Booking.objects.count()) == (1, 1)
