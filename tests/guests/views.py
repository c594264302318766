"""A page's view with every field filled in, so that a test can look for what must not be there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from guests.page import Dock, GuestPageView
from guests.phases import Phase
from tests.guests.instants import DOCK, dock

START = dock("2026-12-05 14:30")

FULL = GuestPageView(
    code="XHQGMDH",
    base_url="https://queenofsandiego.com",
    vessel="JADA",
    zone=DOCK.key,
    starts_at=START,
    ends_at=START + timedelta(hours=3),
    arrive_at=START - timedelta(minutes=20),
    phase=Phase.BOOKED,
    revision=2,
    revised_at=dock("2026-11-01 09:00"),
    first_name="Maya",
    party_size=6,
    dock=Dock(
        name="Harbor Island, dock B",
        address="1880 Harbor Island Drive, San Diego",
        directions="Free parking in lot 2. Look for the white hull at slip 12.",
        latitude=32.7246,
        longitude=-117.209,
        phone="+1 619 555 0100",
    ),
    gate_code="4417#",
    captain="Ana",
    crew=("Leo",),
    held_until=dock("2026-11-27 18:00"),
    moved_from=dock("2026-12-05 16:30"),
    moved_until=dock("2026-12-01 10:00"),
)


def full(phase: Phase = Phase.BOOKED, **changes: Any) -> GuestPageView:
    return replace(FULL, phase=phase, **changes)
