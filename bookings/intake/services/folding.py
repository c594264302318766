"""From a reading to the booking: keep it as an event, fold all events of its id, and bring the booking to the result.

Runs inside the caller's savepoint: what is refused here leaves no event and no half-made booking behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from bookings import services as trips
from bookings.enums import BookingStatus, Channel
from bookings.finance.services import amounts_of, record_amounts
from bookings.intake.adapters.base import AMOUNTS, Datum, Meaning, Reading, Source
from bookings.intake.adapters.engine import NAMES
from bookings.intake.adapters.fold import Event, Folded, Standing, fold, merge
from bookings.intake.adapters.record import plain
from bookings.intake.models import IntakeEvent, IntakeMessage, Listing
from bookings.models import Booking, Product, Vessel
from bookings.services import Also, BookingRefused, TripDetails, find_booking
from jada.audit.actors import Actor
from jada.outbox.entries import lock_lane

# A booking's field -> the name that readings and events have for it.
TRIP = {
    "starts_at": "start",
    "ends_at": "end",
    "party_size": "party_size",
    "guest_name": "guest_name",
    "guest_email": "guest_email",
    "guest_phone": "guest_phone",
    "private_note": "notes",  # what a channel or a guest wrote never reaches crew by itself
}


class NotActed(BookingRefused):
    """A person must decide. The sentence says what about."""


class ListingUnknown(NotActed):
    """No vessel is set for the listing. Map it; the messages that wait for it are then read again."""

    def __init__(self, channel: str, title: str) -> None:
        super().__init__(f"Nobody has said yet which vessel “{title}” on {Channel(channel).label} is: map the listing.")
        self.channel, self.title = channel, title


class OfficeChangedIt(NotActed):
    """The office and the channel both changed the same thing, differently."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a trip is to be sailed, and as what."""

    vessel: Vessel
    product: Product | None = None


def take(
    message: IntakeMessage, reading: Reading, source: Source, *, at: datetime, given_code: str = ""
) -> Booking | None:
    """Keep what was said and act on it. None: it is kept until its booking comes. Raises `BookingRefused`."""
    channel, external_id = reading.channel, reading.external_id
    _one_at_a_time(reading)
    event = _keep(message, reading, source)
    booking = find_booking(channel=channel, external_id=external_id)
    if event is None:
        return booking  # it was said before
    said = list(IntakeEvent.objects.filter(channel=channel, external_id_norm=normal(external_id)))
    after = fold(_plain_event(row) for row in said)
    if source == Source.FEED and booking:
        _refuse_silent_move(booking, reading, after, said)
        if booking.status == BookingStatus.CANCELLED:
            return booking  # a calendar forgets late, and revives nothing
    earlier = [_plain_event(row) for row in said if row.pk != event.pk]
    before = fold(earlier) if earlier and booking else None  # without a booking, nothing of it was applied yet
    return _Act(channel, external_id, before, after, at, given_code).on(booking)


def _refuse_silent_move(booking: Booking, reading: Reading, after: Folded, said: list[IntakeEvent]) -> None:
    """A calendar that is newer than every message and shows another time: a message was lost, or never sent."""
    known = max((row.sent_at for row in said if row.source != Source.FEED), default=None)
    moved = any(after.fields.get(name) != reading.get(name) for name in ("start", "end"))
    if moved and booking.is_standing and known and reading.sent_at and known < reading.sent_at:
        start = reading.get("start")
        when = f"{start:%A %-d %B %Y, %-I:%M %p}" if isinstance(start, datetime) else "another time"
        raise NotActed(
            f"The calendar now has {booking.ref} at {when}, and no message said so: "
            "look at the channel, then change the booking or dismiss this message."
        )


def normal(external_id: str) -> str:
    """As `Booking.external_id_norm`: ids that differ only in case or by a leading # are one id."""
    return external_id.lstrip("#").strip().casefold()


def _one_at_a_time(reading: Reading) -> None:
    """Two messages about one trip come through here one after the other: the second sees the first one's event."""
    booking = find_booking(channel=reading.channel, external_id=reading.external_id)
    listing = None if booking else _listing(reading.channel, str(reading.get("listing") or ""))
    vessel = booking.vessel if booking else listing.vessel if listing else None
    if vessel:
        Vessel.objects.select_for_update().get(pk=vessel.pk)
    # A cancellation need not name a listing that is known: then only the trip's own id keeps the two apart.
    lock_lane(f"intake:{reading.channel}:{normal(reading.external_id)}")


