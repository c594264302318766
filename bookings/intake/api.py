"""Bookings from other systems. Amounts go in here and never come out; notes land where only the office reads.

Mounted by `jada.api`, which asks for the service key and turns refusals into answers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Header, Router, Schema, Status
from pydantic import ConfigDict, StringConstraints, field_validator, model_validator

from bookings.api import Day, Key, Period, PeriodUnclear, Text, vessel_of
from bookings.enums import Channel
from bookings.intake.adapters import values
from bookings.intake.services import Entry, enter_booking
from bookings.models import Booking, Vessel
from jada.audit.actors import Actor
from jada.keys import OLD_BODY_FIELD, caller
from jada.outbox.requests import once

router = Router(tags=["bookings"])

Amount = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
# Lines are welcome; other control characters are refused by PostgreSQL anyway.
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=4000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]


class NewBooking(Period):
    """A booking that stands. `date` with `start` is the clock at the dock; `starts_at` is an instant."""

    model_config = ConfigDict(extra="forbid")

    channel: Literal[tuple(Channel.values)] = Field("partner", description="who sold it")  # type: ignore[valid-type]  # the enum's own values
    external_id: Annotated[Text, StringConstraints(max_length=80)] = Field(
        "", description="the seller's id: the same again answers the booking that is there"
    )
    date: Day | None = Field(None, description="the vessel's local date; not needed with starts_at")
    vessel: Key | None = Field(None, description="its key; the main vessel when not given")
    party_size: int | None = Field(None, ge=1, le=1000)
    guest_count: int | None = Field(None, ge=1, le=1000, description="another name of party_size")
    guest_name: Annotated[Text, StringConstraints(max_length=120)] = ""
    guest_email: Annotated[Text, StringConstraints(max_length=254)] = ""
    guest_phone: Annotated[Text, StringConstraints(max_length=30)] = ""
    notes: Note = Field("", description="for the office; neither crew nor guest reads it")
    gross: Amount | None = None
    fees: Amount | None = Field(None, description="what the seller keeps")
    payout: Amount | None = Field(None, description="what the operator is paid")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    code: Annotated[str, StringConstraints(pattern=r"^([0-9A-Za-z]{7,16})?$")] = Field(
        "", description="the guest's code, where the seller has given one"
    )
    service_key: str = Field("", alias=OLD_BODY_FIELD, exclude=True, description="old clients only; use the header")

    @field_validator("guest_email")
    @classmethod
    def an_address(cls, address: str) -> str:
        if address and not values.read_email(address)[1]:
            raise ValueError("is not an e-mail address")
        return address

    @model_validator(mode="after")
    def one_number_of_guests(self) -> Self:
        if self.party_size and self.guest_count and self.party_size != self.guest_count:
            raise ValueError("party_size and guest_count differ: give one of them")
        return self


class Booked(Schema):
    """`code` is the guest page's, "" for a booking that has no page."""

    event_id: str
    ref: str
    code: str
    status: str


class Codes:
    """How an answer learns the guest's code: `jada.api` sets it, for the guests' app stands above this one."""

    of: Callable[[Booking], str] = staticmethod(lambda booking: booking.given_code)


@router.post("/events", response={200: Booked, 201: Booked}, summary="Put a booking in")
def put_booking(
    request: HttpRequest, payload: NewBooking, idempotency_key: Annotated[str, Header(max_length=200)] = ""
) -> Status[dict[str, Any]]:
    """201 when it was made, 200 when the seller's id was here already (it is then left as it is).

    409 names what stands in the way on the vessel; 422 says what to correct, such as more guests than the vessel may
    carry or a trip in the past (which `past_ok` allows).
    """
    kid = caller(request).kid

    def act() -> tuple[int, dict[str, Any]]:
        entered = enter_booking(
            entry=_entry(payload), by=Actor.service(kid), at=timezone.now(), past_ok=payload.past_ok
        )
        return 201 if entered.created else 200, _answer(entered.booking)

    asked = payload.model_dump(mode="json")
    return Status(*once(scope=f"events:{kid}", key=idempotency_key, request=asked, act=act))


def _answer(booking: Booking) -> dict[str, Any]:
    booked = Booked(event_id=booking.public_id, ref=booking.ref, code=Codes.of(booking), status=booking.status)
    return booked.model_dump(mode="json")


def _entry(asked: NewBooking) -> Entry:
    vessel = vessel_of(asked.vessel)
    start = _start(asked, vessel)
    phone, is_phone = values.read_phone(asked.guest_phone)
    return Entry(
        channel=asked.channel,
        external_id=asked.external_id,
        vessel=vessel,
        starts_at=start,
        ends_at=_end(asked, start),
        party_size=asked.party_size or asked.guest_count,
        guest_name=asked.guest_name,
        guest_email=asked.guest_email,
        guest_phone=phone if phone and is_phone else asked.guest_phone,
        notes=asked.notes,
        gross=asked.gross,
        fees=asked.fees,
        payout=asked.payout,
        currency=asked.currency,
        code=asked.code,
    )


def _start(asked: NewBooking, vessel: Vessel) -> datetime:
    if asked.starts_at:
        if asked.date and asked.starts_at.astimezone(vessel.zone).date() != asked.date:
            raise PeriodUnclear(
                f"starts_at is not on {asked.date:%-d %B %Y} at {vessel}'s dock: correct one of the two."
            )
        return asked.starts_at
    if not asked.date or not asked.start:
        raise PeriodUnclear("Say when it starts: starts_at (an instant), or date with start (13:30, at the dock).")
    start, why = values.local(datetime.combine(asked.date, time.fromisoformat(asked.start)), vessel.zone)
    if start is None:
        raise PeriodUnclear(f"{why} Give starts_at with its offset instead.")
    return start


def _end(asked: NewBooking, start: datetime) -> datetime:
    if asked.ends_at:
        return asked.ends_at
    if not asked.duration_hours:
        raise PeriodUnclear("Say when it ends: add duration_hours or ends_at.")
    return start.astimezone(UTC) + timedelta(hours=float(asked.duration_hours))
