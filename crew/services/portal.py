"""What is shown of a crew event, as view objects: to the crew, to the table outside, to the office."""

from __future__ import annotations

from datetime import timedelta

from bookings.calendar import elapsed
from bookings.models import Booking
from crew.enums import CALL_SEQUENCE, LIVE, AssignmentStatus, EventStatus, Needs, Role
from crew.manifest import (
    BANNERS,
    CrewEventView,
    CrewLine,
    Labour,
    Shipmate,
    TaskLine,
    TripCard,
    TripPage,
)
from crew.models import Assignment, ChecklistItem, CrewEvent, CrewSession
from crew.services.notes import for_crew


def event_view(event: CrewEvent) -> CrewEventView:
    """The crew event as it stands outside."""
    booking = event.booking
    call = event.call_at.astimezone(event.zone)
    items = list(event.items.all())
    return CrewEventView(
        event_id=event.public_id,
        status=str(event.status),
        vessel=booking.vessel.name,
        date=booking.local_start.date().isoformat(),
        call_time=f"{call:%-I:%M %p}",
        call_at=call.isoformat(),
        starts_at=booking.local_start.isoformat(),
        ends_at=booking.local_end.isoformat(),
        time_zone=booking.vessel.time_zone,
        guest=for_crew(booking.first_name),
        party_size=booking.party_size or 0,
        dock=booking.vessel.berth.name,
        public_note=for_crew(booking.public_note),
        occasion=for_crew(booking.occasion),
        payment_state=str(booking.payment_state),
        banner=BANNERS[booking.payment_state],
        ready=event.ready,
        crew=tuple(_lines(event)),
        checklist_done=sum(item.is_done for item in items),
        checklist_total=len(items),
    )


def crew_list(booking: Booking) -> list[CrewLine]:
    """Every place of the booking's trip and who has it, in words; empty where it has no crew event."""
    event = CrewEvent.objects.filter(booking=booking).first()
    return [
        CrewLine(role=_role_label(line.role), name=line.name, state=_state_label(line.state))
        for line in (_lines(event) if event else [])
    ]


def labour(booking: Booking) -> list[Labour]:
    """Charter minutes of everybody confirmed, invited or pencilled in; hours around it are a matter of pay policy."""
    minutes = int(elapsed(booking.starts_at, booking.ends_at).total_seconds() // 60)
    rows = Assignment.objects.on_open_events().live().filter(event__booking=booking).select_related("member")
    return [
        Labour(member_key=row.member.key, name=row.member.name, role=row.role, minutes=minutes)
        for row in rows.order_by("pk")
    ]


def trip_page(session: CrewSession) -> TripPage:
    """The page of a trip for the member who opened it."""
    event, mine = session.event, session.grant.assignment
    booking, vessel, zone = event.booking, event.booking.vessel, event.zone
    confirmed = mine.status == AssignmentStatus.ACCEPTED
    return TripPage(
        event_id=event.public_id,
        vessel=vessel.name,
        call_at=event.call_at.astimezone(zone),
        starts_at=booking.local_start,
        ends_at=booking.local_end,
        arrive_at=booking.local_start - timedelta(minutes=vessel.arrive_minutes),
        dock=vessel.berth.name,
        address=vessel.berth.address,
        directions=vessel.berth.directions,
        guest=for_crew(booking.first_name),
        party_size=booking.party_size or 0,
        occasion=for_crew(booking.occasion),
        public_note=for_crew(booking.public_note),
        banner=BANNERS[booking.payment_state],
        me=session.member.name,
        my_role=mine.get_role_display(),
        my_state=mine.status,
        answer_by=mine.answer_by.astimezone(zone) if mine.answer_by and not confirmed else None,
        shipmates=tuple(_shipmates(event, but=mine, phones=confirmed)),
        tasks=tuple(_task(item, event, mine) for item in event.items.all()) if confirmed else (),
    )


def trip_card(session: CrewSession) -> TripCard:
    event, mine = session.event, session.grant.assignment
    return TripCard(
        event_id=event.public_id,
        vessel=event.booking.vessel.name,
        call_at=event.call_at.astimezone(event.zone),
        starts_at=event.booking.local_start,
        ends_at=event.booking.local_end,
        role=mine.get_role_display(),
        state=mine.status,
        answer_by=mine.answer_by.astimezone(event.zone) if mine.answer_by else None,
    )


# --- parts -------------------------------------------------------------------------------------------------------------


def _aboard(event: CrewEvent) -> list[Assignment]:
    return list(event.assignments.live().select_related("member", "place").order_by("pk"))


def _lines(event: CrewEvent) -> list[CrewLine]:
    """Places in the order of the call, the open ones too, then whoever is extra."""
    if event.status != EventStatus.OPEN:
        return []
    aboard = _aboard(event)
    by_place = {a.place_id: a for a in aboard if a.place_id}
    lines = []
    for place in sorted(event.places.all(), key=lambda place: (_SEQUENCE.index(place.needs), place.number)):
        holder = by_place.get(place.pk)
        lines.append(_line(holder) if holder else CrewLine(role=str(place.needs), name="", state="open"))
    return lines + [_line(a) for a in aboard if a.place_id is None]


def _line(assignment: Assignment) -> CrewLine:
    return CrewLine(role=str(assignment.role), name=assignment.member.name, state=str(assignment.status))


def _shipmates(event: CrewEvent, *, but: Assignment, phones: bool) -> list[Shipmate]:
    return [
        Shipmate(
            role=a.get_role_display(),
            name=a.member.name,
            state=a.status,
            label=_MATE_STATES[a.status],
            phone=a.member.phone if phones else "",
        )
        for a in _aboard(event)
        if a.pk != but.pk and a.status != AssignmentStatus.PROPOSED
    ]


def _task(item: ChecklistItem, event: CrewEvent, mine: Assignment) -> TaskLine:
    return TaskLine(
        id=item.pk,
        text=item.text,
        role=item.get_role_display() if item.role else "",
        due_at=item.due_at.astimezone(event.zone),
        required=item.required,
        done=item.is_done,
        done_by=item.done_by or "",
        done_at=item.done_at.astimezone(event.zone) if item.done_at else None,
        mine=item.role == mine.role,
    )


_SEQUENCE = [needs.value for needs in CALL_SEQUENCE]
_MATE_STATES = {AssignmentStatus.INVITED.value: "not answered yet", AssignmentStatus.ACCEPTED.value: "confirmed"}


def _role_label(role: str) -> str:
    """A place asks for a role or a group, a member has a role: two lists of words."""
    return str(Role(role).label) if role in Role.values else str(Needs(role).label)


def _state_label(state: str) -> str:
    return str(AssignmentStatus(state).label).lower() if state in LIVE else state
