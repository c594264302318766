"""The crew event follows its booking: made, moved, staffed, cancelled in the booking's own transaction."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from bookings.enums import BookingStatus
from bookings.models import Booking
from crew.enums import CALL_SEQUENCE, AssignmentStatus, Ended, EventStatus, Needs
from crew.models import Assignment, CrewEvent, CrewRequirement, Place
from crew.services import checklist
from crew.services.calling import answer_deadline, fill_places, release, release_all
from crew.services.fitness import needs_of, unfit
from crew.services.letters import tell_changed
from crew.services.news import TOPIC, announce
from crew.services.notes import refuse_money
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.outbox.entries import enqueue

# What crew see of a booking; a change of anything else (contacts, private notes, money) leaves no trace here.
SEEN = frozenset({
    "vessel", "starts_at", "ends_at", "party_size", "status", "product", "guest_name", "occasion", "public_note",
    "payment_state",
})  # fmt: skip
# What people type for crew to read.
TYPED = ("public_note", "occasion")
# What crew act on: a change of one of these is told.
NEWS = frozenset({"vessel", "starts_at", "ends_at", "party_size"})


@transaction.atomic
def follow_booking(
    *, booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime, tell: bool = True
) -> CrewEvent | None:
    """Bring the crew event to what the trip has become, and tell whoever must hear of it, once a revision.

    Answers None for a trip that has none: an inquiry, a quote, one under review, one cancelled before it had any.
    `tell=False` makes event, places and checklist, and invites nobody. Raises `MoneyInNote` for a new text that crew
    must not read, through whatever door it came: the act is undone.
    """
    _refuse_amounts(booking, changed, new=act == "booked" and not changed)
    event = CrewEvent.objects.select_for_update().filter(booking=booking).first()
    if event:
        event.booking = booking
    if act == "amended" and event and not changed & SEEN:
        return event
    if booking.status == BookingStatus.CANCELLED:
        if event is None or event.status == EventStatus.CANCELLED:
            return event
        _cancel(event, by=by, at=at, tell=tell)
    elif not booking.is_standing:
        return event
    elif event is None:
        event = _open(booking, by=by, at=at)
    elif event.status == EventStatus.CANCELLED:
        _reopen(event, by=by, at=at)
    else:
        _follow(event, changed, by=by, at=at, tell=tell)
    if tell:
        fill_places(event, by=by, at=at)
    announce(event, by=by, at=at)
    return event


def _refuse_amounts(booking: Booking, changed: frozenset[str], *, new: bool) -> None:
    for name in TYPED:
        if new or name in changed:
            refuse_money(getattr(booking, name))


def event_of(booking: Booking) -> CrewEvent | None:
    """The crew event of a booking, None where it has none."""
    event = CrewEvent.objects.filter(booking=booking).first()
    if event:
        event.booking = booking
    return event


@transaction.atomic
def mark_events(*, about: Q) -> int:
    """A boat, a berth or a member is described anew: trips not yet over may differ from their copies outside."""
    found: QuerySet[CrewEvent] = CrewEvent.objects.filter(about, booking__ends_at__gt=Now())
    # Each event before its lane, soonest first, as every act on one or more of them does: else they deadlock.
    rows = CrewEvent.objects.select_for_update(of=("self",)).filter(pk__in=found.values("pk"))
    events = list(rows.select_related("booking").order_by("booking__starts_at", "pk"))
    for event in events:
        enqueue(TOPIC, event.public_id, subject=event.booking.subject)
    return len(events)


def places_needed(booking: Booking) -> Counter[str]:
    """How many of what the trip needs: the product's own rows, else the vessel's, and what a larger party adds.

    A vessel that nobody has described yet needs a captain.
    """
    rows = list(CrewRequirement.objects.filter(vessel=booking.vessel).filter(_for_product(booking)))
    own = [row for row in rows if row.product_id and not row.party_over]
    base = own or [row for row in rows if not row.product_id and not row.party_over]
    party = booking.party_size or 0
    added = [row for row in rows if row.party_over and party > row.party_over]
    needed: Counter[str] = Counter()
    for row in (*base, *added):
        needed[row.needs] += row.count
    return needed if rows else Counter({Needs.CAPTAIN.value: 1})


def _for_product(booking: Booking) -> Q:
    return Q(product=None) | Q(product=booking.product_id) if booking.product_id else Q(product=None)


def _open(booking: Booking, *, by: Actor, at: datetime) -> CrewEvent:
    event = CrewEvent.objects.create(booking=booking, call_at=_call_at(booking))
    _lay_out_places(event, by=by, at=at, tell=False)
    checklist.lay_out(event)
    record(act="crew.event.opened", subject=booking.subject, by=by, at=at)
    return event


def _reopen(event: CrewEvent, *, by: Actor, at: datetime) -> None:
    event.status, event.cancelled_at, event.cancelled_by = EventStatus.OPEN, None, None
    event.call_at = _call_at(event.booking)
    event.save()
    _lay_out_places(event, by=by, at=at, tell=False)
    checklist.lay_out(event)
    checklist.move(event)
    record(act="crew.event.reopened", subject=event.booking.subject, by=by, at=at)


def _cancel(event: CrewEvent, *, by: Actor, at: datetime, tell: bool) -> None:
    event.status, event.cancelled_at, event.cancelled_by = EventStatus.CANCELLED, at, str(by)[:150]
    event.save()
    live = _live(event)
    release_all(live, because=Ended.TRIP_CANCELLED, by=by, at=at, tell=tell)
    detail = {"crew": [assignment.member.name for assignment in live]}
    record(act="crew.event.cancelled", subject=event.booking.subject, by=by, at=at, detail=detail)


def _follow(event: CrewEvent, changed: frozenset[str], *, by: Actor, at: datetime, tell: bool) -> None:
    if changed & {"vessel", "starts_at", "ends_at"}:
        event.call_at = _call_at(event.booking)
        event.save(update_fields=["call_at"])
        checklist.move(event)
    if changed & {"vessel", "party_size", "product"}:
        _lay_out_places(event, by=by, at=at, tell=tell)
    if "product" in changed:
        checklist.lay_out(event)
    if tell and changed & {"vessel", "starts_at", "ends_at"}:
        _let_go_who_cannot(event, by=by, at=at)
    if tell and changed & NEWS:
        _tell_crew(event, at=at)


def _tell_crew(event: CrewEvent, *, at: datetime) -> None:
    for assignment in _live(event):
        if assignment.status == AssignmentStatus.INVITED:  # another time asks anew, with time to answer
            assignment.answer_by = answer_deadline(event, at)
            assignment.save(update_fields=["answer_by"])
        if assignment.status != AssignmentStatus.PROPOSED:
            tell_changed(assignment, at=at)


def _let_go_who_cannot(event: CrewEvent, *, by: Actor, at: datetime) -> None:
    """The changed trip may not fit its crew: another day, papers for another boat. The office's own choices stay."""
    for assignment in _live(event):
        reason = "" if assignment.by_hand else unfit(assignment.member, event, needs_of(assignment))
        if reason:
            release(assignment, because=Ended.UNFIT, by=by, at=at)
            detail = {"member": assignment.member.name, "reason": reason}
            record(act="crew.member.let-go", subject=event.booking.subject, by=by, at=at, detail=detail)