# --- events ----------------------------------------------------------------------------------------------------------


def _keep(message: IntakeMessage, reading: Reading, source: Source) -> IntakeEvent | None:
    """The new event; None if the channel had said the same before (a feed says it at every reading)."""
    said = {name: plain(value.value) for name, value in reading.fields.items() if name != "external_id"}
    sent_at = reading.sent_at or message.received_at
    same = IntakeEvent.objects.filter(channel=reading.channel, external_id_norm=normal(reading.external_id))
    if source == Source.FEED:
        latest = same.filter(source=source).order_by("sent_at", "pk").last()
        if latest and (latest.kind, latest.fields) == (str(reading.kind), said):
            return None
    content = json.dumps([str(reading.kind), said, source, sent_at.timestamp()], sort_keys=True)
    fingerprint = hashlib.sha256(content.encode()).hexdigest()
    if same.filter(fingerprint=fingerprint).exists():
        return None
    return IntakeEvent.objects.create(
        message=message,
        channel=reading.channel,
        external_id_norm=normal(reading.external_id),
        fingerprint=fingerprint,
        kind=str(reading.kind),
        source=source,
        sent_at=sent_at,
        received_at=message.received_at,
        fields=said,
    )


def _plain_event(row: IntakeEvent) -> Event:
    return Event(
        kind=Meaning(row.kind),
        source=Source(row.source),
        sent_at=row.sent_at,
        received_at=row.received_at,
        fields={name: _restored(name, value) for name, value in row.fields.items()},
    )


def _restored(name: str, value: str | int) -> Datum:
    if name in ("start", "end"):
        return datetime.fromisoformat(str(value))
    return Decimal(value) if name in AMOUNTS else value


