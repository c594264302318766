"""The call: captain first, then mates, deckhands, hosts; one member a place; the office may choose by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from crew.enums import CALL_SEQUENCE, FITS, LIVE, AssignmentStatus, Ended, EventStatus, Role
from crew.models import Assignment, CrewEvent, CrewLinkGrant, CrewMember, Place
from crew.services.fitness import choose, role_for
from crew.services.letters import owe_invitation, take_back, tell_cancelled, tell_link
from crew.services.links import fingerprint, revoke_links
from crew.services.news import announce
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.mail.services import withdraw_messages

ANSWER_WITHIN = timedelta(hours=12)
ANSWER_WITHIN_WHEN_NEAR = timedelta(hours=2)
NEAR = timedelta(hours=48)


class AssignmentRefused(Exception):
    """The member cannot be put there. Its text is a sentence for the office; nothing was changed."""


@transaction.atomic
def call_crew(*, event: CrewEvent, by: Actor, at: datetime) -> list[Assignment]:
    """Invite somebody to every open place, captain first; answers whom. History says who was passed over, and why."""
    event = locked(event)
    invited = fill_places(event, by=by, at=at)
    if invited:
        announce(event, by=by, at=at)
    return invited


def fill_places(event: CrewEvent, *, by: Actor, at: datetime) -> list[Assignment]:
    """`call_crew` as a part of another act, which announces it."""
    if event.status != EventStatus.OPEN or event.booking.starts_at <= at:
        return []
    calls = [invite_next(event, place, by=by, at=at) for place in open_places(event)]
    return [assignment for assignment in calls if assignment]


def open_places(event: CrewEvent) -> list[Place]:
    """Places without a live assignment, in the order of the call."""
    taken = event.assignments.live().exclude(place=None).values("place")
    places = event.places.exclude(pk__in=taken)
    sequence = [needs.value for needs in CALL_SEQUENCE]
    return sorted(places, key=lambda place: (sequence.index(place.needs), place.number))


def invite_next(event: CrewEvent, place: Place, *, by: Actor, at: datetime) -> Assignment | None:
    """Ask the best available for the place; None where nobody is left, which history says."""
    choice = choose(event, place.needs)
    detail: dict[str, object] = {"place": str(place)}
    if choice.skipped:
        detail["skipped"] = list(choice.skipped)
    if choice.member is None:
        record(act="crew.place.nobody-left", subject=event.booking.subject, by=by, at=at, detail=detail)
        return None
    detail["member"] = choice.member.name
    record(act="crew.member.invited", subject=event.booking.subject, by=by, at=at, detail=detail)
    assignment = _assign(event, place, choice.member, choice.role, AssignmentStatus.INVITED, by=by, at=at)
    owe_invitation(assignment, at=at)
    return assignment


@transaction.atomic
def assign_member(
    *,
    event: CrewEvent,
    member: CrewMember,
    by: Actor,
    at: datetime,
    place: Place | None = None,
    role: str = "",
    status: AssignmentStatus = AssignmentStatus.INVITED,
    tell: bool = True,
) -> Assignment:
    """Put a member on a trip by hand, whatever the rules of the call say. Raises `AssignmentRefused`.

    Without `place` the first open one that fits is taken, without one that fits the member is extra. A place that
    somebody has must be freed first. INVITED asks by mail; PROPOSED and ACCEPTED (agreed by word) ask nobody, and
    `tell=False` writes to nobody either way.
    """
    event = locked(event)
    place = place or _place_for(event, member, role)
    role = role or (role_for(member, place) if place else None) or member.role
    _refuse_assignment(event, member, place, role)
    assignment = _assign(event, place, member, role, status, by=by, at=at, by_hand=True)
    detail = {"member": member.name, "role": assignment.get_role_display(), "status": str(status)}
    record(act="crew.member.assigned", subject=event.booking.subject, by=by, at=at, detail=detail)
    if tell and status == AssignmentStatus.INVITED:
        owe_invitation(assignment, at=at)
    announce(event, by=by, at=at)
    return assignment


@transaction.atomic
def withdraw_member(
    *, assignment: Assignment, by: Actor, at: datetime, reason: str = "", call_next: bool = True
) -> Assignment:
    """Take a member off a trip: links end at once, they are told if they had heard, the next one is asked."""
    event = locked(assignment.event)
    assignment = fresh(assignment, event)
    if not assignment.is_live:
        return assignment
    release(assignment, because=Ended.BY_OFFICE, by=by, at=at)
    detail = {"member": assignment.member.name} | ({"reason": reason} if reason else {})
    record(act="crew.member.withdrawn", subject=event.booking.subject, by=by, at=at, detail=detail)
    if call_next:
        fill_places(event, by=by, at=at)
    announce(event, by=by, at=at)
    return assignment


@transaction.atomic
def invite_again(*, assignment: Assignment, by: Actor, at: datetime) -> Assignment:
    """Ask the same member once more: a new version, so that old links end, and a new mail. Raises `AssignmentRefused`."""
    event = locked(assignment.event)
    assignment = fresh(assignment, event)
    if assignment.status == AssignmentStatus.ACCEPTED:
        raise AssignmentRefused(f"{assignment.member} is confirmed already: send a new link instead.")
    if not assignment.is_live:
        _refuse_assignment(event, assignment.member, assignment.place, assignment.role)
    _end_links(assignment, reason="invited again", by=by, at=at)
    assignment.version += 1
    assignment.status = AssignmentStatus.INVITED
    assignment.invited_at, assignment.invited_by = at, str(by)[:150]
    assignment.answered_at = assignment.answered_by = assignment.ended_at = assignment.ended_by = None
    assignment.ended_because = ""
    assignment.answer_by = answer_deadline(event, at)
    assignment.save()
    detail = {"member": assignment.member.name, "again": True}
    record(act="crew.member.invited", subject=event.booking.subject, by=by, at=at, detail=detail)
    owe_invitation(assignment, at=at)
    announce(event, by=by, at=at)
    return assignment


@transaction.atomic
def revise_member(*, member: CrewMember, by: Actor, at: datetime) -> None:
    """What follows from an edit of the roster: somebody who left is taken off what lies ahead and replaced; a new
    address ends the links sent to the old one and gets new ones.
    """
    rows = Assignment.objects.on_open_events().live().filter(member=member, event__booking__ends_at__gt=at)
    for assignment in rows.select_related("event__booking"):
        event = locked(assignment.event)
        assignment = fresh(assignment, event)  # noqa: PLW2901  under the lock it may differ
        if not member.active:
            withdraw_member(assignment=assignment, by=by, at=at, reason="left the roster")
            continue
        old = CrewLinkGrant.objects.filter(assignment=assignment, revoked_at=None)
        old = old.exclude(sent_to=fingerprint(member.email))
        if revoke_links(grants=old, reason="the address on file has changed", by=by, at=at):
            withdraw_messages(lane=assignment.lane, reason="The address on file has changed.")
            if assignment.status == AssignmentStatus.INVITED:
                invite_again(assignment=assignment, by=by, at=at)
            else:
                tell_link(assignment, at=at)
        announce(event, by=by, at=at)


# --- parts, for the acts of this app -----------------------------------------------------------------------------------


def locked(event: CrewEvent) -> CrewEvent:
    """One writer an event; a second one waits here and then sees what the first one wrote."""
    CrewEvent.objects.select_for_update().get(pk=event.pk)
    # Read only now: what is joined to a row is as old as the wait for it, on PostgreSQL.
    return CrewEvent.objects.select_related("booking__vessel__berth").get(pk=event.pk)


def fresh(assignment: Assignment, event: CrewEvent) -> Assignment:
    """The assignment as it stands under the event's lock."""
    found = Assignment.objects.select_related("member", "place").get(pk=assignment.pk)
    found.event = event
    return found


