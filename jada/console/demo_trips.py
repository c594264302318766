"""The demo's trips around today, booked through the one door: over, coming, quoted, and the reference charter.

They find their place by days from the day of the first run; afterwards they stand where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial

from bookings.calendar import later
from bookings.enums import BookingStatus, Channel
from bookings.finance.enums import PaymentKind, PaymentMethod
from bookings.finance.services import log_payment, record_amounts
from bookings.models import Booking, Product, Vessel
from bookings.services import TripDetails, book, find_booking
from crew.enums import AssignmentStatus, Role
from crew.models import CrewMember
from crew.services import accept, assign_member, decline, event_of
from jada.audit.actors import Actor
from jada.console.season.trips import hold_for_quote

BY = Actor("system", "demo")
SEED_CODE = "XHQGMDH"
BOOKED_BEFORE = timedelta(days=10)  # a trip that is over was booked so long before it
QUOTE_STANDS = timedelta(days=3)

Line = tuple[PaymentKind, PaymentMethod, str]


@dataclass(frozen=True, kw_only=True)
class DemoTrip:
    """A trip `days` from today. `aboard` sailed on it if it is over; `says` is what the invited answer:
    "yes", "captain away" or nothing yet.
    """

    key: str
    channel: Channel
    vessel: str
    days: int
    starts: time
    hours: int
    party: int
    guest: str
    gross: str
    fees: str = "0.00"
    paid: Sequence[Line] = ()
    aboard: Sequence[tuple[str, Role]] = ()
    says: str = ""
    status: BookingStatus = BookingStatus.CONFIRMED
    occasion: str = ""


TRIPS = (
    DemoTrip(
        key="demo-birthday",
        channel=Channel.DIRECT,
        vessel="halcyon",
        days=-9,
        starts=time(14),
        hours=3,
        party=9,
        guest="Odette Marsh",
        gross="1575.00",
        paid=(
            (PaymentKind.DEPOSIT, PaymentMethod.CARD, "500.00"),
            (PaymentKind.BALANCE, PaymentMethod.ZELLE, "1075.00"),
        ),
        aboard=(("marta", Role.CAPTAIN), ("iris", Role.FIRST_MATE), ("wren", Role.DECKHAND)),
        status=BookingStatus.COMPLETED,
        occasion="Birthday",
    ),
    DemoTrip(
        key="demo-morning",
        channel=Channel.GETMYBOAT,
        vessel="jada",
        days=-2,
        starts=time(9),
        hours=2,
        party=5,
        guest="Emil Castellanos",
        gross="590.00",
        fees="76.70",
        paid=((PaymentKind.CHANNEL_PAYOUT, PaymentMethod.CHANNEL, "513.30"),),
        aboard=(("ned", Role.CAPTAIN), ("cole", Role.FIRST_MATE), ("tove", Role.DECKHAND)),
        status=BookingStatus.COMPLETED,
    ),
    DemoTrip(
        key="demo-tomorrow",
        channel=Channel.DIRECT,
        vessel="marisol-catamaran",
        days=1,
        starts=time(10),
        hours=2,
        party=6,
        guest="Harper Lindqvist",
        gross="480.00",
        paid=((PaymentKind.DEPOSIT, PaymentMethod.CARD, "250.00"),),
        says="yes",
    ),
    DemoTrip(
        key="demo-captain-away",
        channel=Channel.SAILO,
        vessel="jada",
        days=3,
        starts=time(9),
        hours=2,
        party=4,
        guest="Yusra Haddad",
        gross="590.00",
        fees="88.50",
        paid=((PaymentKind.CHANNEL_PAYOUT, PaymentMethod.CHANNEL, "501.50"),),
        says="captain away",
    ),
    DemoTrip(
        key="demo-hotel",
        channel=Channel.PARTNER,
        vessel="halcyon",
        days=12,
        starts=time(13),
        hours=3,
        party=12,
        guest="Bram Okafor",
        gross="1575.00",
        occasion="Team afternoon",
    ),
    DemoTrip(
        key="demo-quote",
        channel=Channel.DIRECT,
        vessel="marisol-catamaran",
        days=16,
        starts=time(15),
        hours=3,
        party=8,
        guest="Liv Santoro",
        gross="690.00",
        status=BookingStatus.QUOTED,
        occasion="Anniversary",
    ),
)

# Three guests on the coming 30 May: 840.75 gross, of which 250.00, 150.00 and 151.34 leave 289.41.
SEED = DemoTrip(
    key=SEED_CODE,
    channel=Channel.BOATSETTER,
    vessel="jada",
    days=0,
    starts=time(13),
    hours=3,
    party=3,
    guest="Rosalind Keane",
    gross="840.75",
    paid=((PaymentKind.CHANNEL_PAYOUT, PaymentMethod.CHANNEL, "840.75"),),
)


def book_trips(*, at: datetime) -> int:
    """Book what is missing; answers how many. The same `at` makes the same trips."""
    return sum(_book(trip, at) for trip in (replace(SEED, days=_days_to_seed(at)), *TRIPS))


def _days_to_seed(at: datetime) -> int:
    """To the coming 30 May, at its hour on JADA's clock."""
    local = at.astimezone(Vessel.objects.get(key=SEED.vessel).zone)
    starts = (datetime(year, 5, 30, SEED.starts.hour, tzinfo=local.tzinfo) for year in (local.year, local.year + 1))
    return (next(start for start in starts if start > at).date() - local.date()).days


