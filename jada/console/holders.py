"""Who still holds a trip as it was: everybody whose newest mail that arrived tells something else than what is true now.

Judged by what a mail told and not by its number: a trip that is moved and moved back leaves nobody behind. Whoever was
told by word (a guest without an address, crew the office called) is on the list after a change until somebody says
that they know. All of it is read for many trips at once, in a fixed number of queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Concat
from django.utils.safestring import SafeString

from bookings.enums import BookingStatus
from bookings.models import Booking
from crew.enums import ASKED, AssignmentStatus
from crew.models import Assignment, CrewSession
from crew.services import told as crews
from guests import services as guests
from guests.models import GuestPage
from jada.audit.actors import Actor
from jada.audit.models import Event
from jada.audit.services import record
from jada.console import services as office
from jada.mail.enums import Outcome
from jada.mail.heard import Heard, Told
from jada.mail.models import BlockedAddress, Message
from jada.modeladmin import pill, tones

tones(Heard, knows="ok", old="bad", never="bad", on_its_way="info", in_doubt="warn", stuck="bad")

BY_TELEPHONE = "console.holder.told-by-telephone"
REALIGNED = "bookings.entry.realigned"
CHANGES = ("bookings.booking.amended", "bookings.booking.cancelled", REALIGNED)
MOVES = frozenset({"vessel", "starts_at", "ends_at"})
MOST = 200  # trips ahead that are looked at for the count, the soonest first


@dataclass(frozen=True, kw_only=True)
class Holder:
    """One person and what they have of a trip. `differs` is [[what, as they have it, as it is now], …]."""

    recipient: str
    name: str
    part: str
    standing: Heard
    differs: Sequence[Sequence[str]] = ()
    how: str = ""
    knows_by: str = ""
    trouble: str = ""
    phone: str = ""
    is_guest: bool = False
    by_mail: bool = True
    latest: Message | None = None

    @property
    def open(self) -> bool:
        """Whether somebody must still see to it. What is on its way is not: it is late under Deliveries, if it is."""
        return not self.knows_by and self.standing not in (Heard.KNOWS, Heard.ON_ITS_WAY)

    @property
    def can_be_told(self) -> bool:
        return self.open and self.by_mail and self.standing != Heard.IN_DOUBT

    def in_words(self) -> str:
        """What they hold, in a line: `Departs 4:30 PM`."""
        return ", ".join(f"{what} {old}" for what, old, _ in self.differs if old) or str(self.standing.label)

    @property
    def state(self) -> SafeString:
        return pill(Heard.KNOWS if self.knows_by else self.standing)

    @property
    def in_doubt(self) -> bool:
        return self.standing == Heard.IN_DOUBT and not self.knows_by


@dataclass(frozen=True)
class Change:
    """The last change of a trip that its people act on: when, whether a channel made it, and what it was before."""

    at: datetime
    by_channel: bool
    before: str


def holders_of(booking: Booking, *, at: datetime) -> list[Holder]:
    """Everybody who was told of the trip, or should have been, those first who hold something else."""
    return people([booking], at=at).get(booking.pk, [])


def open_count(at: datetime) -> int:
    """How many people hold an old time of a trip that lies ahead: the Today page's number."""
    return sum(holder.open for found in people(changed_trips(at), at=at).values() for holder in found)


def trips_with_holders(at: datetime) -> list[tuple[Booking, list[Holder]]]:
    """Exactly those that `open_count` counted, by trip."""
    trips = changed_trips(at)
    found = people(trips, at=at)
    rows = [(trip, [holder for holder in found.get(trip.pk, []) if holder.open]) for trip in trips]
    return [(trip, holders) for trip, holders in rows if holders]


