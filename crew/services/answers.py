"""What a member says to an invitation, and what follows from it, from no answer too."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from crew.enums import AssignmentStatus
from crew.models import Assignment
from crew.services.calling import close, fill_places, fresh, invite_next, locked
from crew.services.fitness import choose, needs_of
from crew.services.letters import invitation_has_left
from crew.services.news import announce
from jada.audit.actors import SYSTEM, Actor
from jada.audit.services import record


class AnswerRefused(Exception):
    """The answer came too late. Its text is a sentence for the member."""


@transaction.atomic
def accept(*, assignment: Assignment, at: datetime) -> Assignment:
    """The member is on. The first answer counts: whoever was taken off or has declined cannot accept any more."""
    event = locked(assignment.event)
    assignment = fresh(assignment, event)
    if assignment.status == AssignmentStatus.ACCEPTED:
        return assignment
    if assignment.status != AssignmentStatus.INVITED or assignment.event.booking.ends_at <= at:
        raise AnswerRefused("This place is not open to you any more: call the office if you can still come.")
    by = Actor.crew(assignment.member.name)
    assignment.status = AssignmentStatus.ACCEPTED
    assignment.answered_at, assignment.answered_by = at, str(by)[:150]
    assignment.save(update_fields=["status", "answered_at", "answered_by"])
    detail = {"role": assignment.get_role_display()}
    record(act="crew.invitation.accepted", subject=event.booking.subject, by=by, at=at, detail=detail)
    announce(event, by=by, at=at)
    return assignment


@transaction.atomic
def decline(*, assignment: Assignment, at: datetime) -> Assignment:
    """The member cannot come: the place is free, and the next in call order is asked at once.

    Their own links end with it. Declining twice is declining once.
    """
    event = locked(assignment.event)
    assignment = fresh(assignment, event)
    if not assignment.is_live:
        return assignment
    by = Actor.crew(assignment.member.name)
    was_on = assignment.status == AssignmentStatus.ACCEPTED
    close(assignment, AssignmentStatus.DECLINED, by=by, at=at)
    detail = {"role": assignment.get_role_display()} | ({"was_confirmed": True} if was_on else {})
    record(act="crew.invitation.declined", subject=event.booking.subject, by=by, at=at, detail=detail)
    fill_places(event, by=SYSTEM, at=at)
    announce(event, by=by, at=at)
    return assignment


@transaction.atomic
def expire_invitations(*, at: datetime) -> int:
    """Ask somebody else where no answer came in time; answers how many were passed on.

    An invitation stays open while there is nobody else to ask, and one that has not left cannot be late.
    """
    late = Assignment.objects.on_open_events().filter(
        status=AssignmentStatus.INVITED, by_hand=False, answer_by__lte=at, event__booking__starts_at__gt=at
    )
    return sum(_pass_on(assignment, at) for assignment in late.select_related("event__booking"))


def _pass_on(assignment: Assignment, at: datetime) -> bool:
    event = locked(assignment.event)
    assignment = fresh(assignment, event)
    place = assignment.place
    if assignment.status != AssignmentStatus.INVITED or place is None or not invitation_has_left(assignment):
        return False
    if assignment.answer_by is None or assignment.answer_by > at:  # the trip moved meanwhile: they have time again
        return False
    if choose(event, needs_of(assignment)).member is None:
        return False
    close(assignment, AssignmentStatus.EXPIRED, by=SYSTEM, at=at)
    detail = {"member": assignment.member.name}
    record(act="crew.invitation.expired", subject=event.booking.subject, by=SYSTEM, at=at, detail=detail)
    invite_next(event, place, by=SYSTEM, at=at)
    announce(event, by=SYSTEM, at=at)
    return True
