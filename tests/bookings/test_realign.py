"""The calendar brought back to its trips, after one of the two was changed past the program."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from bookings.enums import EntryStatus
from bookings.models import Booking, CalendarEntry
from bookings.services import VesselTaken, astray, realign_entry
from crew.models import CrewEvent
from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from jada.mail.models import Message
from tests.factories.bookings import NOW, START, a_booking

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def moved_behind_our_back(booking: Booking, by: timedelta) -> Booking:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE bookings_booking SET starts_at = %s, ends_at = %s WHERE id = %s",
            [booking.starts_at + by, booking.ends_at + by, booking.pk],
        )
    return Booking.objects.get(pk=booking.pk)


def entry_of(booking: Booking) -> CalendarEntry:
    return CalendarEntry.objects.select_related("vessel").get(booking=booking)


def test_a_trip_and_its_entry_agree_from_the_start() -> None:
    booking = a_booking()

    assert astray(booking, entry_of(booking)) == {}
    assert realign_entry(booking=booking, by=SYSTEM, at=NOW) == frozenset()
    assert not Event.objects.filter(act="bookings.entry.realigned").exists()


def test_the_entry_follows_the_trip_with_its_turnaround() -> None:
    booking = moved_behind_our_back(a_booking(), HOUR)

    assert realign_entry(booking=booking, by=SYSTEM, at=NOW) == {"starts_at", "ends_at"}

    entry = entry_of(booking)
    assert (entry.starts_at, entry.blocked_until) == (START + HOUR, booking.ends_at + booking.vessel.turnaround)


def test_crew_and_page_follow_and_nobody_is_mailed() -> None:
    booking = moved_behind_our_back(a_booking(guest_email="dana@guest.example"), HOUR)
    mails = Message.objects.count()

    realign_entry(booking=booking, by=SYSTEM, at=NOW)

    call = timedelta(minutes=booking.vessel.call_minutes)
    assert CrewEvent.objects.get(booking=booking).call_at == START + HOUR - call
    assert GuestPage.objects.get(booking=booking).starts_at == START + HOUR
    assert Message.objects.count() == mails


def test_the_history_says_what_the_calendar_had_and_what_it_has() -> None:
    booking = moved_behind_our_back(a_booking(), HOUR)

    realign_entry(booking=booking, by=SYSTEM, at=NOW)

    detail = Event.objects.get(act="bookings.entry.realigned").detail
    assert detail["starts_at"] == [START.isoformat(), (START + HOUR).isoformat()]


def test_an_entry_that_was_deleted_comes_back() -> None:
    booking = a_booking()
    CalendarEntry.objects.filter(booking=booking).delete()

    realign_entry(booking=booking, by=SYSTEM, at=NOW)

    assert entry_of(booking).status == EntryStatus.CONFIRMED


def test_a_time_that_somebody_else_has_by_now_is_refused_and_nothing_changes() -> None:
    booking = a_booking()
    a_booking(vessel=booking.vessel, starts_at=START + 5 * HOUR, guest_name="Other Trip")
    booking = moved_behind_our_back(booking, 5 * HOUR)

    with pytest.raises(VesselTaken):
        realign_entry(booking=booking, by=SYSTEM, at=NOW)

    assert entry_of(booking).starts_at == START