def changed_trips(at: datetime) -> list[Booking]:
    """Trips ahead that were changed after they were booked."""
    subject = Concat(Value("booking:"), OuterRef("public_id"))
    realigned = Exists(Event.objects.filter(act=REALIGNED, subject=subject))
    ahead = Booking.objects.filter(Q(revision__gt=1) | realigned, ends_at__gt=at)
    told = ahead.filter(status__in=(BookingStatus.CONFIRMED, BookingStatus.COMPLETED, BookingStatus.CANCELLED))
    return list(told.select_related("vessel__berth").order_by("starts_at")[:MOST])


def people(bookings: Sequence[Booking], *, at: datetime) -> dict[int, list[Holder]]:
    """Booking's pk -> its people. Of a trip that is over nobody holds anything that matters."""
    ahead = [b for b in bookings if b.ends_at > at and (b.is_standing or b.status == BookingStatus.CANCELLED)]
    if not ahead:
        return {}
    known = Known(ahead)
    return {b.pk: sorted(_of(b, known), key=lambda holder: not holder.open) for b in ahead}


class Known:
    """What is read once for all trips: mails, crew, pages, who opened what, changes, addresses without mail."""

    def __init__(self, bookings: Sequence[Booking]) -> None:
        subjects = [b.subject for b in bookings]
        self.mails: dict[tuple[str, str], list[Message]] = defaultdict(list)
        for message in Message.objects.filter(subject_of__in=subjects).select_related("effect"):
            self.mails[message.subject_of, message.recipient].append(message)
        self.crew: dict[int, list[Assignment]] = defaultdict(list)
        concerned = Q(status__in=ASKED) | Q(status=AssignmentStatus.WITHDRAWN)
        rows = Assignment.objects.filter(concerned, event__booking__in=bookings).order_by("pk")
        for one in rows.select_related("member", "event__booking__vessel__berth"):
            self.crew[one.event.booking_id].append(one)
        pages = GuestPage.objects.filter(booking__in=bookings).select_related("booking__vessel__berth")
        self.pages = {page.booking_id: page for page in pages}
        self.seen: dict[tuple[int, int], datetime] = {}
        for session in CrewSession.objects.filter(event__booking__in=bookings).order_by("last_seen_at"):
            self.seen[session.event_id, session.member_id] = session.last_seen_at
        self.events: dict[str, list[Event]] = defaultdict(list)
        for event in Event.objects.filter(subject__in=subjects, act__in=(*CHANGES, BY_TELEPHONE)):
            self.events[event.subject].append(event)  # the newest first
        self.blocked = frozenset(BlockedAddress.objects.standing().values_list("address", flat=True))

    def change(self, booking: Booking) -> Change | None:
        for event in self.events[booking.subject]:
            if event.act == CHANGES[1] or (event.act in CHANGES and event.detail.keys() & MOVES):
                return Change(event.at, event.actor_kind == "channel", _before(event, booking.vessel.zone))
        return None

    def told_by_telephone(self, booking: Booking, recipient: str, change: Change | None) -> str:
        for event in self.events[booking.subject]:
            if event.act == BY_TELEPHONE and event.detail.get("recipient") == recipient:
                since = change is None or event.at >= change.at
                return f"told by telephone, {_when(event.at, booking.vessel.zone)}" if since else ""
        return ""


def _before(event: Event, zone: ZoneInfo) -> str:
    """`Sat 30 May, 4:30 PM`: when the trip started before the change, where it moved."""
    pair = event.detail.get("starts_at")
    return _when(datetime.fromisoformat(pair[0]), zone) if isinstance(pair, list) and pair[0] else ""


def _when(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %-d %b, %-I:%M %p}"


# --- the people of one trip --------------------------------------------------------------------------------------------


def _of(booking: Booking, known: Known) -> list[Holder]:
    change = known.change(booking)
    found = [*_crew(booking, known, change), *_guest(booking, known, change), *_office(booking, known)]
    return [_with_telephone(holder, booking, known, change) for holder in found]


