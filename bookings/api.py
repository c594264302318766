"""The calendar for dashboards: what holds a vessel's time, and a way to hold some. No money, no guest, no contact.

Mounted by `jada.api`, which asks for the dashboard token and turns refusals into answers.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Self

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Header, Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, StringConstraints, model_validator

from bookings import services
from bookings.calendar import day_bounds
from bookings.models import CalendarEntry, Vessel
from bookings.services import BookingRefused
from jada.audit.actors import Actor
from jada.keys import caller
from jada.outbox.requests import once

router = Router(tags=["calendar"])

AHEAD = timedelta(days=90)  # how far a dashboard looks when it does not say
WIDEST = timedelta(days=366)

# Bounded, so that every local midnight exists as an instant; control characters are refused by PostgreSQL anyway.
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC))]
Key = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,50}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")]


class UnknownVessel(BookingRefused):
    """No vessel has this key. The sentence names those there are."""


class PeriodUnclear(BookingRefused):
    """Start, end, duration and date do not make one period. The sentence says what is missing or contradicts."""


class Period(Schema):
    """When: `start` on the wall at the dock or `starts_at` as an instant; `duration_hours` or `ends_at`."""

    model_config = ConfigDict(extra="forbid")

    start: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = Field(
        None, description="the vessel's local time, such as 13:30"
    )
    starts_at: Instant | None = Field(None, description="instead of start: an instant with its offset")
    duration_hours: Decimal | None = Field(None, gt=0, le=720, decimal_places=2)
    ends_at: Instant | None = Field(None, description="instead of duration_hours")
    past_ok: bool = Field(default=False, description="yes, it really took place then")

    @model_validator(mode="after")
    def one_way_of_saying_it(self) -> Self:
        if self.start and self.starts_at:
            raise ValueError("give start or starts_at, not both")
        if self.duration_hours and self.ends_at:
            raise ValueError("give duration_hours or ends_at, not both")
        return self


class NewHold(Period):
    date: Day = Field(description="the vessel's local date")
    charter_type: Annotated[Text, StringConstraints(min_length=1, max_length=60)] = Field(
        description="what it is for, in the operator's words: birthday, ash scattering"
    )
    guest_count: int = Field(ge=1, le=1000)
    vessel: Key | None = Field(None, description="its key; the main vessel when not given")
    title: Annotated[Text, StringConstraints(max_length=120)] = ""


class Entry(Schema):
    """One thing in the calendar. `title` is a trip's reference or a hold's own title, never a guest's name."""

    id: str
    vessel: str
    kind: str
    status: str
    title: str
    date: date
    starts_at: datetime
    ends_at: datetime
    needs_times: bool
    guest_count: int | None

    @classmethod
    def of(cls, entry: CalendarEntry) -> Entry:
        zone = entry.vessel.zone
        start, end = entry.starts_at.astimezone(zone), entry.ends_at.astimezone(zone)
        return cls(
            id=entry.public_id,
            vessel=entry.vessel.key,
            kind=entry.kind,
            status=entry.status,
            title=entry.booking.ref if entry.booking else entry.title,
            date=start.date(),
            starts_at=start,
            ends_at=end,
            needs_times=entry.needs_times,
            guest_count=entry.guest_count,
        )


class Held(Entry):
    """A hold that was made or timed. `message` says what it still needs, "" when nothing."""

    message: str


class Calendar(Schema):
    first_day: date
    last_day: date
    entries: list[Entry]


@router.get("/calendar", response=Calendar, summary="What holds the vessels' time")
def read_calendar(
    request: HttpRequest,
    first: Annotated[Day | None, Query(alias="from", description="local date; today when not given")] = None,
    last: Annotated[Day | None, Query(alias="to", description="local date, included; 90 days on by default")] = None,
    vessel: Annotated[Key | None, Query(description="only the vessel with this key")] = None,
) -> Calendar:
    only = vessel_of(vessel) if vessel else None
    zone = only.zone if only else timezone.get_default_timezone()
    first = first or timezone.now().astimezone(zone).date()
    last = last or first + AHEAD
    if not first <= last <= first + WIDEST:
        raise PeriodUnclear(f"Ask for 1 to {WIDEST.days} days: “to” is the last day, on or after “from”.")
    entries = CalendarEntry.objects.on_days(day_bounds(first, zone)[0], day_bounds(last, zone)[1])
    if only:
        entries = entries.filter(vessel=only)
    found = entries.select_related("vessel", "booking").order_by("starts_at", "pk")
    return Calendar(first_day=first, last_day=last, entries=[Entry.of(entry) for entry in found])


