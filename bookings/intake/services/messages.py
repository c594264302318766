"""The intake inbox: every message is kept as it came; what is certain is acted on, the rest stands before a person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction

from bookings.finance.services import FinanceWriteError
from bookings.intake.adapters.base import Meaning, Reading, Sheet, Source
from bookings.intake.adapters.feed import is_feed
from bookings.intake.adapters.markup import tidy
from bookings.intake.adapters.record import Json, as_json
from bookings.intake.adapters.registry import read
from bookings.intake.enums import Arrival, MessageState
from bookings.intake.models import IntakeMessage, Listing
from bookings.intake.services.folding import ListingUnknown, take
from bookings.models import Booking, Product, Vessel
from bookings.services import BookingRefused
from jada.audit.actors import Actor
from jada.audit.services import record


class AlreadyDecided(BookingRefused):
    """The message waits for nobody any more."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What became of a message. `fresh` is False for bytes that had come before: then nothing was done."""

    message: IntakeMessage
    bookings: tuple[Booking, ...] = ()
    fresh: bool = True

    @property
    def many(self) -> bool:
        """Whether it was a feed: a file of any number of records."""
        return is_feed(bytes(self.message.raw))

    @property
    def quarantined(self) -> bool:
        return self.message.state == MessageState.QUARANTINED

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self.message.problems)


def preview(*, raw: bytes, name: str) -> Sheet:
    """Read a message as it would be read, and keep nothing."""
    return _read(raw, name)


@transaction.atomic
def accept_message(*, raw: bytes, name: str, source: Arrival, by: Actor, at: datetime) -> Accepted:
    """Keep a message and do what it says, if that is certain. The same bytes again answer what they answered first."""
    digest = hashlib.sha256(raw).hexdigest()
    message = IntakeMessage(raw=raw, sha256=digest, source=source, name=tidy(name)[:200], received_at=at)
    try:
        with transaction.atomic():
            message.save()
    except IntegrityError:  # it came before, perhaps a moment ago
        return _answered(IntakeMessage.objects.get(sha256=digest))
    record(act="intake.message.kept", subject=message.public_name, by=by, at=at, detail={"source": str(source)})
    return _judge(message, by=by, at=at)


@transaction.atomic
def reread_message(*, message: IntakeMessage, by: Actor, at: datetime) -> Accepted:
    """Read a waiting message again: a listing was mapped, the vessel is free now, or the reader has learned."""
    message = _waiting(message)
    accepted = _judge(message, by=by, at=at)
    if not accepted.quarantined:
        _decide(message, "Read again", by=by, at=at)
    return accepted


@transaction.atomic
def dismiss_message(*, message: IntakeMessage, reason: str, by: Actor, at: datetime) -> IntakeMessage:
    """A person has seen to it, or it is nothing. The message and the reason are kept."""
    message = _waiting(message)
    message.state = MessageState.IGNORED
    _decide(message, reason, by=by, at=at)
    detail = {"reason": reason[:200]}
    record(act="intake.message.dismissed", subject=message.public_name, by=by, at=at, detail=detail)
    return message


@transaction.atomic
def map_listing(
    *, channel: str, title: str, vessel: Vessel, product: Product | None = None, by: Actor, at: datetime
) -> tuple[Listing, tuple[Accepted, ...]]:
    """Say which vessel a listing is, and read again what waited for that."""
    title = " ".join(title.split())
    listing = Listing.objects.filter(channel=channel, title__iexact=title).first() or Listing(
        channel=channel, title=title
    )
    listing.vessel, listing.product = vessel, product
    listing.save()
    detail = {"channel": channel, "title": title, "vessel": vessel.key}
    record(act="intake.listing.mapped", subject=f"listing:{listing.pk}", by=by, at=at, detail=detail)
    waited = IntakeMessage.objects.naming(channel, title).order_by("received_at", "pk")
    return listing, tuple(reread_message(message=message, by=by, at=at) for message in waited)


def _waiting(message: IntakeMessage) -> IntakeMessage:
    message = IntakeMessage.objects.select_for_update().get(pk=message.pk)
    if message.state != MessageState.QUARANTINED:
        raise AlreadyDecided(f"“{message.title}” waits for nobody any more: {message.get_state_display().lower()}.")
    return message


def _decide(message: IntakeMessage, decision: str, *, by: Actor, at: datetime) -> None:
    message.decided_by, message.decided_at, message.decision = str(by)[:150], at, decision[:200]
    message.save()