def _with_telephone(holder: Holder, booking: Booking, known: Known, change: Change | None) -> Holder:
    said = known.told_by_telephone(booking, holder.recipient, change)
    return Holder(**{**vars(holder), "knows_by": said}) if said and not holder.knows_by else holder


def _crew(booking: Booking, known: Known, change: Change | None) -> Iterable[Holder]:
    for one in _current(known.crew[booking.pk]):
        mails = known.mails[booking.subject, one.member.recipient]
        told = crews.told_of(one, mails)
        if told.holds is None and not crews.is_on(one):
            continue  # never heard of it, and has nothing to hear
        seen = known.seen.get((one.event_id, one.member_id))
        since = one.invited_at or one.answered_at
        yield _holder(
            told,
            recipient=one.member.recipient,
            name=one.member.name,
            part=one.get_role_display(),
            zone=booking.vessel.zone,
            differs=_crew_differs(one, told),
            by_word=_by_word(change, since),
            knows_by=_has_seen(seen, one.answered_at, change, booking.vessel.zone),
            phone=one.member.phone,
            blocked=one.member.email.lower() in known.blocked,
        )


def _current(rows: Sequence[Assignment]) -> list[Assignment]:
    """One for each member: the one they are on the trip by, else the last that ended."""
    live = {one.member_id for one in rows if crews.is_on(one)}
    return list({one.member_id: one for one in rows if crews.is_on(one) or one.member_id not in live}.values())


def _crew_differs(one: Assignment, told: Told) -> Sequence[Sequence[str]]:
    if told.holds is None:
        return []
    if not crews.is_on(one):
        return [["Trip", f"{told.holds.values['short_date']}, {told.holds.values['time']}", "not on it any more"]]
    return crews.differences(one, told.holds)


def _has_seen(seen: datetime | None, answered: datetime | None, change: Change | None, zone: ZoneInfo) -> str:
    """Somebody who opened the trip's page, or answered, after the change has seen it as it is."""
    if change and seen and seen > change.at:
        return f"opened the trip’s page, {_when(seen, zone)}"
    return f"answered, {_when(answered, zone)}" if change and answered and answered > change.at else ""


def _guest(booking: Booking, known: Known, change: Change | None) -> Iterable[Holder]:
    page = known.pages.get(booking.pk)
    if page is None:
        return
    recipient = f"guest:{booking.public_id}"
    told = guests.told_of(page, known.mails[booking.subject, recipient])
    address = booking.guest_email.lower()
    yield _holder(
        told,
        recipient=recipient,
        name=booking.first_name or "The guest",
        part="Guest",
        zone=booking.vessel.zone,
        differs=_guest_differs(page, told),
        # A channel that moved the trip told its guest itself.
        by_word="" if change and change.by_channel else _by_word(change, booking.booked_at),
        phone=booking.guest_phone,
        blocked=address in known.blocked,
        without_address=not address,
        is_guest=True,
    )


def _guest_differs(page: GuestPage, told: Told) -> Sequence[Sequence[str]]:
    if told.holds is None:
        return []
    if page.booking.status == BookingStatus.CANCELLED:
        return [["Trip", f"{told.holds.values['day']}, {told.holds.values['time']}", "cancelled"]]
    return guests.differences(page, told.holds)


def _office(booking: Booking, known: Known) -> Iterable[Holder]:
    told = office.office_told(booking, known.mails[booking.subject, office.OFFICE])
    if told.holds is None and told.latest is None:
        return
    differs = office.office_differences(booking, told.holds) if told.holds else []
    if told.holds and booking.status == BookingStatus.CANCELLED:
        differs = [["Trip", f"{told.holds.values['date']}, {told.holds.values['time']}", "cancelled"]]
    yield _holder(told, recipient=office.OFFICE, name="The office", part="", zone=booking.vessel.zone, differs=differs)


def _by_word(change: Change | None, since: datetime | None) -> str:
    """What somebody holds who was never written to: the trip before its last change, "" where it did not change."""
    if change is None or since is None or since >= change.at:
        return ""
    return change.before or "as it was"


