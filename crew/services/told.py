"""Who of the crew holds a trip as it was, and telling it to them anew: nobody hears the same thing twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from crew.enums import ASKED, AssignmentStatus, EventStatus
from crew.models import Assignment
from crew.services import letters
from crew.services.calling import fresh, locked
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.mail.heard import Heard, Told, mails_to, told
from jada.mail.inbox import blocked
from jada.mail.models import Message
from jada.outbox.services import retry


def told_of(assignment: Assignment, messages: Iterable[Message]) -> Told:
    """Where the member stands, by these mails of theirs about the trip; whoever is off it holds it until told so."""
    if is_on(assignment):
        return told(messages, is_true=lambda m: m.kind != letters.CANCELLED and not differences(assignment, m))
    return told(messages, is_true=lambda m: m.kind == letters.CANCELLED)


def is_on(assignment: Assignment) -> bool:
    return assignment.status in ASKED and assignment.event.status == EventStatus.OPEN


def differences(assignment: Assignment, message: Message) -> list[list[str]]:
    """[[what, as this mail told it, as it is now], …]."""
    return letters.differences(message.values, letters.facts(assignment))


@transaction.atomic
def tell_again(*, assignment: Assignment, by: Actor, at: datetime) -> bool:
    """Tell the trip as it is to a member who holds it as it was; what is stuck is tried again instead.

    False, and nothing is owed, for whoever knows it, has it on its way, may have it (a mail in doubt is a person's), or
    is not reached by mail.
    """
    event = locked(assignment.event)
    assignment = fresh(assignment, event)
    if blocked(assignment.member.email):
        return False
    heard = told_of(assignment, mails_to(assignment.member.recipient, about=event.booking.subject))
    if heard.standing == Heard.STUCK and heard.latest and heard.latest.effect:
        again = retry(effect=heard.latest.effect, at=at)
    elif heard.standing in (Heard.OLD, Heard.NEVER):
        again = _owe(assignment, heard, at=at)
    else:
        return False
    if again:
        detail = {"member": assignment.member.name}
        record(act="crew.member.told-again", subject=event.booking.subject, by=by, at=at, detail=detail)
    return again


def _owe(assignment: Assignment, heard: Told, *, at: datetime) -> bool:
    if not is_on(assignment):
        sails = assignment.event.status == EventStatus.OPEN
        return heard.holds is not None and letters.owe_anew(letters.CANCELLED, assignment, at=at, released=sails)
    if heard.holds is None and assignment.status == AssignmentStatus.INVITED:
        return letters.owe_anew(letters.INVITATION, assignment, at=at)
    changes = differences(assignment, heard.holds) if heard.holds else []
    return letters.owe_anew(letters.CHANGED, assignment, at=at, changes=changes)
