"""Whose time a vessel's is: the rules of a trip, the overlap that is refused, and holds before there is a booking."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta

from django.db import transaction

from bookings.calendar import day_bounds
from bookings.enums import STANDING_TRIPS, BookingStatus, EntryKind, EntryStatus
from bookings.models import Booking, CalendarEntry, Product, Vessel
from bookings.services.refusals import EndsBeforeStart, InThePast, NotWithoutTimes, OverCapacity, TooLong, VesselTaken
from jada.audit.actors import Actor
from jada.audit.services import record

LONGEST = timedelta(days=366)


@dataclass(frozen=True, kw_only=True)
class TripDetails:
    """What a trip is, whoever asks for it. Times are aware; `party_size` None where the channel did not say."""

    vessel: Vessel
    starts_at: datetime
    ends_at: datetime
    party_size: int | None
    guest_name: str = ""
    guest_email: str = ""
    guest_phone: str = ""
    product: Product | None = None
    private_note: str = ""
    public_note: str = ""
    occasion: str = ""

    @classmethod
    def of(cls, booking: Booking) -> TripDetails:
        return cls(**{field.name: getattr(booking, field.name) for field in fields(cls)})


def refuse_overlap(
    vessel: Vessel, start: datetime, blocked_until: datetime, *, at: datetime | None = None, of: Booking | None = None
) -> None:
    """Raise `VesselTaken`, naming what stands there, if the vessel's time [start, blocked_until) is not free.

    With `at`, what has expired by then is let go first.

    PostgreSQL refuses it by constraint as well; on SQLite this check inside BEGIN IMMEDIATE is the guard (ADR 3).
    """
    if at:
        release_expired(at=at, vessel=vessel)
    there = CalendarEntry.objects.blocking().touching(vessel, start, blocked_until).select_related("booking", "vessel")
    other = there.exclude(booking=of).first() if of else there.first()
    if other is None:
        return
    zone = vessel.zone
    begins, ends = other.starts_at.astimezone(zone), other.ends_at.astimezone(zone)
    what = other.booking.ref if other.booking else f"“{other}”"
    guest = f" ({other.booking.guest_name or 'guest'})" if other.booking else ""
    gap = f", and {vessel.turnaround_minutes} minutes of turnaround after a trip" if other.booking else ""
    then = (
        f" from {begins:%A %-d %B %Y, %-I:%M %p} to {ends:%-I:%M %p}{gap}: "
        "choose another time or vessel, or move the other first."
    )
    raise VesselTaken(f"{vessel} is taken by {what}{guest}{then}", nameless=f"{vessel} is taken by {what}{then}")


def release_expired(*, at: datetime, vessel: Vessel | None = None) -> int:
    """Holds and quotes past their date keep no time any more; answers how many were let go.

    Done whenever somebody wants the time, and every minute, so that the calendar shows it too.
    """
    expired = CalendarEntry.objects.blocking().filter(expires_at__lte=at)
    if vessel:
        expired = expired.filter(vessel=vessel)
    holds = expired.filter(booking=None).update(blocks=False, status=EntryStatus.CANCELLED)
    return holds + expired.update(blocks=False)


def check_trip(trip: TripDetails, *, at: datetime, past_ok: bool, status: BookingStatus) -> None:
    """The rules of a trip, each with a sentence. An inquiry may be too large: it is answered, not sailed."""
    if trip.ends_at <= trip.starts_at:
        raise EndsBeforeStart("The trip ends before it begins: check the end, and its date if it ends after midnight.")
    if trip.ends_at - trip.starts_at > LONGEST:
        raise TooLong("It ends more than a year after it starts: check the end, its year first.")
    if trip.starts_at < at and not past_ok:
        local = trip.starts_at.astimezone(trip.vessel.zone)
        raise InThePast(
            f"{local:%A %-d %B %Y, %-I:%M %p} is in the past: correct the date, "
            "or say that the trip really took place then."
        )
    if status not in (*STANDING_TRIPS, BookingStatus.NEEDS_REVIEW) or trip.party_size is None:
        return
    if trip.party_size > trip.vessel.passenger_limit:
        raise OverCapacity(
            f"{trip.vessel} may carry {trip.vessel.passenger_limit} passengers, not {trip.party_size}: "
            "choose a larger vessel or agree on a smaller party."
        )
    if trip.product and trip.product.max_party and trip.party_size > trip.product.max_party:
        raise OverCapacity(
            f"“{trip.product}” is for {trip.product.max_party} guests at the most, not {trip.party_size}: "
            "choose another product."
        )


def lock_vessel(vessel: Vessel) -> None:
    """One writer a vessel: a second one waits here, then sees the first one's entry."""
    Vessel.objects.select_for_update().get(pk=vessel.pk)