def _holder(
    told: Told,
    *,
    zone: ZoneInfo,
    by_word: str = "",
    knows_by: str = "",
    blocked: bool = False,
    without_address: bool = False,
    differs: Sequence[Sequence[str]] = (),
    **person: Any,
) -> Holder:
    standing = told.standing
    if standing == Heard.NEVER and told.latest is None and not by_word:
        standing, knows_by = Heard.KNOWS, knows_by or "by word"
    if standing == Heard.NEVER and by_word:
        differs = [["Departs", by_word, "changed since"]]
    if standing == Heard.KNOWS:
        differs = []
    return Holder(
        standing=standing,
        differs=differs,
        how=_how(told, zone),
        knows_by="" if standing == Heard.KNOWS and told.holds else knows_by,
        trouble=_trouble(told, blocked=blocked, without_address=without_address),
        by_mail=not (blocked or without_address),
        latest=told.latest,
        **person,
    )


def _how(told: Told, zone: ZoneInfo) -> str:
    """`mail delivered Tue 4 May, 9:12 AM, opened`: how the newest that arrived came to them."""
    mail = told.holds
    if mail is None or mail.sent_at is None:
        return "nothing in writing" if mail is None else "by mail"
    outcome = Outcome(mail.outcome) if mail.outcome in Outcome.values else Outcome.SENT
    opened = ", opened" if mail.opened_at else ""
    return f"mail {outcome.label} {_when(mail.delivered_at or mail.sent_at, zone)}{opened}"


def _trouble(told: Told, *, blocked: bool, without_address: bool) -> str:
    if without_address:
        return "No address on file: call."
    if blocked:
        return "Mail to this address comes back: call."
    if told.latest and told.latest.bounced_at:
        return "The mail that told it came back."
    return ""


# --- acts --------------------------------------------------------------------------------------------------------------


@transaction.atomic
def tell_holders(*, booking: Booking, by: Actor, at: datetime) -> list[str]:
    """Tell everybody who holds the trip as it was, and nobody else; answers whom. Pressed twice it tells nobody twice."""
    booking = Booking.objects.select_for_update().get(pk=booking.pk)  # before crew and page, as every act on a trip
    known = Known([booking])
    wanted = {holder.recipient for holder in people([booking], at=at).get(booking.pk, []) if holder.can_be_told}
    told = [
        one.member.name
        for one in _current(known.crew[booking.pk])
        if one.member.recipient in wanted and crews.tell_again(assignment=one, by=by, at=at)
    ]
    page = known.pages.get(booking.pk)
    if page and f"guest:{booking.public_id}" in wanted and guests.tell_again(page=page, by=by, at=at):
        told.append(booking.first_name or "The guest")
    if office.OFFICE in wanted and office.tell_office_again(booking=booking, by=by, at=at):
        told.append("The office")
    return told


class ChangedMeanwhile(Exception):
    """What was told by telephone is not what holds any more. Its text is a sentence for whoever told it."""


@transaction.atomic
def note_told(*, booking: Booking, recipient: str, revision: int, by: Actor, at: datetime) -> bool:
    """A person told somebody by telephone: the history keeps it, and they are off the list until the next change.

    `revision` is that of the page they read it from. Raises `ChangedMeanwhile`; False for who knows it already.
    """
    booking = Booking.objects.select_for_update(of=("self",)).select_related("vessel__berth").get(pk=booking.pk)
    if booking.revision != revision:
        raise ChangedMeanwhile("The trip was changed while you told them: tell them what stands here now.")
    holder = next((h for h in holders_of(booking, at=at) if h.recipient == recipient and h.open), None)
    if holder is None:
        return False
    detail = {"who": holder.name, "recipient": recipient}
    record(act=BY_TELEPHONE, subject=booking.subject, by=by, at=at, detail=detail)
    return True