def _book(trip: DemoTrip, at: datetime) -> bool:
    if find_booking(channel=trip.channel, external_id=trip.key):
        return False
    details = _details(trip, at)
    acted_at = min(at, details.starts_at - BOOKED_BEFORE) if trip.days < 0 else at
    booking = book(
        channel=trip.channel,
        external_id=trip.key,
        given_code=trip.key if trip.key == SEED_CODE else "",
        trip=details,
        status=trip.status,
        by=BY,
        at=acted_at,
        past_ok=True,
        tell=trip.days >= 0,
        also=partial(_complete, trip=trip, at=acted_at),
    )
    if booking.hold_until:
        hold_for_quote(booking, at=at)
    for kind, method, amount in trip.paid:
        log_payment(booking=booking, kind=kind, method=method, amount=Decimal(amount), by=BY, at=acted_at)
    _answer(booking, trip, at=acted_at)
    return True


def _details(trip: DemoTrip, at: datetime) -> TripDetails:
    vessel = Vessel.objects.get(key=trip.vessel)
    day = at.astimezone(vessel.zone).date() + timedelta(days=trip.days)
    start = datetime.combine(day, trip.starts, vessel.zone)
    name = trip.guest.split()[0].lower()
    return TripDetails(
        vessel=vessel,
        product=Product.objects.get(key=f"private-{trip.hours}h"),
        starts_at=start,
        ends_at=later(start, timedelta(hours=trip.hours)),
        party_size=trip.party,
        guest_name=trip.guest,
        guest_email=f"{name}@guests.example",
        guest_phone=f"+1-619-555-01{trip.party:02}",
        occasion=trip.occasion,
    )


def _complete(booking: Booking, *, trip: DemoTrip, at: datetime) -> None:
    """What the booking holds beside its trip, written before it is announced."""
    gross, fees = Decimal(trip.gross), Decimal(trip.fees)
    record_amounts(
        booking_id=booking.pk, gross=gross, fees=fees or None, payout=gross - fees if fees else None, by=BY, at=at
    )
    if trip.status == BookingStatus.QUOTED:
        booking.hold_until = at + QUOTE_STANDS
        booking.save(update_fields=["hold_until"])


def _answer(booking: Booking, trip: DemoTrip, *, at: datetime) -> None:
    """Who sailed on a trip that is over; what those say who are invited to one that is coming."""
    event = event_of(booking)
    if event is None:
        return
    for key, role in trip.aboard:
        member = CrewMember.objects.get(key=key)
        assign_member(event=event, member=member, role=role, status=AssignmentStatus.ACCEPTED, by=BY, at=at, tell=False)
    for assignment in event.assignments.live().select_related("event__booking", "member").order_by("pk"):
        if trip.says == "yes":
            accept(assignment=assignment, at=at)
        elif trip.says == "captain away" and assignment.role == Role.CAPTAIN:
            decline(assignment=assignment, at=at)