def release(assignment: Assignment, *, because: Ended, by: Actor, at: datetime, tell: bool = True) -> None:
    """End a live assignment and everything that hangs on it; tell the member once, if they had heard of the trip."""
    heard = _end_links(assignment, reason=str(because.label), by=by, at=at)
    asked = assignment.status != AssignmentStatus.PROPOSED
    assignment.status = AssignmentStatus.WITHDRAWN
    assignment.version += 1
    assignment.ended_at, assignment.ended_by, assignment.ended_because = at, str(by)[:150], because
    assignment.save()
    if tell and asked:
        tell_cancelled(assignment, heard=heard, released=because != Ended.TRIP_CANCELLED, at=at)


def close(assignment: Assignment, status: AssignmentStatus, *, by: Actor, at: datetime) -> None:
    """End an assignment by the member's own answer, or by none."""
    _end_links(assignment, reason=str(status.label).lower(), by=by, at=at)
    assignment.status = status
    assignment.version += 1
    if status == AssignmentStatus.DECLINED:
        assignment.answered_at, assignment.answered_by = at, str(by)[:150]
    assignment.save()


def answer_deadline(event: CrewEvent, at: datetime) -> datetime:
    """Twelve hours to answer, two when the trip is near, never later than the call time."""
    within = ANSWER_WITHIN_WHEN_NEAR if event.booking.starts_at - at <= NEAR else ANSWER_WITHIN
    return min(at + within, event.call_at)