def _lay_out_places(event: CrewEvent, *, by: Actor, at: datetime, tell: bool) -> None:
    """Places as many as the trip needs: missing ones are added; of those too many the empty ones go first."""
    needed = places_needed(event.booking)
    held = {a.place_id: a for a in _live(event) if a.place_id}
    laid_out = list(event.places.all())
    for needs in CALL_SEQUENCE:
        of_kind = (place for place in laid_out if place.needs == needs)
        there = sorted(of_kind, key=lambda place: (place.pk not in held, place.number))
        for place in there[needed[needs] :]:
            if place.pk in held:
                release(held[place.pk], because=Ended.PLACE_GONE, by=by, at=at, tell=tell)
            place.delete()
        used = {place.number for place in there[: needed[needs]]}
        missing = needed[needs] - len(used)
        free = [number for number in range(1, needed[needs] + 1) if number not in used]
        for number in free[:missing]:
            Place.objects.create(event=event, needs=needs, number=number)


def _live(event: CrewEvent) -> list[Assignment]:
    found = list(event.assignments.live().select_related("member", "place").order_by("pk"))
    for assignment in found:
        assignment.event = event
    return found


def _call_at(booking: Booking) -> datetime:
    return booking.starts_at - timedelta(minutes=booking.vessel.call_minutes)
