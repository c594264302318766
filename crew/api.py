"""Crew events for other systems: the same revenue-blind view that the events table holds, and a few ways to change it.

Mounted by `jada.api`, which asks for the service key and turns refusals into answers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import parse_etags, quote_etag
from ninja import Field, Header, Path, Router, Schema
from pydantic import AwareDatetime, ConfigDict, StringConstraints

from bookings.services import ChangedMeanwhile, TripDetails, change_booking
from crew import services
from crew.models import CrewEvent
from jada.audit.actors import Actor
from jada.keys import caller
from jada.outbox.requests import once

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
def read_event(request: HttpRequest, response: HttpResponse, event_id: EventId) -> dict[str, Any]:
    """Its ETag is for the If-Match of a change."""
    return _with_tag(_answer(event_id), response)


@router.patch("/events/{event_id}", response=EventAnswer, summary="Change a crew event")
def change_event(
    request: HttpRequest,
    response: HttpResponse,
    event_id: EventId,
    payload: EventChange,
    *,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
    if_match: Annotated[str, Header(max_length=400, description="ETag of the event as it was read")] = "",
) -> dict[str, Any]:
    """The trip itself is changed: its calendar entry, guest page and crew follow, and whoever must hear of it does.

    Send an Idempotency-Key, and the same again when there was no answer: the change is made once, and one that was
    held up on its way does not undo a newer one. With If-Match it is refused (412) if the event has changed since.
    """
    kid = caller(request).kid

    def change(trip: TripDetails) -> TripDetails:
        _refuse_unseen(event_id, if_match)
        return _changed(trip, payload)

    def act() -> tuple[int, dict[str, Any]]:
        booking = _event(event_id).booking
        services.refuse_money(payload.public_note or "")
        change_booking(booking=booking, change=change, by=Actor.service(kid), at=timezone.now())
        return 200, _answer(event_id)

    asked = {"event": event_id} | payload.model_dump(mode="json", exclude_unset=True)
    _, answer = once(scope=f"changes:{kid}", key=idempotency_key, request=asked, act=act)
    return _with_tag(answer, response)


def _refuse_unseen(event_id: str, if_match: str) -> None:
    """Call it when nobody else can change the trip any more."""
    if if_match and not {"*", _tag(_answer(event_id))} & set(parse_etags(if_match)):
        raise ChangedMeanwhile("The event has changed since you read it: read it again, and decide anew.")


def _answer(event_id: str) -> dict[str, Any]:
    """As JSON, because an answer may be kept and given again."""
    return EventAnswer(**asdict(services.event_view(_event(event_id)))).model_dump(mode="json")


def _with_tag(answer: dict[str, Any], response: HttpResponse) -> dict[str, Any]:
    response["ETag"] = _tag(answer)
    return answer


def _tag(answer: dict[str, Any]) -> str:
    return quote_etag(hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest()[:32])


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
