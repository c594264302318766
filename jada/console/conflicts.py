"""What stands in each other's way on the calendar, trips with their crews and holds together."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from bookings.calendar import Conflict, Taken, conflicts
from bookings.models import CalendarEntry
from crew.models import Assignment


def find_conflicts(start: datetime, end: datetime) -> list[Conflict]:
    """The conflicts of everything that touches [start, end): two queries. Days without times are in nobody's way."""
    found = CalendarEntry.objects.on_days(start, end).filter(needs_times=False)
    entries = list(found.select_related("vessel", "booking", "series").order_by("starts_at", "pk"))
    aboard = _aboard([entry.booking_id for entry in entries if entry.booking_id])
    return conflicts(_taken(entry, aboard) for entry in entries)


def _aboard(bookings: list[int]) -> dict[int, set[str]]:
    """The keys of everybody who is confirmed, invited or pencilled in, by booking."""
    rows = Assignment.objects.on_open_events().live().filter(event__booking__in=bookings)
    crews: dict[int, set[str]] = defaultdict(set)
    for booking_id, key in rows.values_list("event__booking_id", "member__key"):
        crews[booking_id].add(key)
    return crews


def _taken(entry: CalendarEntry, aboard: dict[int, set[str]]) -> Taken:
    return Taken(
        name=entry.booking.ref if entry.booking else entry.series.key if entry.series else str(entry),
        vessel=entry.vessel.key,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        is_hold=entry.booking is None,
        turnaround=entry.blocked_until - entry.ends_at,
        crew=frozenset(aboard.get(entry.booking_id or 0, ())),
    )
