"""The Today page: what must be done before the first boat leaves, then how the company is doing.

Each counter is one query set, used twice: for the number, and for the page that its number links to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from bookings.enums import BookingStatus, Channel, EntryStatus, PaymentState
from bookings.finance.models import BookingFinance
from bookings.models import Booking, CalendarEntry, Vessel
from crew.enums import LIVE, AssignmentStatus, EventStatus
from crew.models import Assignment, Place
from jada.console.astray import astray, differing
from jada.console.unreached import unreached
from jada.mail.models import BlockedAddress
from jada.modeladmin import start_of_day
from jada.outbox import registry
from jada.outbox.enums import Cause, State
from jada.outbox.models import Effect
from jada.outbox.troubles import open_effects

SOON = timedelta(hours=72)
HEAT_DAYS = 14
MAIL = "mail.message"
NEWEST = 200  # deliveries among which the last one is looked for: all of them may be a million


# --- attention -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attention:
    """How many things wait for a person, for the menu and the banners. Counts of what the person may not see are 0.

    `unknown` are deliveries of topics that no handler here knows, `restored` those whose copies are newer than the
    database.
    """

    unconfirmed: int
    unreplaced: int
    stuck: int
    unknown: int
    restored: int
    quarantined: int
    oldest_due: datetime | None

    def in_menu(self) -> dict[str, tuple[int, str, str]]:
        """Model -> (count, what is counted, tone) for the menu's badges."""
        crew_tone = "bad" if self.unreplaced else ""
        return {
            "crew.crewevent": (self.unconfirmed + self.unreplaced, "places to settle", crew_tone),
            "outbox.effect": (self.stuck, "stuck", "bad"),
            "intake.intakemessage": (self.quarantined, "waiting for a person", ""),
        }


def unconfirmed(at: datetime) -> QuerySet[Assignment]:
    """Crew who have not said yes to a trip that leaves within 72 hours."""
    return Assignment.objects.filter(
        status__in=(AssignmentStatus.PROPOSED, AssignmentStatus.INVITED),
        event__status=EventStatus.OPEN,
        event__booking__starts_at__gte=at,
        event__booking__starts_at__lt=at + SOON,
    ).order_by("event__booking__starts_at", "pk")


def unreplaced(at: datetime) -> QuerySet[Place]:
    """Places of coming trips that somebody declined and nobody else has."""
    said_no = Assignment.objects.filter(
        place=OuterRef("pk"), status__in=(AssignmentStatus.DECLINED, AssignmentStatus.EXPIRED)
    )
    aboard = Assignment.objects.filter(place=OuterRef("pk"), status__in=LIVE)
    places = Place.objects.filter(event__status=EventStatus.OPEN, event__booking__ends_at__gt=at)
    return places.filter(Exists(said_no), ~Exists(aboard)).order_by("event__booking__starts_at", "pk")


def attention_of(*, at: datetime, quarantined: int, crew: bool, deliveries: bool) -> Attention:
    """Three queries; `crew` and `deliveries` say what the person may see, `quarantined` comes from the intake."""
    strange = ~Q(topic__in=registry.known()) | Q(cause=Cause.UNKNOWN)
    outbox = open_effects().aggregate(
        stuck=Count("pk", filter=Q(state__in=(State.DEAD, State.IN_DOUBT))),
        unknown=Count("pk", filter=Q(state=State.PENDING) & strange),
        restored=Count("pk", filter=Q(state=State.DEAD, cause=Cause.RESTORED)),
        oldest_due=Min("run_at", filter=Q(state=State.PENDING, run_at__lte=at, depends_on=None)),
    )
    return Attention(
        unconfirmed=unconfirmed(at).count() if crew else 0,
        unreplaced=unreplaced(at).count() if crew else 0,
        stuck=outbox["stuck"] if deliveries else 0,
        unknown=outbox["unknown"] if deliveries else 0,
        restored=outbox["restored"] if deliveries else 0,
        quarantined=quarantined,
        oldest_due=outbox["oldest_due"],
    )


