"""What can be done with a booking: each act is one function, one transaction, one named actor.

An act writes its rows, its history and announces itself by `booking_changed`; what follows from it (crew, guest page,
mails) is written by the receivers in the same transaction. Nothing here speaks to a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction

from bookings.calendar import day_bounds
from bookings.enums import STANDING_TRIPS, BookingStatus, EntryKind, EntryStatus, PaymentState
from bookings.models import Booking, CalendarEntry, Product, Vessel
from bookings.signals import booking_changed
from jada.audit.actors import Actor
from jada.audit.services import record

# What people act on: a change of one of these raises the revision and is told.
MATERIAL = frozenset({"vessel", "starts_at", "ends_at", "party_size", "status"})
# What history shows as it was; the other fields are named without their content (contacts, notes).
SHOWN = frozenset({"vessel", "starts_at", "ends_at", "party_size", "product", "occasion"})
LONGEST = timedelta(days=366)

Also = Callable[[Booking], None]


class BookingRefused(Exception):
    """The booking cannot be so. Its text is a sentence for the person or system that asked; nothing was changed."""


class VesselTaken(BookingRefused):
    """The vessel's time is taken, turnaround included. The sentence names what stands there.

    `nameless` says the same without the other guest's name: for systems outside.
    """

    def __init__(self, sentence: str, nameless: str = "") -> None:
        super().__init__(sentence)
        self.nameless = nameless or sentence


class OverCapacity(BookingRefused):
    """More guests than the vessel may carry (46 CFR 24.10-1; 175.400) or the product allows."""


class InThePast(BookingRefused):
    """The trip would start before now. Say `past_ok` when it really took place then."""


class EndsBeforeStart(BookingRefused):
    """The trip ends before it begins."""


class TooLong(BookingRefused):
    """The trip or hold would take its vessel for longer than `LONGEST`: a mistyped year, or worse."""


class AlreadyCancelled(BookingRefused):
    """A cancelled booking is not changed; it is booked anew."""


class NotWithoutTimes(BookingRefused):
    """Only a hold that has no times yet is given some; a trip is changed through its booking."""


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


@transaction.atomic
def book(
    *,
    channel: str,
    trip: TripDetails,
    by: Actor,
    at: datetime,
    external_id: str = "",
    given_code: str = "",
    ref: str = "",
    status: BookingStatus = BookingStatus.CONFIRMED,
    past_ok: bool = False,
    tell: bool = True,
    also: Also | None = None,
) -> Booking:
    """Make a booking and everything that follows from it, or raise `BookingRefused` and make nothing.

    The same (channel, external id) again answers the booking that is there, unchanged. `also` runs before the booking
    is announced: the caller writes the money there. `tell=False` makes everything and tells nobody.
    """
    if existing := find_booking(channel=channel, external_id=external_id):
        return existing
    _check(trip, at=at, past_ok=past_ok, status=status)
    _lock(trip.vessel)
    booking = Booking(
        channel=channel,
        external_id=external_id,
        given_code=given_code.upper(),
        ref=ref,
        status=status,
        booked_at=at,
        **_values(trip),
    )
    try:
        with transaction.atomic():
            booking.save()
    except IntegrityError:  # the same booking, committed by somebody else while we waited for the vessel
        if existing := find_booking(channel=channel, external_id=external_id):
            return existing
        raise
    if not booking.ref:
        booking.ref = f"J-{booking.pk:04d}"
        booking.save(update_fields=["ref"])
    _place(booking)
    return _announce(booking, "booked", changed=frozenset(), by=by, at=at, tell=tell, also=also)


@transaction.atomic
def amend_booking(
    *,
    booking: Booking,
    trip: TripDetails,
    by: Actor,
    at: datetime,
    reason: str = "",
    past_ok: bool = False,
    tell: bool = True,
    also: Also | None = None,
) -> Booking:
    """Change what differs; a trip that is the same already is left alone (but `also` runs). Raises `BookingRefused`."""
    booking = _locked(booking, trip.vessel)
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled(f"{booking.ref} is cancelled: book the trip anew instead of changing it.")
    values = _values(trip)
    changed = {name for name, value in values.items() if getattr(booking, name) != value}
    if not changed:
        if also:
            also(booking)
        return booking
    moved = changed & {"starts_at", "ends_at", "vessel"}
    _check(trip, at=at, past_ok=past_ok or "starts_at" not in changed, status=BookingStatus(booking.status))
    detail = _differences(booking, values, changed)
    for name in changed:
        setattr(booking, name, values[name])
    if changed & MATERIAL:
        booking.revision += 1
    booking.save()
    if moved or "guest_name" in changed or "party_size" in changed:
        _place(booking)
    if reason:
        detail["reason"] = reason
    return _announce(booking, "amended", changed=frozenset(changed), by=by, at=at, tell=tell, also=also, detail=detail)


@transaction.atomic
def confirm_booking(*, booking: Booking, by: Actor, at: datetime, also: Also | None = None) -> Booking:
    """Turn an inquiry, a quote or a booking under review into a promise: it takes the vessel's time now."""
    booking = _locked(booking, booking.vessel)
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled(f"{booking.ref} is cancelled: book the trip anew.")
    if booking.is_standing:
        return booking
    before = booking.status
    _check(TripDetails.of(booking), at=at, past_ok=False, status=BookingStatus.CONFIRMED)
    booking.status = BookingStatus.CONFIRMED
    booking.revision += 1
    booking.save()
    _place(booking)
    detail = {"status": [before, booking.status]}
    return _announce(
        booking, "amended", changed=frozenset({"status"}), by=by, at=at, tell=True, also=also, detail=detail
    )


