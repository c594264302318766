import pytest

from bookings.models import Booking, CalendarEntry
from bookings.services import VesselTaken
from tests.factories.bookings import VesselFactory, a_booking

pytestmark = pytest.mark.django_db


def test_a_booking_has_its_calendar_entry_with_turnaround() -> None:
    booking = a_booking()

    entry = CalendarEntry.objects.get(booking=booking)
    assert entry.blocks
    assert entry.blocked_until - booking.ends_at == booking.vessel.turnaround


def test_an_overlap_names_the_other_booking() -> None:
    vessel = VesselFactory()
    first = a_booking(vessel=vessel)

    with pytest.raises(VesselTaken, match=first.ref):
        a_booking(vessel=vessel)

    assert Booking.objects.count() == 1