def last_deliveries() -> dict[str, datetime | None]:
    """When the last delivery (`done`) and the last mail (`mail`) arrived, among the newest. One query."""
    newest = Effect.objects.filter(state=State.DONE).order_by("-created_at")[:NEWEST]
    return newest.aggregate(done=Max("done_at"), mail=Max("done_at", filter=Q(topic=MAIL)))


@dataclass(frozen=True)
class Number:
    """A counter of the page: zero is quiet, round amber is soon, square red is broken."""

    count: int
    words: str
    url: str
    tone: str


def numbers(attention: Attention, *, at: datetime, crew: bool, deliveries: bool, intake: bool) -> list[Number]:
    """The counters, each with the address of exactly the rows it counts. One query, for the calendar's two;
    three more while mail reaches somebody not, and some while a copy differs.
    """
    now = quote(at.replace(microsecond=0).isoformat())
    entries = CalendarEntry.objects.exclude(status=EntryStatus.CANCELLED).aggregate(
        review=Count("pk", filter=Q(booking__status=BookingStatus.NEEDS_REVIEW)),
        untimed=Count("pk", filter=Q(needs_times=True, ends_at__gte=at.replace(microsecond=0))),
        blocked=Count("pk", filter=Exists(BlockedAddress.objects.standing())),  # 0 spares the query for whom
        astray=Count("pk", filter=Exists(differing())),
    )
    people = len(unreached(at)) if crew and entries["blocked"] else 0
    copies = len(astray()) if deliveries and entries["astray"] else 0
    bookings, calendar = (
        reverse("admin:bookings_booking_changelist"),
        reverse("admin:bookings_calendarentry_changelist"),
    )
    found = [
        (crew, attention.unconfirmed, "crew unconfirmed, next 72 hours", reverse("admin:attention", args=["unconfirmed"]), "warn"),
        (crew, attention.unreplaced, "crew declined, not replaced", reverse("admin:attention", args=["declined"]), "bad"),
        (crew, people, "people whom mail does not reach", reverse("admin:attention", args=["unreached"]), "warn"),
        (deliveries, attention.stuck, "deliveries stuck", _list("outbox_effect", "state__in=dead,in_doubt"), "bad"),
        (deliveries, copies, "copies differ outside" if copies != 1 else "copy differs outside", reverse("admin:copies"), "bad"),
        (True, entries["review"], "bookings to review", f"{bookings}?status__exact=needs_review", "bad"),
        (intake, attention.quarantined, "mails nobody could read", _list("intake_intakemessage", "state__exact=quarantined"), "bad"),
        (True, entries["untimed"], "days without times", f"{calendar}?needs_times__exact=1&ends_at__gte={now}", "warn"),
    ]  # fmt: skip
    return [Number(count, words, url, tone if count else "") for seen, count, words, url, tone in found if seen]


def number_of_holders(count: int) -> list[Number]:
    """People whose last mail tells a trip ahead as it was: the costliest thing on the page, so it stands first."""
    words = "people hold an old time" if count != 1 else "person holds an old time"
    return [Number(count, words, reverse("admin:attention", args=["old-time"]), "bad" if count else "")]


def _list(model: str, query: str) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{query}"


# --- the page --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hand:
    """One of the crew of a departure."""

    name: str
    role: str
    state: AssignmentStatus


@dataclass(frozen=True)
class Departure:
    booking: Booking
    crew: list[Hand]
    open_places: int

    @property
    def unpaid(self) -> PaymentState | None:
        """Why it may not leave yet, as the ledger says it; None when it may."""
        state = PaymentState(self.booking.payment_state)
        return None if state == PaymentState.PAID_IN_FULL else state


@dataclass(frozen=True)
class Share:
    """A channel's part of the month."""

    label: str
    trips: int
    percent: int


@dataclass(frozen=True)
class Money:
    """Gross of the trips that have left this month, against the same days of last month. Only for those who may see it."""

    gross: Decimal
    before: Decimal
    trips: int
    unknown: int
    mix: list[Share]

    @property
    def change(self) -> int | None:
        return round(100 * (self.gross - self.before) / self.before) if self.before else None

    @property
    def average(self) -> Decimal | None:
        known = self.trips - self.unknown
        return self.gross / known if known else None


