"""Announcing that a crew event differs from what it was: its copy outside, its readiness, whoever listens."""

from __future__ import annotations

from datetime import datetime

from bookings.enums import PaymentState
from crew.enums import Anchor, AssignmentStatus, EventStatus
from crew.models import CrewEvent
from crew.signals import crew_changed
from jada.audit.actors import Actor
from jada.outbox.entries import enqueue

TOPIC = "crew.event"


def announce(event: CrewEvent, *, by: Actor, at: datetime) -> None:
    """The last step of every act on a crew event, in its transaction."""
    event.ready = is_ready(event)
    event.save(update_fields=["ready"])
    enqueue(TOPIC, event.public_id, subject=event.booking.subject)
    crew_changed.send(sender=CrewEvent, event=event, booking=event.booking, by=by, at=at)


def is_ready(event: CrewEvent) -> bool:
    """Clear to depart: everyone confirmed, every required task before departure done, paid in full."""
    if event.status != EventStatus.OPEN or event.booking.payment_state != PaymentState.PAID_IN_FULL:
        return False
    confirmed = event.assignments.filter(status=AssignmentStatus.ACCEPTED, place__isnull=False).count()
    if confirmed < event.places.count():
        return False
    return not event.items.filter(required=True, anchor=Anchor.DEPARTURE, minutes__lte=0, done_at=None).exists()
