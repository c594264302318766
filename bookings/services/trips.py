"""What can be done with a booking: each act is one function, one transaction, one named actor.

An act writes its rows, its history and announces itself by `booking_changed`; what follows from it (crew, guest page,
mails) is written by the receivers in the same transaction. Nothing here speaks to a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime

from django.db import IntegrityError, transaction

from bookings.enums import BookingStatus, EntryKind, EntryStatus, PaymentState
from bookings.models import Booking, CalendarEntry, Vessel
from bookings.services.refusals import AlreadyCancelled
from bookings.services.schedule import TripDetails, check_trip, lock_vessel, refuse_overlap
from bookings.signals import booking_changed
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.outbox.failpoints import fp

# What people act on: a change of one of these raises the revision and is told.
MATERIAL = frozenset({"vessel", "starts_at", "ends_at", "party_size", "status"})
# What history shows as it was; the other fields are named without their content (contacts, notes).
SHOWN = frozenset({"vessel", "starts_at", "ends_at", "party_size", "product", "occasion"})

Also = Callable[[Booking], None]


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
    check_trip(trip, at=at, past_ok=past_ok, status=status)
    lock_vessel(trip.vessel)
    booking = Booking(
        channel=channel,
        external_id=external_id,
        given_code=given_code.upper(),
        status=status,
        booked_at=at,
        **_values(trip),
    )
    booking.ref = ref or booking.public_id  # until its number is known: two blanks at once wait for each other
    try:
        with transaction.atomic():
            booking.save()
    except IntegrityError:  # the same booking, committed by somebody else while we waited for the vessel
        if existing := find_booking(channel=channel, external_id=external_id):
            return existing
        raise
    if not ref:
        booking.ref = f"J-{booking.pk:04d}"
        booking.save(update_fields=["ref"])
    _place(booking, at=at)
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
    check_trip(trip, at=at, past_ok=past_ok or "starts_at" not in changed, status=BookingStatus(booking.status))
    detail = _differences(booking, values, changed)
    for name in changed:
        setattr(booking, name, values[name])
    if changed & MATERIAL:
        booking.revision += 1
    booking.save()
    if moved or "guest_name" in changed or "party_size" in changed:
        _place(booking, at=at)
    if reason:
        detail["reason"] = reason
    return _announce(booking, "amended", changed=frozenset(changed), by=by, at=at, tell=tell, also=also, detail=detail)


@transaction.atomic
def change_booking(
    *, booking: Booking, change: Callable[[TripDetails], TripDetails], by: Actor, at: datetime
) -> Booking:
    """Change a part of a trip: `change` is given the trip as it is now, and nobody else can touch it meanwhile.

    So what another has changed since somebody read the booking stays as it is.
    """
    current = _locked(booking, booking.vessel)
    return amend_booking(booking=current, trip=change(TripDetails.of(current)), by=by, at=at)


@transaction.atomic
def confirm_booking(*, booking: Booking, by: Actor, at: datetime, also: Also | None = None) -> Booking:
    """Turn an inquiry, a quote or a booking under review into a promise: it takes the vessel's time now."""
    booking = _locked(booking, booking.vessel)
    lock_vessel(booking.vessel)  # the trip may have been given another one while we waited
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled(f"{booking.ref} is cancelled: book the trip anew.")
    if booking.is_standing:
        return booking
    before = booking.status
    check_trip(TripDetails.of(booking), at=at, past_ok=False, status=BookingStatus.CONFIRMED)
    booking.status = BookingStatus.CONFIRMED
    booking.revision += 1
    booking.save()
    _place(booking, at=at)
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
    _place(booking, at=at)
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
    check_trip(trip, at=at, past_ok=True, status=BookingStatus.CONFIRMED)
    for name, value in _values(trip).items():
        setattr(booking, name, value)
    booking.status = BookingStatus.CONFIRMED
    booking.cancelled_at = booking.cancelled_by = None
    booking.cancel_reason = ""
    booking.revision += 1
    booking.save()
    _place(booking, at=at)
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


@transaction.atomic
def realign_entry(*, booking: Booking, by: Actor, at: datetime) -> frozenset[str]:
    """Bring the calendar to what the booking says, after one of the two was changed past this module (raw SQL, say).

    Answers what differed. Everyone who follows the booking is announced the change, as if it had been amended; nobody
    is mailed: whoever was told the old time is on the list of those who hold it. Raises `VesselTaken`.
    """
    booking = _locked(booking, booking.vessel)
    entry = CalendarEntry.objects.filter(booking=booking).first()
    detail = {"entry": [_shown("missing"), _shown("there")]} if entry is None else astray(booking, entry)
    if not detail:
        return frozenset()
    _place(booking, at=at)
    changed = frozenset(detail) & {"vessel", "starts_at", "ends_at", "party_size", "status"}
    record(act="bookings.entry.realigned", subject=booking.subject, by=by, at=at, detail=detail)
    booking_changed.send(sender=Booking, booking=booking, act="amended", changed=changed, by=by, at=at, tell=False)
    return changed


def astray(booking: Booking, entry: CalendarEntry) -> dict[str, list[str | int | None]]:
    """{field of the booking: [as the calendar has it, as the booking says]}, of what a vessel's time depends on."""
    pairs = {
        "vessel": (entry.vessel, booking.vessel),
        "starts_at": (entry.starts_at, booking.starts_at),
        "ends_at": (entry.ends_at, booking.ends_at),
        "party_size": (entry.guest_count, booking.party_size),
        "status": (entry.status, str(_ENTRY_STATUS[BookingStatus(booking.status)])),
    }
    if booking.is_standing:
        pairs["blocks"] = (entry.blocks, True)
    return {name: [_shown(was), _shown(now)] for name, (was, now) in pairs.items() if was != now}


def find_booking(*, channel: str, external_id: str) -> Booking | None:
    """The booking that a channel's id names; ids that differ in case or by a leading # are one id."""
    norm = external_id.lstrip("#").strip().casefold()
    if not norm:
        return None
    return Booking.objects.select_related("vessel").filter(channel=channel, external_id_norm=norm).first()


# --- the parts of an act -------------------------------------------------------------------------------------------


def _place(booking: Booking, *, at: datetime) -> CalendarEntry:
    """Make or move the trip's calendar entry; refuses an overlap, turnaround included, on the same vessel."""
    held_until = booking.hold_until if booking.status == BookingStatus.QUOTED else None
    blocks = booking.is_standing or (held_until is not None and held_until > at)
    if blocks:
        until = booking.ends_at + booking.vessel.turnaround
        refuse_overlap(booking.vessel, booking.starts_at, until, at=at, of=booking)
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
            "expires_at": held_until,
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


def _locked(booking: Booking, vessel: Vessel) -> Booking:
    lock_vessel(vessel)
    # No join: after a wait PostgreSQL reads the locked row anew, what is joined to it not, and may find no pair.
    return Booking.objects.select_for_update().get(pk=booking.pk)


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
    fp("before_commit")  # all that follows from it is written by now, and not one row of it is committed
    return booking