@transaction.atomic
def cancel_booking(
    *, booking: Booking, reason: str, by: Actor, at: datetime, tell: bool = True, also: Also | None = None
) -> Booking:
    """Cancel: the vessel is free again, crew and guest hear of it once. Cancelling twice is cancelling once."""
    booking = _locked(booking, booking.vessel)
    if booking.status == BookingStatus.CANCELLED:
        if also:
            also(booking)
        return booking
    booking.status = BookingStatus.CANCELLED
    booking.cancelled_at, booking.cancelled_by, booking.cancel_reason = at, str(by)[:150], reason[:200]
    booking.revision += 1
    booking.save()
    _place(booking)
    changed = frozenset({"status"})
    return _announce(
        booking, "cancelled", changed=changed, by=by, at=at, tell=tell, also=also, detail={"reason": reason}
    )


@transaction.atomic
def reinstate_booking(
    *, booking: Booking, trip: TripDetails, by: Actor, at: datetime, also: Also | None = None
) -> Booking:
    """A channel confirms anew what it had cancelled: the same booking stands again, if its vessel is free."""
    booking = _locked(booking, trip.vessel)
    _check(trip, at=at, past_ok=True, status=BookingStatus.CONFIRMED)
    for name, value in _values(trip).items():
        setattr(booking, name, value)
    booking.status = BookingStatus.CONFIRMED
    booking.cancelled_at = booking.cancelled_by = None
    booking.cancel_reason = ""
    booking.revision += 1
    booking.save()
    _place(booking)
    return _announce(booking, "booked", changed=frozenset({"status"}), by=by, at=at, tell=True, also=also)


@transaction.atomic
def set_payment_state(*, booking: Booking, state: PaymentState, by: Actor, at: datetime) -> Booking:
    """What the ledger says about departure. Crew see the banner change; nobody is mailed."""
    booking = _locked(booking, booking.vessel)
    if booking.payment_state == state:
        return booking
    detail = {"payment_state": [booking.payment_state, str(state)]}
    booking.payment_state = state
    booking.save()
    changed = frozenset({"payment_state"})
    return _announce(booking, "amended", changed=changed, by=by, at=at, tell=False, also=None, detail=detail)


def find_booking(*, channel: str, external_id: str) -> Booking | None:
    """The booking that a channel's id names; ids that differ in case or by a leading # are one id."""
    norm = external_id.lstrip("#").strip().casefold()
    if not norm:
        return None
    return Booking.objects.select_related("vessel").filter(channel=channel, external_id_norm=norm).first()


# --- the calendar entry ----------------------------------------------------------------------------------------------


def _place(booking: Booking) -> CalendarEntry:
    """Make or move the trip's calendar entry; refuses an overlap, turnaround included, on the same vessel."""
    blocks = booking.is_standing
    if blocks:
        refuse_overlap(booking.vessel, booking.starts_at, booking.ends_at + booking.vessel.turnaround, of=booking)
    entry, _ = CalendarEntry.objects.update_or_create(
        booking=booking,
        defaults={
            "vessel": booking.vessel,
            "kind": EntryKind.CHARTER,
            "status": _ENTRY_STATUS[BookingStatus(booking.status)],
            "title": booking.guest_name or booking.ref,
            "starts_at": booking.starts_at,
            "ends_at": booking.ends_at,
            "blocked_until": booking.ends_at + booking.vessel.turnaround,
            "blocks": blocks,
            "guest_count": booking.party_size,
        },
    )
    return entry


