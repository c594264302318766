"""What the crew is told by mail, and what is taken back because it has not left yet.

A letter freezes facts, never a link: its link is made when it is sent, from the grant that `values["grant"]` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from crew.models import Assignment
from crew.services.links import issue_link
from crew.services.notes import for_crew
from jada.mail.heard import next_fact
from jada.mail.models import Message
from jada.mail.services import owe_message, withdraw_messages
from jada.outbox.enums import State

INVITATION, CHANGED, CANCELLED, LINK = "crew.invitation", "crew.changed", "crew.cancelled", "crew.link"
# What a crew member acts on, with the words of the letter that tells its change.
TOLD = {"date": "Date", "call": "Call time", "time": "Trip", "vessel": "Boat", "dock": "Dock", "party": "Guests"}


def owe_invitation(assignment: Assignment, *, at: datetime) -> None:
    """Ask the member; one invitation a revision of the trip, whatever is repeated."""
    _owe(INVITATION, assignment, at=at, values=facts(assignment))


def tell_changed(assignment: Assignment, *, at: datetime) -> None:
    """Tell the trip's new revision once: what has not left yet is taken back and told with the new values.

    Somebody whose invitation is still here is simply invited to the trip as it is now. To the others the letter says
    what differs from the last one that left; where nothing does, there is nothing to tell.
    """
    unsent = withdraw_messages(
        lane=assignment.lane, reason="The trip changed before this left.", kinds=frozenset({INVITATION, CHANGED})
    )
    if any(message.kind == INVITATION for message in unsent):
        owe_invitation(assignment, at=at)
        return
    values = facts(assignment)
    last = _told(assignment).filter(kind__in=(INVITATION, CHANGED)).order_by("-pk").first()
    changes = differences(last.values, values) if last else []
    if changes or last is None:
        _owe(CHANGED, assignment, at=at, values=values | {"changes": changes})


def tell_cancelled(assignment: Assignment, *, heard: bool, released: bool, at: datetime) -> None:
    """Tell the end of it to a member who had heard of the trip: `released` when it sails without them."""
    if heard:
        values = facts(assignment) | {"released": released}
        _owe(CANCELLED, assignment, at=at, values=values)


def tell_link(assignment: Assignment, *, at: datetime) -> None:
    """A new link, to the address on file."""
    grant = issue_link(assignment=assignment, at=at)
    _owe(LINK, assignment, at=at, values=facts(assignment), grant_pk=grant.pk, fact=f"{LINK}:{grant.pk}")


def take_back(assignment: Assignment, *, reason: str) -> bool:
    """Take back what has not left yet; answers whether the member has heard of the trip before."""
    withdraw_messages(lane=assignment.lane, reason=reason)
    return has_heard(assignment)


def has_heard(assignment: Assignment, *, otherwise_than: Message | None = None) -> bool:
    """Whether the member knows of the trip: by another letter than the one that asks, or by a person."""
    told = _told(assignment)
    if otherwise_than:
        told = told.exclude(pk=otherwise_than.pk)
    return assignment.answered_at is not None or assignment.by_hand or told.exists()


def invitation_has_left(assignment: Assignment) -> bool:
    return _told(assignment).filter(kind=INVITATION, sent_at__isnull=False).exists()


def owe_anew(
    kind: str, assignment: Assignment, *, at: datetime, changes: Sequence[Sequence[str]] = (), released: bool = False
) -> bool:
    """Tell the trip as it is once more, because what told it before reached nobody; False if it is owed already."""
    extras: dict[str, dict[str, Any]] = {CHANGED: {"changes": list(changes)}, CANCELLED: {"released": released}}
    fact = next_fact(_fact(kind, assignment))
    return _owe(kind, assignment, at=at, values=facts(assignment) | extras.get(kind, {}), fact=fact) is not None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[list[str]]:
    """[[what, as it was told last, as it is now], …] of what a member acts on."""
    return [
        [label, str(before.get(name, "")), str(now[name])]
        for name, label in TOLD.items()
        if before.get(name) != now[name]
    ]


def facts(assignment: Assignment) -> dict[str, Any]:
    """A trip as a letter tells it: texts and whole numbers, local times, the first name of the guest."""
    event, booking = assignment.event, assignment.event.booking
    start, end, call = booking.local_start, booking.local_end, event.call_at.astimezone(event.zone)
    ends = f"{end:%-I:%M %p}" if end.date() == start.date() else f"{end:%A %-I:%M %p}"
    answer_by = assignment.answer_by.astimezone(event.zone) if assignment.answer_by else None
    return {
        "assignment": assignment.pk,
        "version": assignment.version,
        "event_id": event.public_id,
        "first_name": assignment.member.first_name,
        "role": assignment.get_role_display(),
        "vessel": booking.vessel.name,
        "date": f"{start:%A %-d %B %Y}",
        "short_date": f"{start:%a %-d %b}",
        "call": f"{call:%-I:%M %p}",
        "time": f"{start:%-I:%M %p} to {ends}",
        "dock": booking.vessel.berth.name,
        "party": booking.party_size or 0,
        "guest": for_crew(booking.first_name),
        "occasion": for_crew(booking.occasion),
        "answer_by": f"{answer_by:%A %-d %B, %-I:%M %p}" if answer_by else "",
    }


def _owe(
    kind: str,
    assignment: Assignment,
    *,
    at: datetime,
    values: dict[str, Any],
    grant_pk: int | None = None,
    fact: str = "",
) -> Message | None:
    booking = assignment.event.booking
    if kind != CANCELLED and grant_pk is None:
        grant_pk = issue_link(assignment=assignment, at=at).pk
    return owe_message(
        kind=kind,
        fact=fact or _fact(kind, assignment),
        recipient=assignment.member.recipient,
        about=booking.subject,
        values=values | {"grant": grant_pk},
        lane=assignment.lane,
        at=at,
        revision=booking.revision,
    )


def _fact(kind: str, assignment: Assignment) -> str:
    return f"{kind}:{assignment.pk}:{assignment.version}:{assignment.event.booking.revision}"


def _told(assignment: Assignment) -> QuerySet[Message]:
    """Letters about this assignment that have left, or may have."""
    mine = Message.objects.filter(
        recipient=assignment.member.recipient,
        subject_of=assignment.event.booking.subject,
        values__assignment=assignment.pk,
    )
    waiting = Q(effect__state__in=(State.PENDING, State.CANCELLED))
    return mine.exclude(waiting).exclude(effect=None, sent_at=None)