# --- holds: time kept before there is a booking ------------------------------------------------------------------------


@transaction.atomic
def hold_day(
    *, vessel: Vessel, day: date, title: str, guest_count: int, by: Actor, at: datetime, past_ok: bool = False
) -> CalendarEntry:
    """Pencil in a day whose times are not known: it spans the vessel's local day and blocks nothing."""
    start, end = day_bounds(day, vessel.zone)
    _check_hold(vessel, start, end, guest_count, at=at, past_ok=past_ok or end > at)
    entry = CalendarEntry(
        vessel=vessel, title=title, guest_count=guest_count, starts_at=start, ends_at=end, blocked_until=end
    )
    entry.blocks, entry.needs_times = False, True
    return _keep_hold(entry, "placed", by=by, at=at)


@transaction.atomic
def hold_time(
    *,
    vessel: Vessel,
    starts_at: datetime,
    ends_at: datetime,
    title: str,
    guest_count: int,
    by: Actor,
    at: datetime,
    past_ok: bool = False,
) -> CalendarEntry:
    """Hold a vessel's time, turnaround included, before there is a booking. Raises `BookingRefused`."""
    _check_hold(vessel, starts_at, ends_at, guest_count, at=at, past_ok=past_ok)
    entry = CalendarEntry(vessel=vessel, title=title, guest_count=guest_count)
    _take_time(entry, starts_at, ends_at, at=at)
    return _keep_hold(entry, "placed", by=by, at=at)


@transaction.atomic
def give_times(
    *, entry: CalendarEntry, starts_at: datetime, ends_at: datetime, by: Actor, at: datetime, past_ok: bool = False
) -> CalendarEntry:
    """Turn a day that was pencilled in into a hold of its vessel's time. Raises `BookingRefused`."""
    lock_vessel(entry.vessel)
    entry = CalendarEntry.objects.select_for_update(of=("self",)).select_related("vessel").get(pk=entry.pk)
    if not entry.needs_times:
        raise NotWithoutTimes(f"“{entry}” has its times: move it in the console, or change its booking.")
    _check_hold(entry.vessel, starts_at, ends_at, entry.guest_count, at=at, past_ok=past_ok)
    _take_time(entry, starts_at, ends_at, at=at)
    return _keep_hold(entry, "timed", by=by, at=at)


def _check_hold(
    vessel: Vessel, start: datetime, end: datetime, guest_count: int | None, *, at: datetime, past_ok: bool
) -> None:
    trip = TripDetails(vessel=vessel, starts_at=start, ends_at=end, party_size=guest_count)
    check_trip(trip, at=at, past_ok=past_ok, status=BookingStatus.CONFIRMED)


def _take_time(entry: CalendarEntry, start: datetime, end: datetime, *, at: datetime) -> None:
    blocked_until = end + entry.vessel.turnaround
    lock_vessel(entry.vessel)
    refuse_overlap(entry.vessel, start, blocked_until, at=at)
    entry.starts_at, entry.ends_at, entry.blocked_until = start, end, blocked_until
    entry.blocks, entry.needs_times = True, False


def _keep_hold(entry: CalendarEntry, act: str, *, by: Actor, at: datetime) -> CalendarEntry:
    entry.kind, entry.status = EntryKind.TENTATIVE, EntryStatus.TENTATIVE
    entry.save()
    detail = {"starts_at": entry.starts_at.isoformat(), "ends_at": entry.ends_at.isoformat()}
    record(act=f"bookings.hold.{act}", subject=f"entry:{entry.public_id}", by=by, at=at, detail=detail)
    return entry
