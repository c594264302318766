"""A new link, asked for on the page of one that does not open: always to the address on file, always the same answer."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from crew.enums import ASKED, EventStatus, LinkUseKind
from crew.models import OPEN_AFTER, Assignment, CrewMember, LinkUse
from crew.services.letters import tell_link
from crew.services.links import Browser, identify
from crew.tokens import LinkRefused
from jada.audit.actors import Actor
from jada.audit.services import record

logger = logging.getLogger(__name__)

A_MEMBER_AN_HOUR = 3
A_CLIENT_AN_HOUR = 10
TRIPS_AT_ONCE = 5


@transaction.atomic
def request_link(*, token: str = "", email: str = "", browser: Browser, at: datetime) -> int:
    """Mail new links: to the trip of a genuine token, or to every trip of the member whose address was typed.

    Answers how many were owed; whoever asked must be told the same sentence whatever it is. A member may ask three
    times an hour, a client ten times; both are counted in the database, so that no process forgets.
    """
    since = at - timedelta(hours=1)
    asked = LinkUse.objects.filter(kind=LinkUseKind.REQUESTED, at__gt=since)
    too_many = asked.filter(client=browser.client).count() >= A_CLIENT_AN_HOUR
    member, event_id = (None, "") if too_many else _named(token, email)
    if member and asked.filter(member=member).count() >= A_MEMBER_AN_HOUR:
        too_many, member = True, None
    LinkUse.objects.create(kind=LinkUseKind.REQUESTED, member=member, client=browser.client, at=at)
    if too_many:
        logger.warning("New crew links were asked for too often by one client or for one member")
    return _send(member, event_id, at) if member else 0


@transaction.atomic
def send_link(*, assignment: Assignment, by: Actor, at: datetime) -> None:
    """A new link from the console, for somebody who lost theirs."""
    tell_link(assignment, at=at)
    detail = {"member": assignment.member.name}
    record(act="crew.link.sent", subject=assignment.event.booking.subject, by=by, at=at, detail=detail)


def _named(token: str, email: str) -> tuple[CrewMember | None, str]:
    """Who is meant, and which trip ("" is every one). Somebody who left the roster is nobody."""
    if not token:
        known = CrewMember.objects.filter(active=True, email__iexact=email.strip()) if email.strip() else None
        return (known.first() if known is not None else None), ""
    try:
        grant = identify(token)
    except LinkRefused as refused:
        logger.info("New link refused: %s", refused)
        return None, ""
    return (grant.member if grant.member.active else None), grant.event.public_id


def _send(member: CrewMember, event_id: str, at: datetime) -> int:
    rows = Assignment.objects.filter(
        member=member,
        status__in=ASKED,
        event__status=EventStatus.OPEN,
        event__booking__ends_at__gt=at - OPEN_AFTER,
    ).select_related("member", "event__booking__vessel__berth")
    if event_id:
        rows = rows.filter(event__booking__public_id=event_id)
    found = list(rows.order_by("event__booking__starts_at")[:TRIPS_AT_ONCE])
    for assignment in found:
        tell_link(assignment, at=at)
    return len(found)