@dataclass(frozen=True)
class HeatRow:
    vessel: Vessel
    trips: list[tuple[date, int]]

    @property
    def percent(self) -> int:
        """Days of the fortnight with a trip."""
        return round(100 * sum(1 for _, count in self.trips if count) / len(self.trips))


@dataclass(frozen=True)
class Today:
    on: date
    today: list[Departure]
    tomorrow: list[Departure]
    upcoming: Booking | None
    days: list[date]
    heat: list[HeatRow]
    money: Money | None


def page_of(*, at: datetime, crew: bool, money: bool) -> Today:
    """Four queries: the bookings from last month's first day to a fortnight ahead, vessels, crew, amounts."""
    today = timezone.localtime(at).date()
    bookings = list(_window(at))
    standing = [b for b in bookings if b.is_standing]
    leaving = [b for b in standing if b.local_start.date() in (today, today + timedelta(days=1))]
    departures = _departures(leaving) if crew else [Departure(b, [], 0) for b in leaving]
    days = [today + timedelta(days=n) for n in range(HEAT_DAYS)]
    return Today(
        on=today,
        today=[d for d in departures if d.booking.local_start.date() == today],
        tomorrow=[d for d in departures if d.booking.local_start.date() != today],
        upcoming=next((b for b in standing if b.starts_at > at), None),
        days=days,
        heat=heat(standing, days),
        money=money_of(standing, today) if money else None,
    )


def _window(at: datetime) -> QuerySet[Booking]:
    midnight = start_of_day(at)
    last_month = (midnight.replace(day=1) - timedelta(days=1)).replace(day=1)
    until = midnight + timedelta(days=HEAT_DAYS + 1)
    return Booking.objects.departing(last_month, until).select_related("vessel").order_by("starts_at")


def _departures(bookings: Sequence[Booking]) -> list[Departure]:
    live = Assignment.objects.filter(event__booking__in=bookings, status__in=LIVE).select_related("member", "event")
    hands: dict[int, list[Hand]] = {}
    for one in live:
        hand = Hand(one.member.first_name or one.member.key, one.get_role_display(), AssignmentStatus(one.status))
        hands.setdefault(one.event.booking_id, []).append(hand)
    return [Departure(b, hands.get(b.pk, []), 0) for b in bookings]


def heat(bookings: Iterable[Booking], days: list[date]) -> list[HeatRow]:
    booked = Counter((b.vessel_id, b.local_start.date()) for b in bookings)
    return [HeatRow(v, [(day, booked[v.pk, day]) for day in days]) for v in Vessel.objects.filter(active=True)]


def money_of(bookings: Iterable[Booking], today: date) -> Money:
    """By local departure date. Trips whose gross nobody recorded are counted, and said."""
    first = today.replace(day=1)
    first_before = (first - timedelta(days=1)).replace(day=1)
    last_before = min(first_before + (today - first), first - timedelta(days=1))
    now = [b for b in bookings if first <= b.local_start.date() <= today]
    before = [b for b in bookings if first_before <= b.local_start.date() <= last_before]
    recorded = BookingFinance.objects.filter(booking_id__in=[b.pk for b in (*now, *before)], gross__isnull=False)
    gross = dict(recorded.values_list("booking_id", "gross"))
    return Money(
        gross=_sum(now, gross),
        before=_sum(before, gross),
        trips=len(now),
        unknown=sum(1 for b in now if b.pk not in gross),
        mix=_mix(now),
    )


def _sum(bookings: Iterable[Booking], gross: dict[int, Decimal | None]) -> Decimal:
    return sum((gross.get(b.pk) or Decimal(0) for b in bookings), Decimal(0))


def _mix(bookings: Sequence[Booking]) -> list[Share]:
    trips = Counter(b.channel for b in bookings)
    return [Share(Channel(c).label, n, round(100 * n / len(bookings))) for c, n in trips.most_common()]