# --- acting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Act:
    """One application of a fold to the booking that it is about."""

    channel: str
    external_id: str
    before: Folded | None
    after: Folded
    at: datetime
    given_code: str = ""

    @property
    def by(self) -> Actor:
        return Actor.channel(Channel(self.channel).label)

    def on(self, booking: Booking | None) -> Booking | None:
        if booking is None:
            return self._begin()
        if self.after.standing == Standing.CANCELLED:
            return trips.cancel_booking(
                booking=booking, reason=self._reason(), by=self.by, at=self.at, also=self._money()
            )
        if booking.status == BookingStatus.CANCELLED:
            return self._reinstate(booking)
        booking = trips.amend_booking(
            booking=booking,
            trip=self._merged(booking),
            by=self.by,
            at=self.at,
            reason=f"{Channel(self.channel).label} says so",
            past_ok=True,
            also=self._money(),
        )
        confirmed = self.after.standing == Standing.BOOKED and not booking.is_standing
        return trips.confirm_booking(booking=booking, by=self.by, at=self.at) if confirmed else booking

    def _begin(self) -> Booking | None:
        """The first time that enough is known; a trip that was cancelled before it came is made, silently, as cancelled."""
        cancelled = self.after.standing == Standing.CANCELLED
        if self.after.standing == Standing.UNCONFIRMED or (cancelled and not self.after.was_booked):
            return None
        booking = trips.book(
            channel=self.channel,
            external_id=self.external_id,
            given_code=self.given_code,
            trip=self._trip(_place_of(self.channel, self.after)),
            status=BookingStatus.INQUIRY if cancelled else BookingStatus.CONFIRMED,
            by=self.by,
            at=self.at,
            past_ok=True,  # an old mail makes its booking; that it was sent before the trip was checked
            tell=not cancelled,
            also=self._money(),
        )
        if not cancelled:
            return booking
        return trips.cancel_booking(booking=booking, reason=self._reason(), by=self.by, at=self.at, tell=False)

    def _reinstate(self, booking: Booking) -> Booking:
        """The channel confirms anew what it had cancelled; what the office cancelled stays so until the office decides."""
        if self.before is None or self.before.standing != Standing.CANCELLED:
            raise OfficeChangedIt(
                f"The office cancelled {booking.ref}, and {Channel(self.channel).label} has news of it: "
                "book it anew by hand if it is to sail, then dismiss this message."
            )
        trip = self._trip(_place_of(self.channel, self.after), booking)
        return trips.reinstate_booking(booking=booking, trip=trip, by=self.by, at=self.at, also=self._money())

    def _reason(self) -> str:
        return f"Cancelled on {Channel(self.channel).label}"

    # --- the trip ---

    def _trip(self, place: Place, booking: Booking | None = None) -> TripDetails:
        """The trip as the channel has it, over what else is known of the booking."""
        known = {field.name: getattr(booking, field.name) for field in fields(TripDetails)} if booking else {}
        said = {name: self.after.fields[field] for name, field in TRIP.items() if field in self.after.fields}
        usual = {"party_size": None}
        return TripDetails(**(usual | known | said | {"vessel": place.vessel, "product": place.product}))

    def _merged(self, booking: Booking) -> TripDetails:
        """What the channel changed, over what the office changed; both at once is for a person."""
        before: Mapping[str, Datum] = self.before.fields if self.before else {}
        values: dict[str, object] = {}
        changed_twice = []
        for name, field in TRIP.items():
            merged = merge(before=before.get(field), after=self.after.fields.get(field), now=getattr(booking, name))
            values[name] = merged.value
            changed_twice += [NAMES[field]] if merged.conflict else []
        if self._listing(self.after) != self._listing(self.before):
            place = _place_of(self.channel, self.after)
            was = _place_of(self.channel, self.before).vessel if self.before else booking.vessel
            merged = merge(before=was, after=place.vessel, now=booking.vessel)
            values |= {"vessel": merged.value, "product": place.product or booking.product}
            changed_twice += ["the vessel"] if merged.conflict else []
        if changed_twice:
            raise OfficeChangedIt(_both(booking, ", ".join(changed_twice)))
        known = {field.name: getattr(booking, field.name) for field in fields(TripDetails)}
        return TripDetails(**(known | values))

    @staticmethod
    def _listing(folded: Folded | None) -> tuple[str, str]:
        said = folded.fields if folded else {}
        return str(said.get("vessel", "")), " ".join(str(said.get("listing", "")).split()).casefold()

    # --- the money ---

    def _money(self) -> Also | None:
        """What writes the amounts that the channel changed, before anybody hears of the booking."""
        said = {name: value for name, value in self.after.fields.items() if name in AMOUNTS}
        if not said:
            return None
        before: Mapping[str, Datum] = self.before.fields if self.before else {}

        def write(booking: Booking) -> None:
            row = amounts_of(booking_id=booking.pk)
            merged = {
                name: merge(before=before.get(name), after=value, now=getattr(row, name, None))
                for name, value in said.items()
            }
            if twice := [name for name, one in merged.items() if one.conflict]:
                raise OfficeChangedIt(_both(booking, ", ".join(NAMES[name] for name in twice)))
            amounts = {name: one.value for name, one in merged.items() if isinstance(one.value, Decimal)}
            currency = str(self.after.fields.get("currency") or "USD")
            record_amounts(booking_id=booking.pk, **amounts, currency=currency, by=self.by, at=self.at)

        return write


def _both(booking: Booking, what: str) -> str:
    return (
        f"The office and the channel both changed {booking.ref} ({what}), differently: "
        "set the booking as it is to be, then read this message again or dismiss it."
    )


def _place_of(channel: str, folded: Folded) -> Place:
    """The vessel that was named, or that is set for the listing; raises `ListingUnknown`."""
    if key := folded.fields.get("vessel"):
        return Place(vessel=Vessel.objects.get(key=key))
    title = str(folded.fields.get("listing") or "")
    if listing := _listing(channel, title):
        return Place(vessel=listing.vessel, product=listing.product)
    if title:
        raise ListingUnknown(channel, title)
    raise NotActed("It does not say which listing was booked, so nobody knows which vessel.")


def _listing(channel: str, title: str) -> Listing | None:
    title = " ".join(title.split())
    return Listing.objects.select_related("vessel", "product").filter(channel=channel, title__iexact=title).first()
