"""Whom mail does not reach on the trips ahead: they are told by telephone, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Lower

from bookings.models import Booking
from crew.models import Assignment
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress


@dataclass(frozen=True)
class Unreached:
    booking: Booking
    who: str
    why: str


def unreached(at: datetime) -> list[Unreached]:
    """Crew and guests of coming trips, the next trip first. One query while every address takes mail, three otherwise."""
    blocks = BlockedAddress.objects.standing()
    why = {block.address: Trouble(block.trouble).label.capitalize() for block in blocks}
    if not why:
        return []
    aboard = Assignment.objects.on_open_events().live().filter(event__booking__ends_at__gt=at)
    aboard = aboard.alias(address=Lower("member__email")).filter(address__in=why)
    guests = Booking.objects.standing().upcoming(at).alias(address=Lower("guest_email")).filter(address__in=why)
    found = [
        Unreached(a.event.booking, f"{a.member} as {a.get_role_display().lower()}", why[a.member.email.lower()])
        for a in aboard.select_related("event__booking__vessel", "member")
    ]
    found += [
        Unreached(b, f"{b.guest_name or 'The guest'}, the guest", why[b.guest_email.lower()])
        for b in guests.select_related("vessel")
    ]
    return sorted(found, key=lambda one: (one.booking.starts_at, one.who))
