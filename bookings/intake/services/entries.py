"""A booking that another system enters by the service API: an event like any other, but refused to its face."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from bookings.finance.services import FinanceWriteError, record_amounts
from bookings.intake.adapters.base import CERTAIN, Datum, Meaning, Reading, Source, Value
from bookings.intake.adapters.record import as_json, plain
from bookings.intake.enums import Arrival, MessageState
from bookings.intake.models import IntakeMessage
from bookings.intake.services.folding import take
from bookings.models import Booking, Vessel
from bookings.services import BookingRefused, InThePast, TripDetails, book, find_booking
from jada.audit.actors import Actor
from jada.audit.services import record


class AmountRefused(BookingRefused):
    """An amount cannot be so. The sentence says what amounts may be."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A booking as another system states it. Its notes are for the office; amounts are optional."""

    channel: str
    vessel: Vessel
    starts_at: datetime
    ends_at: datetime
    external_id: str = ""
    party_size: int | None = None
    guest_name: str = ""
    guest_email: str = ""
    guest_phone: str = ""
    notes: str = ""
    gross: Decimal | None = None
    fees: Decimal | None = None
    payout: Decimal | None = None
    currency: str = "USD"
    code: str = ""

    def said(self) -> dict[str, Datum]:
        """What it states, by the names that readings have."""
        names = ("external_id", "guest_name", "guest_email", "guest_phone", "party_size", "notes")
        stated = {name: getattr(self, name) for name in (*names, "gross", "fees", "payout")}
        stated |= {"vessel": self.vessel.key, "start": self.starts_at, "end": self.ends_at}
        if any(amount is not None for amount in (self.gross, self.fees, self.payout)):
            stated["currency"] = self.currency
        return {name: value for name, value in stated.items() if value not in (None, "")}


@dataclass(frozen=True, kw_only=True)
class Entered:
    booking: Booking
    created: bool  # False: it was there already, and is unchanged


@transaction.atomic
def enter_booking(*, entry: Entry, by: Actor, at: datetime, past_ok: bool = False) -> Entered:
    """Make the booking with its money, or raise `BookingRefused` and keep nothing: the caller hears the reason.

    The same (channel, external id), or the same entry without an id, answers the booking that is there.
    """
    raw = json.dumps(
        {"channel": entry.channel, **{name: plain(value) for name, value in entry.said().items()}}
    ).encode()
    digest = hashlib.sha256(raw).hexdigest()
    if existing := _existing(entry, digest):
        return Entered(booking=existing, created=False)
    if entry.starts_at < at and not past_ok:
        local = entry.starts_at.astimezone(entry.vessel.zone)
        raise InThePast(
            f"{local:%A %-d %B %Y, %-I:%M %p} is in the past: correct the date, "
            "or say past_ok if the trip really took place then."
        )
    message, _ = IntakeMessage.objects.get_or_create(
        sha256=digest,
        defaults={
            "raw": raw,
            "source": Arrival.API,
            "name": str(by)[:200],
            "channel": entry.channel,
            "received_at": at,
        },
    )
    reading = Reading(
        kind=Meaning.BOOKING,
        channel=entry.channel,
        fields={name: Value(value=value, confidence=CERTAIN, evidence=name) for name, value in entry.said().items()},
        sent_at=at,
    )
    try:
        booking = take(message, reading, Source.API, at=at, given_code=entry.code) if entry.external_id else None
        booking = booking or _book_without_id(entry, by=by, at=at)
    except FinanceWriteError as refusal:
        raise AmountRefused(str(refusal)) from None
    message.state, message.booking_ref, message.reading = MessageState.ACTED, booking.public_id, [as_json(reading)]
    message.save()
    record(act="intake.booking.entered", subject=booking.subject, by=by, at=at)
    return Entered(booking=booking, created=True)


def _existing(entry: Entry, digest: str) -> Booking | None:
    if entry.external_id:
        return find_booking(channel=entry.channel, external_id=entry.external_id)
    message = IntakeMessage.objects.filter(sha256=digest, state=MessageState.ACTED).first()
    return Booking.objects.filter(public_id=message.booking_ref).first() if message else None


def _book_without_id(entry: Entry, *, by: Actor, at: datetime) -> Booking:
    """No id, no later news: the booking is made and there is nothing to fold."""

    def write(booking: Booking) -> None:
        record_amounts(
            booking_id=booking.pk,
            gross=entry.gross,
            fees=entry.fees,
            payout=entry.payout,
            currency=entry.currency,
            by=by,
            at=at,
        )

    trip = TripDetails(
        vessel=entry.vessel,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        party_size=entry.party_size,
        guest_name=entry.guest_name,
        guest_email=entry.guest_email,
        guest_phone=entry.guest_phone,
        private_note=entry.notes,
    )
    stated = any(amount is not None for amount in (entry.gross, entry.fees, entry.payout))
    return book(
        channel=entry.channel,
        trip=trip,
        given_code=entry.code,
        by=by,
        at=at,
        past_ok=True,
        also=write if stated else None,
    )