@router.post("/calendar", response={201: Held}, summary="Hold a vessel's time, or pencil in a day")
def place_hold(
    request: HttpRequest, payload: NewHold, idempotency_key: Annotated[str, Header(max_length=200)] = ""
) -> Status[dict[str, Any]]:
    """With times the hold blocks its vessel, turnaround included. Without, it is a day's note that `needs_times`."""
    kid = caller(request).kid

    def act() -> tuple[int, dict[str, Any]]:
        return 201, _answer(_place(payload, by=Actor.service(kid), at=timezone.now()))

    asked = payload.model_dump(mode="json")
    return Status(*once(scope=f"cal:{kid}", key=idempotency_key, request=asked, act=act))


@router.patch("/calendar/{entry_id}", response=Held, summary="Give a pencilled day its times")
def time_hold(request: HttpRequest, entry_id: str, payload: Period) -> dict[str, Any]:
    entry = _entry(entry_id)
    day = entry.starts_at.astimezone(entry.vessel.zone).date()
    times = _times(payload, day, entry.vessel)
    if times is None:
        raise PeriodUnclear("Say when it starts: start (13:30, at the dock) or starts_at (an instant).")
    by, at = Actor.service(caller(request).kid), timezone.now()
    timed = services.give_times(
        entry=entry, starts_at=times[0], ends_at=times[1], by=by, at=at, past_ok=payload.past_ok
    )
    return _answer(timed)


def _place(asked: NewHold, *, by: Actor, at: datetime) -> CalendarEntry:
    vessel = vessel_of(asked.vessel)
    title = asked.title or asked.charter_type
    times = _times(asked, asked.date, vessel)
    if times is None:
        return services.hold_day(
            vessel=vessel,
            day=asked.date,
            title=title,
            guest_count=asked.guest_count,
            by=by,
            at=at,
            past_ok=asked.past_ok,
        )
    return services.hold_time(
        vessel=vessel,
        starts_at=times[0],
        ends_at=times[1],
        title=title,
        guest_count=asked.guest_count,
        by=by,
        at=at,
        past_ok=asked.past_ok,
    )


def _answer(entry: CalendarEntry) -> dict[str, Any]:
    """As JSON, because an answer may be kept and given again."""
    missing = (
        f"This day is only pencilled in and blocks nothing. Give it a start and an end: PATCH /api/calendar/"
        f"{entry.public_id}, or in the console."
    )
    held = Held(**Entry.of(entry).model_dump(), message=missing if entry.needs_times else "")
    return held.model_dump(mode="json")


def _times(asked: Period, day: date, vessel: Vessel) -> tuple[datetime, datetime] | None:
    """The period asked for, None when no time was said. A time that does not exist at the dock moves as clocks do."""
    start = asked.starts_at
    if asked.start:
        start = datetime.combine(day, time.fromisoformat(asked.start), vessel.zone)
    if start is None:
        if asked.ends_at or asked.duration_hours:
            raise PeriodUnclear("An end or a duration needs a start: add start (13:30, at the dock) or starts_at.")
        return None
    if start.astimezone(vessel.zone).date() != day:
        raise PeriodUnclear(f"starts_at is not on {day:%-d %B %Y} at {vessel}'s dock: correct one of the two.")
    if asked.duration_hours:
        return start, start.astimezone(UTC) + timedelta(hours=float(asked.duration_hours))
    if asked.ends_at is None:
        raise PeriodUnclear("Say when it ends: add duration_hours or ends_at.")
    if asked.ends_at > start + WIDEST:
        raise PeriodUnclear("It ends more than a year after it starts: correct ends_at.")
    return start, asked.ends_at


def vessel_of(key: str | None) -> Vessel:
    """The active vessel with this key, the main one without; or `UnknownVessel`."""
    active = Vessel.objects.filter(active=True).order_by("order", "name")
    found = active.filter(key=key).first() if key else active.first()
    if found is None:
        keys = ", ".join(active.values_list("key", flat=True)) or "none yet"
        raise UnknownVessel(f"There is no vessel with the key “{key or ''}”: the vessels are {keys}.")
    return found


def _entry(public_id: str) -> CalendarEntry:
    if not re.fullmatch(r"[0-9A-Z]{1,16}", public_id):
        raise Http404
    entry = CalendarEntry.objects.select_related("vessel", "booking").filter(public_id=public_id).first()
    if entry is None:
        raise Http404
    return entry