def _answered(message: IntakeMessage) -> Accepted:
    bookings = Booking.objects.filter(public_id=message.booking_ref) if message.booking_ref else ()
    return Accepted(message=message, bookings=tuple(bookings), fresh=False)


# --- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What became of one reading."""

    state: MessageState
    booking: Booking | None = None
    problems: tuple[str, ...] = ()
    listing: str = ""


def _judge(message: IntakeMessage, *, by: Actor, at: datetime) -> Accepted:
    """Read the message, act on each of its readings by itself, and write down what became of it."""
    sheet = _read(bytes(message.raw), message.name)
    outcomes = [_act_on(message, reading, sheet.source, at=at) for reading in sheet.readings]
    bookings = {outcome.booking.pk: outcome.booking for outcome in outcomes if outcome.booking}
    message.channel, message.sender, message.subject = sheet.channel, sheet.sender[:254], sheet.subject[:300]
    message.state = _worst(outcome.state for outcome in outcomes)
    message.problems = list(dict.fromkeys(problem for outcome in outcomes for problem in outcome.problems))
    message.reading = [_explained(reading, sheet) for reading in sheet.readings]
    message.listing = next((outcome.listing for outcome in outcomes if outcome.listing), "")[:200]
    message.booking_ref = next((booking.public_id for booking in bookings.values()), "") if len(bookings) == 1 else ""
    if sheet.many and message.state == MessageState.QUARANTINED and (waiting := _waits_already(message)):
        message.state, message.decision = MessageState.IGNORED, f"Says what {waiting} says, which waits already"
    message.save()
    detail = {"bookings": [booking.ref for booking in bookings.values()]}
    record(act=f"intake.message.{message.state}", subject=message.public_name, by=by, at=at, detail=detail)
    return Accepted(message=message, bookings=tuple(bookings.values()))


def _waits_already(message: IntakeMessage) -> IntakeMessage | None:
    """A calendar comes again and again: the same entries with the same problems stand in the inbox once."""
    if not message.channel:
        return None  # nobody knows whose calendar it is, so none is like another
    others = IntakeMessage.objects.waiting().exclude(pk=message.pk).filter(channel=message.channel)
    said = (message.problems, message.reading)
    return next((other for other in others.defer("raw") if (other.problems, other.reading) == said), None)


def _act_on(message: IntakeMessage, reading: Reading, source: Source, *, at: datetime) -> _Outcome:
    if reading.problems:
        return _Outcome(state=MessageState.QUARANTINED, problems=reading.problems)
    if reading.kind == Meaning.NOT_A_BOOKING:
        return _Outcome(state=MessageState.IGNORED)
    try:
        with transaction.atomic():  # what is refused leaves nothing behind but the message
            booking = take(message, reading, source, at=at)
    except ListingUnknown as unknown:
        return _Outcome(state=MessageState.QUARANTINED, problems=(str(unknown),), listing=unknown.title)
    except (BookingRefused, FinanceWriteError) as refusal:
        return _Outcome(state=MessageState.QUARANTINED, problems=(str(refusal),))
    return _Outcome(state=MessageState.ACTED if booking else MessageState.READ, booking=booking)


def _worst(states: Iterable[MessageState]) -> MessageState:
    order = [MessageState.IGNORED, MessageState.READ, MessageState.ACTED, MessageState.QUARANTINED]
    return max(states, key=order.index, default=MessageState.IGNORED)


def _read(raw: bytes, name: str) -> Sheet:
    """Read with the clock of the dock: the operator's own, or that of the vessel whose listing the message names."""
    office = ZoneInfo(settings.TIME_ZONE)
    sheet = read(raw, name=name, zone=office, staff_domains=settings.STAFF_DOMAINS)
    titles = {" ".join(str(reading.get("listing") or "").split()) for reading in sheet.readings}
    if len(titles) != 1:
        return sheet
    listing = Listing.objects.select_related("vessel").filter(channel=sheet.channel, title__iexact=titles.pop()).first()
    if listing is None or listing.vessel.time_zone == settings.TIME_ZONE:
        return sheet
    return read(raw, name=name, zone=listing.vessel.zone, staff_domains=settings.STAFF_DOMAINS)


def _explained(reading: Reading, sheet: Sheet) -> Json:
    """The record, with where each field was read and how sure that is."""
    evidence = {
        name: {"line": value.evidence, "confidence": value.confidence} for name, value in reading.fields.items()
    }
    unknown = list(reading.unknown_labels)
    return as_json(reading, stamped=not sheet.many) | {"evidence": evidence, "unknown_labels": unknown}