_ENTRY_STATUS = {
    BookingStatus.INQUIRY: EntryStatus.TENTATIVE,
    BookingStatus.QUOTED: EntryStatus.TENTATIVE,
    BookingStatus.NEEDS_REVIEW: EntryStatus.CONFLICT,
    BookingStatus.CONFIRMED: EntryStatus.CONFIRMED,
    BookingStatus.COMPLETED: EntryStatus.CONFIRMED,
    BookingStatus.CANCELLED: EntryStatus.CANCELLED,
}


def refuse_overlap(vessel: Vessel, start: datetime, blocked_until: datetime, *, of: Booking | None = None) -> None:
    """Raise `VesselTaken`, naming what stands there, if the vessel's time [start, blocked_until) is not free.

    PostgreSQL refuses it by constraint as well; on SQLite this check inside BEGIN IMMEDIATE is the guard (ADR 3).
    """
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


# --- the parts of an act -------------------------------------------------------------------------------------------


def _check(trip: TripDetails, *, at: datetime, past_ok: bool, status: BookingStatus) -> None:
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


def _lock(vessel: Vessel) -> None:
    """One writer a vessel: a second one waits here, then sees the first one's entry."""
    Vessel.objects.select_for_update().get(pk=vessel.pk)


def _locked(booking: Booking, vessel: Vessel) -> Booking:
    _lock(vessel)
    return Booking.objects.select_for_update(of=("self",)).select_related("vessel", "product").get(pk=booking.pk)


def _values(trip: TripDetails) -> dict[str, object]:
    return {field.name: getattr(trip, field.name) for field in fields(trip)}


def _differences(booking: Booking, values: dict[str, object], changed: set[str]) -> dict[str, object]:
    """{field: [old, new]}; contacts and notes are named without their content."""
    detail: dict[str, object] = {n: [_shown(getattr(booking, n)), _shown(values[n])] for n in sorted(changed & SHOWN)}
    return detail | dict.fromkeys(sorted(changed - SHOWN), "changed")


def _shown(value: object) -> str | int | None:
    return value.isoformat() if isinstance(value, datetime) else value if isinstance(value, int) else str(value or "")


def _announce(
    booking: Booking,
    act: str,
    *,
    changed: frozenset[str],
    by: Actor,
    at: datetime,
    tell: bool,
    also: Also | None,
    detail: Mapping[str, object] | None = None,
) -> Booking:
    if also:
        also(booking)
    record(act=f"bookings.booking.{act}", subject=booking.subject, by=by, at=at, detail=detail)
    # Nobody is called to a trip that is over: an old mail makes its booking, and no noise.
    tell = tell and booking.ends_at > at
    booking_changed.send(sender=Booking, booking=booking, act=act, changed=changed, by=by, at=at, tell=tell)
    return booking


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
    _take_time(entry, starts_at, ends_at)
    return _keep_hold(entry, "placed", by=by, at=at)


@transaction.atomic
def give_times(
    *, entry: CalendarEntry, starts_at: datetime, ends_at: datetime, by: Actor, at: datetime, past_ok: bool = False
) -> CalendarEntry:
    """Turn a day that was pencilled in into a hold of its vessel's time. Raises `BookingRefused`."""
    _lock(entry.vessel)
    entry = CalendarEntry.objects.select_for_update(of=("self",)).select_related("vessel").get(pk=entry.pk)
    if not entry.needs_times:
        raise NotWithoutTimes(f"“{entry}” has its times: move it in the console, or change its booking.")
    _check_hold(entry.vessel, starts_at, ends_at, entry.guest_count, at=at, past_ok=past_ok)
    _take_time(entry, starts_at, ends_at)
    return _keep_hold(entry, "timed", by=by, at=at)


def _check_hold(
    vessel: Vessel, start: datetime, end: datetime, guest_count: int | None, *, at: datetime, past_ok: bool
) -> None:
    trip = TripDetails(vessel=vessel, starts_at=start, ends_at=end, party_size=guest_count)
    _check(trip, at=at, past_ok=past_ok, status=BookingStatus.CONFIRMED)


def _take_time(entry: CalendarEntry, start: datetime, end: datetime) -> None:
    blocked_until = end + entry.vessel.turnaround
    _lock(entry.vessel)
    refuse_overlap(entry.vessel, start, blocked_until)
    entry.starts_at, entry.ends_at, entry.blocked_until = start, end, blocked_until
    entry.blocks, entry.needs_times = True, False


def _keep_hold(entry: CalendarEntry, act: str, *, by: Actor, at: datetime) -> CalendarEntry:
    entry.kind, entry.status = EntryKind.TENTATIVE, EntryStatus.TENTATIVE
    entry.save()
    detail = {"starts_at": entry.starts_at.isoformat(), "ends_at": entry.ends_at.isoformat()}
    record(act=f"bookings.hold.{act}", subject=f"entry:{entry.public_id}", by=by, at=at, detail=detail)
    return entry
