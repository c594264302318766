"""What the database refuses, whoever writes."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, connections, transaction

from bookings.models import Booking, CalendarEntry
from bookings.services import VesselTaken
from tests.factories.bookings import NOW, START, VesselFactory, a_booking

HOUR = timedelta(hours=1)


@pytest.mark.django_db
class TestTheDatabaseRefuses:
    def test_a_trip_that_ends_before_it_begins(self) -> None:
        booking = a_booking()
        booking.ends_at = booking.starts_at

        with pytest.raises(IntegrityError, match="booking_ends_after_start"), transaction.atomic():
            booking.save()

    def test_a_party_of_none(self) -> None:
        booking = a_booking()
        booking.party_size = 0

        with pytest.raises(IntegrityError, match="booking_party_of_one_or_more"), transaction.atomic():
            booking.save()

    def test_a_cancellation_without_a_name(self) -> None:
        booking = a_booking()
        booking.cancelled_at = NOW

        with pytest.raises(IntegrityError, match="booking_cancelled_at_and_by"), transaction.atomic():
            booking.save()

    def test_two_bookings_of_one_channel_id(self) -> None:
        booking = a_booking(external_id="abc")
        booking.pk, booking.ref, booking.public_id = None, "J-9", "OTHER"
        booking._state.adding = True
        booking.external_id = "#ABC"

        with pytest.raises(IntegrityError), transaction.atomic():
            booking.save()

    def test_an_entry_blocked_less_than_it_lasts(self) -> None:
        entry = CalendarEntry.objects.get(booking=a_booking())
        entry.blocked_until = entry.ends_at - HOUR

        with pytest.raises(IntegrityError, match="entry_blocked_to_its_end"), transaction.atomic():
            entry.save()

    @pytest.mark.postgres
    def test_an_overlap_that_no_service_looked_at(self) -> None:
        vessel = VesselFactory()
        a_booking(vessel=vessel)

        with pytest.raises(IntegrityError, match="entry_no_overlap_on_a_vessel"), transaction.atomic():
            CalendarEntry.objects.create(
                vessel=vessel, starts_at=START + HOUR, ends_at=START + 2 * HOUR, blocked_until=START + 2 * HOUR
            )


@pytest.mark.django_db
def test_bulk_writes_on_bookings_are_refused_because_they_tell_nobody() -> None:
    a_booking()

    with pytest.raises(RuntimeError, match="through bookings.services"):
        Booking.objects.update(party_size=2)
    with pytest.raises(RuntimeError, match="through bookings.services"):
        Booking.objects.bulk_create([])


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_book_one_slot_at_once_exactly_one_wins() -> None:
    vessel = VesselFactory()
    answers: list[str] = []
    together = threading.Barrier(2)

    def book(name: str) -> None:
        try:
            together.wait(10)
            a_booking(vessel=vessel, guest_name=name)
            answers.append("booked")
        except VesselTaken as refusal:
            answers.append(str(refusal))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=book, args=[name]) for name in ("Ana", "Leo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(a == "booked" for a in answers) == [False, True]
    assert Booking.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_booking_from_eight_sides_at_once_is_one_booking() -> None:
    vessel = VesselFactory()
    made: list[int] = []
    together = threading.Barrier(8)

    def book() -> None:
        try:
            together.wait(10)
            made.append(a_booking(vessel=vessel, external_id="kqvmztr").pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=book) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(made) == 8
    assert set(made) == {Booking.objects.get().pk}


def test_sqlite_takes_the_write_lock_before_the_first_read() -> None:
    """The guard of the embedded database: check-then-write inside one transaction is safe only with it."""
    if connection.vendor == "sqlite":
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