def release_all(assignments: Iterable[Assignment], *, because: Ended, by: Actor, at: datetime, tell: bool) -> None:
    for assignment in assignments:
        release(assignment, because=because, by=by, at=at, tell=tell)


def _end_links(assignment: Assignment, *, reason: str, by: Actor, at: datetime) -> bool:
    """Revoke links and sessions, take back unsent mails; answers whether the member has heard of the trip."""
    revoke_links(grants=CrewLinkGrant.objects.filter(assignment=assignment), reason=reason, by=by, at=at)
    return take_back(assignment, reason=f"Not worth sending any more: {reason}.")


def _assign(
    event: CrewEvent,
    place: Place | None,
    member: CrewMember,
    role: str,
    status: AssignmentStatus,
    *,
    by: Actor,
    at: datetime,
    by_hand: bool = False,
) -> Assignment:
    # What an earlier, ended assignment still had to say would contradict the new one.
    for old in event.assignments.filter(member=member).exclude(status__in=LIVE):
        withdraw_messages(lane=old.lane, reason="Called to the trip again.")
    assignment = Assignment(event=event, place=place, member=member, role=role, status=status, by_hand=by_hand)
    if status in (AssignmentStatus.INVITED, AssignmentStatus.ACCEPTED):
        assignment.invited_at, assignment.invited_by = at, str(by)[:150]
    if status == AssignmentStatus.INVITED:
        assignment.answer_by = answer_deadline(event, at)
    if status == AssignmentStatus.ACCEPTED:
        assignment.answered_at, assignment.answered_by = at, str(by)[:150]
    assignment.save()
    return assignment


def _place_for(event: CrewEvent, member: CrewMember, role: str) -> Place | None:
    fitting = [p for p in open_places(event) if (role in FITS[p.needs] if role else role_for(member, p))]
    return fitting[0] if fitting else None


def why_not(*, event: CrewEvent, member: CrewMember) -> str:
    """What `assign_member` would refuse, as a sentence for a form; "" when it would not."""
    place = _place_for(event, member, "")
    try:
        _refuse_assignment(event, member, place, (role_for(member, place) if place else None) or member.role)
    except AssignmentRefused as refused:
        return str(refused)
    return ""


def _refuse_assignment(event: CrewEvent, member: CrewMember, place: Place | None, role: str) -> None:
    live = event.assignments.live().select_related("member")
    if event.status != EventStatus.OPEN:
        raise AssignmentRefused("This trip is cancelled: nobody can be put on it.")
    if not member.active:
        raise AssignmentRefused(f"{member} is not on the active roster: make them active first.")
    if live.filter(member=member).exists():
        raise AssignmentRefused(f"{member} is on this trip already.")
    holder = live.filter(place=place).first() if place else None
    captain = live.filter(role=Role.CAPTAIN).first() if role == Role.CAPTAIN else None
    if there := holder or captain:
        raise AssignmentRefused(f"{there.member} has that place: withdraw {there.member} first.")
