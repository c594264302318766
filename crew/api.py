"""Crew events for other systems: the same revenue-blind view that the events table holds, and a few ways to change it.

Mounted by `jada.api`, which asks for the service key and turns refusals into answers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Path, Router, Schema
from pydantic import AwareDatetime, ConfigDict, StringConstraints

from bookings.services import TripDetails, amend_booking
from crew import services
from crew.manifest import CrewEventView
from crew.models import CrewEvent
from jada.audit.actors import Actor
from jada.keys import caller

router = Router(tags=["crew events"])

EventId = Annotated[str, Path(pattern=r"^[0-9A-Z]{4,16}$", description="the booking's public id")]
Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2100, 1, 1, tzinfo=UTC))]
# Lines are welcome; other control characters are refused by PostgreSQL anyway.
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=2000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*$")
]


class CrewPlace(Schema):
    role: str
    name: str
    state: str


class EventAnswer(Schema):
    """What crew may know of a trip. It has no amount, no surname and no contact, and never will."""

    event_id: str
    status: str
    vessel: str
    date: str
    call_time: str
    call_at: str
    starts_at: str
    ends_at: str
    time_zone: str
    guest: str
    party_size: int
    dock: str
    public_note: str
    occasion: str
    payment_state: str
    banner: str
    ready: bool
    crew: list[CrewPlace]
    checklist_done: int
    checklist_total: int


class EventChange(Schema):
    """Only these can be changed here; a trip that gets another start keeps its length unless `ends_at` says otherwise."""

    model_config = ConfigDict(extra="forbid")

    public_note: Note | None = Field(None, description="what crew read; no amounts")
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    party_size: int | None = Field(None, ge=1, le=1000)


@router.get("/events/{event_id}", response=EventAnswer, summary="A crew event")
def read_event(request: HttpRequest, event_id: EventId) -> CrewEventView:
    return services.event_view(_event(event_id))


@router.patch("/events/{event_id}", response=EventAnswer, summary="Change a crew event")
def change_event(request: HttpRequest, event_id: EventId, payload: EventChange) -> CrewEventView:
    """The trip itself is changed: its calendar entry, guest page and crew follow, and whoever must hear of it does."""
    event = _event(event_id)
    trip = _changed(TripDetails.of(event.booking), payload)
    services.refuse_money(payload.public_note or "")
    by = Actor.service(caller(request).kid)
    amend_booking(booking=event.booking, trip=trip, by=by, at=timezone.now())
    return services.event_view(_event(event_id))


def _changed(trip: TripDetails, payload: EventChange) -> TripDetails:
    if payload.public_note is not None:
        trip = replace(trip, public_note=payload.public_note)
    if payload.party_size is not None:
        trip = replace(trip, party_size=payload.party_size)
    if payload.starts_at is not None:
        length = trip.ends_at - trip.starts_at
        trip = replace(trip, starts_at=payload.starts_at, ends_at=payload.starts_at + length)
    if payload.ends_at is not None:
        trip = replace(trip, ends_at=payload.ends_at)
    return trip


def _event(event_id: str) -> CrewEvent:
    event = CrewEvent.objects.select_related("booking__vessel__berth").filter(booking__public_id=event_id).first()
    if event is None:
        raise Http404
    return event
