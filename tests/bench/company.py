"""A company large enough for the load: vessels that each have a captain, and a trip a day for each of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bookings.models import Booking, Vessel

DAYS = 200  # of trips for one vessel


def lay_out(trips: int) -> list[Vessel]:
    """Enough vessels for so many trips, with one captain, a checklist, and a requirement of one captain each."""
    from tests.factories.crew import captain, crewed_vessel, day_checklist

    day_checklist()
    fleet = []
    for number in range(trips // DAYS + 1):
        fleet.append(crewed_vessel(mates=0, hosts_over_12=0))
        captain(f"captain-{number}")
    return fleet


def book_trip(fleet: list[Vessel], number: int) -> Booking:
    """The booking of a charter for three, with everything that follows; the answer comes after its COMMIT."""
    from django.utils.timezone import now

    from bookings.services import TripDetails, book
    from jada.audit.actors import SYSTEM

    at = now()
    starts_at = (at + timedelta(days=2 + number % DAYS)).replace(hour=20, minute=0, second=0, microsecond=0)
    trip = TripDetails(
        vessel=fleet[number // DAYS],
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=3),
        party_size=3,
        guest_name="Dana Whit",
        guest_email=f"guest-{number}@example.com",
    )
    return book(channel="boatsetter", external_id=f"bench-{number}", trip=trip, by=SYSTEM, at=at)
