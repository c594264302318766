"""Who may be called to a trip, and why somebody may not: the rules of the call, each with its words for history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Prefetch

from crew.enums import FITS, LIVE, MAY_BE_CALLED_AGAIN, AssignmentStatus, EventStatus, Needs
from crew.models import Assignment, Credential, CrewEvent, CrewMember, Place, Unavailability
from crew.services.reach import unreachable


@dataclass(frozen=True)
class Choice:
    """Who is called to a place, in which role, and who was passed over: "rafael skipped: licence expires …"."""

    member: CrewMember | None
    role: str
    skipped: tuple[str, ...]


def choose(event: CrewEvent, needs: str) -> Choice:
    """The best available for a place, by call order. Whoever was on this trip and ended it is not asked again."""
    skipped = []
    asked_before = _asked_before(event)
    taken = set(event.assignments.live().values_list("role", flat=True))
    roster = _roster(event)
    silent = unreachable(roster)
    for member in roster:
        roles = [role for role in member.all_roles if role in FITS[needs]]
        if not roles or member.pk in asked_before:
            continue
        # Asking by mail would ask nobody. Who is aboard already stays: that is why `unfit` does not look at it.
        reason = "mail does not reach them" if member.pk in silent else unfit(member, event, needs)
        if reason:
            skipped.append(f"{member.key} skipped: {reason}")
            continue
        # Two mates of one rank are a first and a second, where the second is one.
        return Choice(member, next((role for role in roles if role not in taken), roles[0]), tuple(skipped))
    return Choice(None, "", tuple(skipped))


def unfit(member: CrewMember, event: CrewEvent, needs: str) -> str:
    """Why the member cannot sail on this trip, "" if they can."""
    if not member.active:
        return "not active"
    first, last = _days(event)
    if any(off.from_date <= last and off.to_date >= first for off in member.days_off.all()):
        return f"not available on {first.isoformat()}"
    if needs == Needs.CAPTAIN and (reason := _licence(member, event, last)):
        return reason
    for paper in member.credentials.all():
        if paper.kind == "drug_program" and not paper.is_valid_on(last):
            return f"drug program ends {paper.expires_on}, trip is {last.isoformat()}"
    return _aboard_elsewhere(member, event)


def needs_of(assignment: Assignment) -> str:
    """Whose rules hold for the assignment: its place's, or its role's where it has none."""
    return assignment.place.needs if assignment.place else assignment.role


def role_for(member: CrewMember, place: Place) -> str | None:
    """The member's first role that fits the place."""
    return next((role for role in member.all_roles if role in FITS[place.needs]), None)


def _licence(member: CrewMember, event: CrewEvent, last: date) -> str:
    vessel = event.booking.vessel
    wanted = set(vessel.captain_credentials)
    held = [paper for paper in member.credentials.all() if paper.kind in wanted]
    if not wanted or any(paper.is_valid_on(last) for paper in held):
        return ""
    if held:
        latest = max(paper.expires_on for paper in held if paper.expires_on)
        return f"licence expires {latest.isoformat()}, trip is {last.isoformat()}"
    return f"papers do not cover {vessel.name}"


def _aboard_elsewhere(member: CrewMember, event: CrewEvent) -> str:
    """From call time to the end nobody is on two boats."""
    other = (
        Assignment.objects.live()
        .filter(
            member=member,
            event__status=EventStatus.OPEN,
            event__call_at__lt=event.booking.ends_at,
            event__booking__ends_at__gt=event.call_at,
        )
        .exclude(event=event)
        .select_related("event__booking__vessel")
        .first()
    )
    if other is None:
        return ""
    call = other.event.call_at.astimezone(other.event.zone)
    end = other.event.booking.local_end
    return f"aboard {other.event.booking.vessel.name} from {call:%-I:%M %p} to {end:%-I:%M %p}"


def _days(event: CrewEvent) -> tuple[date, date]:
    """The local days from call time to the end."""
    return event.call_at.astimezone(event.zone).date(), event.booking.local_end.date()


def _roster(event: CrewEvent) -> list[CrewMember]:
    first, last = _days(event)
    near = Unavailability.objects.filter(from_date__lte=last, to_date__gte=first)
    return list(
        CrewMember.objects.order_by("call_order", "key").prefetch_related(
            Prefetch("credentials", Credential.objects.all()), Prefetch("days_off", near)
        )
    )


def _asked_before(event: CrewEvent) -> set[int]:
    """Aboard already, or out for good: declined, silent, taken off by the office."""
    ended = (AssignmentStatus.DECLINED, AssignmentStatus.EXPIRED, AssignmentStatus.WITHDRAWN)
    rows = event.assignments.filter(status__in=(*LIVE, *ended)).exclude(ended_because__in=MAY_BE_CALLED_AGAIN)
    return set(rows.values_list("member_id", flat=True))
