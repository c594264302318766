"""The fleet calendar: vessels by days, everything a link. The same entries as an agenda for a phone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Exists, OuterRef, Q
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from bookings.enums import BookingStatus, EntryKind, EntryStatus
from bookings.models import CalendarEntry, Vessel
from crew.enums import AssignmentStatus, EventStatus
from crew.models import Assignment, Place

RANGES = (7, 14, 31)
USUAL = 14
LONGEST = timedelta(days=62)  # an entry that spans more is shown on the days asked for, not on more


@dataclass(frozen=True)
class Asked:
    """What the address asks for; anything unreadable means today, two weeks, every vessel."""

    first: date
    length: int
    vessel: str = ""

    @classmethod
    def of(cls, query: QueryDict, today: date) -> Asked:
        try:
            first = date.fromisoformat(query.get("from", ""))
        except ValueError:
            first = today
        if not 2000 <= first.year < 2100:
            first = today
        days = query.get("days", "")
        length = int(days) if days.isascii() and days.isdecimal() and len(days) < 3 else USUAL
        return cls(first, length if length in RANGES else USUAL, query.get("vessel", "")[:50])

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range(self.length)]


@dataclass(frozen=True)
class Block:
    """One entry on one day, as it is drawn: `look` is trip, hold, review or grey."""

    url: str
    vessel: str
    hours: str
    title: str
    look: str
    word: str
    missing: int
    starts_at: datetime


@dataclass(frozen=True)
class Cell:
    day: date
    add_url: str
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    vessel: Vessel
    cells: list[Cell]


@dataclass(frozen=True)
class AgendaDay:
    day: date
    blocks: list[Block]


@dataclass(frozen=True)
class Fleet:
    asked: Asked
    rows: list[Row]
    agenda: list[AgendaDay]


def fleet(asked: Asked) -> Fleet:
    """Three queries: vessels, entries, and how many places of each trip nobody has confirmed."""
    every = Vessel.objects.filter(active=True)
    vessels = list(every.filter(key=asked.vessel) if asked.vessel else every)
    entries = list(_entries(vessels, asked))
    missing = _missing([e.booking_id for e in entries if e.booking_id])
    rows = [Row(v, [_cell(v, day, entries, missing) for day in asked.days]) for v in vessels]
    agenda = [AgendaDay(day, _in_order(row.cells[n] for row in rows)) for n, day in enumerate(asked.days)]
    return Fleet(asked, rows, agenda)


def _in_order(cells: Iterable[Cell]) -> list[Block]:
    return sorted((block for cell in cells for block in cell.blocks), key=lambda block: block.starts_at)


def _entries(vessels: list[Vessel], asked: Asked) -> Iterable[CalendarEntry]:
    # A day's width more on both sides: each vessel has its own midnight.
    start = datetime.combine(asked.first, time.min, timezone.get_default_timezone()) - timedelta(days=1)
    end = start + timedelta(days=asked.length + 2)
    on_days = CalendarEntry.objects.on_days(start, end).filter(vessel__in=vessels)
    return on_days.select_related("booking", "vessel").order_by("starts_at", "pk")


def _missing(bookings: list[int]) -> dict[int, int]:
    said_yes = Assignment.objects.filter(place=OuterRef("pk"), status=AssignmentStatus.ACCEPTED)
    places = Place.objects.filter(event__booking__in=bookings, event__status=EventStatus.OPEN)
    counted = places.values("event__booking").annotate(n=Count("pk", filter=~Q(Exists(said_yes))))
    return dict(counted.order_by().values_list("event__booking", "n"))


def _cell(vessel: Vessel, day: date, entries: list[CalendarEntry], missing: dict[int, int]) -> Cell:
    blocks = [
        _block(entry, day, missing.get(entry.booking_id or 0, 0))
        for entry in entries
        if entry.vessel_id == vessel.pk and _touches(entry, day)
    ]
    add_url = f"{reverse('admin:bookings_booking_add')}?vessel={vessel.pk}&date={day.isoformat()}"
    return Cell(day, add_url, blocks)


def _touches(entry: CalendarEntry, day: date) -> bool:
    zone = entry.vessel.zone
    last = (entry.ends_at - timedelta(microseconds=1)).astimezone(zone).date()
    return entry.starts_at.astimezone(zone).date() <= day <= last


def _block(entry: CalendarEntry, day: date, missing: int) -> Block:
    start, end = entry.starts_at.astimezone(entry.vessel.zone), entry.ends_at.astimezone(entry.vessel.zone)
    look, word = _look(entry)
    return Block(
        url=_url(entry),
        vessel=entry.vessel.name,
        hours=_hours(start, end, day),
        title=str(entry),
        look=look,
        word=word,
        missing=missing if look == "trip" else 0,
        starts_at=entry.starts_at,
    )


def _look(entry: CalendarEntry) -> tuple[str, str]:
    """How it is drawn and the word beside it; a word always says what the drawing means."""
    if entry.booking and entry.booking.status == BookingStatus.NEEDS_REVIEW:
        return "review", "Needs review"
    if entry.booking and not entry.booking.is_standing:
        return "hold", entry.booking.get_status_display()
    if entry.needs_times:
        return "hold", "Needs times"
    if entry.kind == EntryKind.CHARTER:
        return "trip", ""
    return ("hold" if entry.status == EntryStatus.TENTATIVE else "grey"), entry.get_kind_display()


def _hours(start: datetime, end: datetime, day: date) -> str:
    """What the day shows of an entry that may have begun before it or end after it."""
    whole_from_here = start.date() < day or start.time() == time.min
    if whole_from_here and end.date() > day:
        return "all day"
    return f"until {_hour(end)}" if start.date() < day else _hour(start)


def _hour(at: datetime) -> str:
    return f"{at:%-I %p}" if at.minute == 0 else f"{at:%-I:%M %p}"


def _url(entry: CalendarEntry) -> str:
    if entry.booking_id:
        return reverse("admin:bookings_booking_change", args=[entry.booking_id])
    return reverse("admin:bookings_calendarentry_change", args=[entry.pk])
