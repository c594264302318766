"""A season's bookings, as they came to be: booked, crewed, paid, moved, cancelled, each at its own time."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from bookings import services
from bookings.calendar import elapsed
from bookings.enums import BookingStatus
from bookings.finance.enums import PaymentKind, PaymentMethod
from bookings.finance.services import log_payment, record_amounts
from bookings.models import Booking, CalendarEntry, Product, Vessel
from bookings.services import TripDetails
from crew.enums import AssignmentStatus
from crew.models import Assignment, ChecklistItem, CrewEvent, CrewMember
from crew.services import assign_member, event_of, tick
from jada.audit.actors import Actor
from jada.console.season.reading import Row, SeasonRefused, amount, instant, maybe_amount

BY = Actor("system", "demo season")
SYSTEMS = frozenset({"checkout", "importer"})  # the others who record payments are people


def add_bookings(document: Row, *, at: datetime) -> int:
    """Add the bookings whose reference is not there; answers how many."""
    there = set(Booking.objects.values_list("ref", flat=True))
    missing = [row for row in document["bookings"] if row["ref"] not in there]
    for row in missing:
        _add(row, at=at)
    return len(missing)


def mark_checklists(document: Row) -> None:
    """Tick what was ticked; an item that is done already keeps its mark."""
    for mark in document.get("checklist_marks", ()):
        item = ChecklistItem.objects.select_related("event__booking__vessel").get(
            event__booking__ref=mark["booking"], key=mark["item"]
        )
        if not item.is_done:
            member = CrewMember.objects.get(key=mark["by"])
            tick(event=item.event, item_id=item.pk, done=True, op="", member=member, at=instant(mark["at"]))


def _add(row: Row, *, at: datetime) -> None:
    booked_at = instant(row["booked_at"])
    cancelled = row["status"] == BookingStatus.CANCELLED
    booking = services.book(
        channel=row["channel"],
        external_id=row.get("channel_ref", ""),
        ref=row["ref"],
        trip=_as_first_booked(row),
        status=BookingStatus.CONFIRMED if cancelled else BookingStatus(row["status"]),
        by=BY,
        at=booked_at,
        past_ok=True,
        tell=False,
        also=partial(_complete, row=row),
    )
    if "hold_until" in row:
        hold_for_quote(booking, at=at)
    if row["crew"]:
        _place_crew(booking, row)
    for change in row.get("amendments", ()):
        _amend(booking, row, change)
    for line in row["payments"]:
        _pay(booking, line)
    if cancelled:
        ended = row["cancellation"]
        reason = ended["reason"].replace("_", " ")
        services.cancel_booking(
            booking=booking, reason=reason, by=_who(ended["by"]), at=instant(ended["at"]), tell=False
        )


def _trip(row: Row, start: datetime, end: datetime) -> TripDetails:
    customer = row["customer"]
    return TripDetails(
        vessel=Vessel.objects.get(key=row["vessel"]),
        product=Product.objects.get(key=row["product"]),
        starts_at=start,
        ends_at=end,
        party_size=row["party_size"],
        guest_name=customer["name"],
        guest_email=customer["email"],
        guest_phone=customer["phone"],
        private_note=_private_note(row),
    )


def _as_first_booked(row: Row) -> TripDetails:
    """Before its amendments: a trip that was moved is as long as it is now."""
    start, end = instant(row["start"]), instant(row["end"])
    changes = row.get("amendments", ())
    before = instant(changes[0]["old"]) if changes else start
    return _trip(row, before, before + elapsed(start, end))


def _private_note(row: Row) -> str:
    lines = []
    if row["minors"]:
        lines.append(f"{row['minors']} of the party are minors.")
    if "rebooked_from" in row:
        lines.append(f"Rebooked from {row['rebooked_from']}.")
    if rebooked_as := row.get("cancellation", {}).get("rebooked_as"):
        lines.append(f"Rebooked as {rebooked_as}.")
    return " ".join(lines)


def _complete(booking: Booking, *, row: Row) -> None:
    """What the booking holds beside its trip, written before it is announced."""
    money = row["money"]
    record_amounts(
        booking_id=booking.pk,
        gross=maybe_amount(money.get("gross")),
        guest_price=maybe_amount(money.get("guest_price")),
        fees=maybe_amount(money.get("channel_commission")),
        by=BY,
        at=booking.booked_at,
    )
    booking.organisation = row["customer"].get("organisation", "")
    booking.hold_until = instant(row["hold_until"]) if "hold_until" in row else None
    booking.save(update_fields=["organisation", "hold_until"])


def hold_for_quote(booking: Booking, *, at: datetime) -> None:
    """A quote keeps its vessel free until its time is over: its own entry is the hold."""
    entry = CalendarEntry.objects.get(booking=booking)
    entry.expires_at = booking.hold_until
    if booking.hold_until and booking.hold_until > at:
        services.refuse_overlap(booking.vessel, entry.starts_at, entry.blocked_until, of=booking)
        entry.blocks = True
    entry.save(update_fields=["expires_at", "blocks"])


def _amend(booking: Booking, row: Row, change: Row) -> None:
    services.amend_booking(
        booking=booking,
        trip=_trip(row, instant(row["start"]), instant(row["end"])),
        reason=change["reason"],
        by=_who(change["by"]),
        at=instant(change["at"]),
        past_ok=True,
        tell=False,
    )


# --- money -------------------------------------------------------------------------------------------------------------


def _pay(booking: Booking, line: Row) -> None:
    log_payment(
        booking=booking,
        kind=PaymentKind(line["kind"]),
        method=PaymentMethod(line["method"]),
        amount=amount(line["amount"]),
        note=line.get("note", ""),
        by=_who(line["recorded_by"]),
        at=instant(line["at"]),
    )


def _who(name: str) -> Actor:
    return Actor("service" if name in SYSTEMS else "user", name)


# --- crew --------------------------------------------------------------------------------------------------------------


def _place_crew(booking: Booking, row: Row) -> None:
    """The crew as history has it: nobody is written to, and no rule of the call is asked."""
    event = event_of(booking)
    if event is None:
        raise SeasonRefused(f"{booking.ref} has crew but is not a standing trip: take its crew out, or confirm it.")
    for line in row["crew"]:
        member = CrewMember.objects.get(key=line["crew"])
        status = AssignmentStatus(line["status"])
        if status == AssignmentStatus.DECLINED:
            _note_declined(event, member, line["role"], at=booking.booked_at)
            continue
        if status == AssignmentStatus.WITHDRAWN:  # they were on, until the trip was cancelled
            status = AssignmentStatus.ACCEPTED
        assign_member(
            event=event, member=member, role=line["role"], status=status, by=BY, at=booking.booked_at, tell=False
        )


def _note_declined(event: CrewEvent, member: CrewMember, role: str, *, at: datetime) -> None:
    """Asked and declined. Their decline called somebody else at the time, who is in the file as well."""
    Assignment.objects.create(
        event=event,
        member=member,
        role=role,
        status=AssignmentStatus.DECLINED,
        invited_at=at,
        invited_by=str(BY),
        answered_at=at,
        answered_by=member.name,
    )
