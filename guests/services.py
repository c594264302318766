"""What can happen to a guest page. It is opened with its booking, follows it, turns with the clock, and is told of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from bookings.enums import BookingStatus
from bookings.models import Berth, Booking, Vessel
from guests import codes
from guests.models import PAGE, SLUG, GuestPage, GuestPageQuerySet, PageSlug
from guests.page import Dock, GuestPageView, SlugView, long_day, redact
from guests.phases import Phase, next_turn, phase
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.mail.enums import Trouble
from jada.mail.heard import Heard, Told, mails_to, next_fact, told
from jada.mail.inbox import blocked
from jada.mail.models import Message
from jada.mail.services import owe_message, withdraw_messages
from jada.outbox.entries import enqueue
from jada.outbox.enums import State as EffectState
from jada.outbox.models import Mirror
from jada.outbox.services import retry

# A page is made for what is promised or on offer; an inquiry or a conflict has nothing to show yet.
SHOWN = frozenset({BookingStatus.QUOTED, BookingStatus.CONFIRMED, BookingStatus.COMPLETED})
# What the page shows; a change of anything else (payments, notes) leaves no trace here.
ON_PAGE = frozenset({"vessel", "starts_at", "ends_at", "party_size", "guest_name", "guest_email", "status"})
# What a guest acts on: a change of one of these is told.
NEWS = frozenset({"vessel", "starts_at", "ends_at"})
# The same in a mail's words.
ACTED_ON = {"day": "Day", "time": "Departs", "back": "Back", "arrive": "Arrive", "vessel": "Boat", "dock": "Dock"}
BOOKED, CHANGED, CANCELLED = "guest.booked", "guest.changed", "guest.cancelled"
CODE_TRIES = 8


@transaction.atomic
def follow_booking(
    *, booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime, tell: bool = True
) -> GuestPage | None:
    """Bring the page to what the trip has become: open it, move it, rename it, and owe the guest what is news.

    Answers None for a trip that has no page: an inquiry, or one cancelled before it had any.
    """
    if act == "amended" and not changed & ON_PAGE:
        return GuestPage.objects.filter(booking=booking).first()
    page = GuestPage.objects.select_for_update().filter(booking=booking).first()
    if page is None:
        if booking.status not in SHOWN:
            return None
        page = open_page(booking=booking, by=by, at=at)
    else:
        _follow(page, booking, at=at, tell=tell)
    _publish(page)
    if tell:
        _tell_guest(page, act=act, changed=changed, at=at)
    return page


@transaction.atomic
def open_page(*, booking: Booking, by: Actor, at: datetime) -> GuestPage:
    """Give a booking its page and its first slug. The channel's own code is kept, if nobody else has it."""
    page = GuestPage(
        booking=booking, opened_at=at, starts_at=booking.starts_at, revision=booking.revision, revised_at=at
    )
    _turn(page, at)
    _save_with_code(page, booking.given_code)
    _name(page)
    record(act="guests.page.opened", subject=booking.subject, by=by, at=at, detail={"slug": page.slug})
    return page


@transaction.atomic
def turn_pages(*, at: datetime) -> int:
    """Move on every page whose phase the clock has passed, and owe its new copy; answers how many turned."""
    turned = 0
    due = GuestPage.objects.select_for_update(of=("self",)).due(at).select_related("booking__vessel")
    for page in due:
        turned += _turn(page, at)
        page.save(update_fields=["phase", "next_turn_at"])
    return turned


@transaction.atomic
def mark_pages_of_vessel(*, vessel: Vessel) -> int:
    """The boat is described anew: its pages may differ from their copies. Answers how many were marked."""
    return _mark(GuestPage.objects.filter(booking__vessel=vessel))


@transaction.atomic
def mark_pages_of_berth(*, berth: Berth) -> int:
    """The berth is described anew (a gate code, directions): so are the pages of every boat that lies there."""
    return _mark(GuestPage.objects.filter(booking__vessel__berth=berth))


@transaction.atomic
def publish_again(*, page: GuestPage, by: Actor, at: datetime) -> None:
    """Write the page once more, whatever we believe about its copy, and look at it in public again."""
    _publish(page)  # rows before mirrors, as a claim locks them
    Mirror.objects.filter(topic=PAGE, key=page.code).update(digest="", material="")
    record(act="guests.page.published-again", subject=page.booking.subject, by=by, at=at)


@transaction.atomic
def note_unreachable(*, address: str, trouble: Trouble, by: Actor, at: datetime) -> int:
    """Say in the history of every trip ahead that its guest has to be told by telephone; answers how many."""
    ahead = GuestPage.objects.filter(booking__guest_email__iexact=address, booking__ends_at__gt=at)
    for page in ahead.select_related("booking"):
        detail = {"why": str(trouble.label)}
        record(act="guests.guest.not-reached", subject=page.booking.subject, by=by, at=at, detail=detail)
    return len(ahead)


# --- what others may ask -------------------------------------------------------------------------------------------


def public_url(booking: Booking) -> str | None:
    """The address that is printed and mailed; None for a booking without a page."""
    code = GuestPage.objects.filter(booking=booking).values_list("code", flat=True).first()
    return settings.GUEST_BASE_URL + codes.printed_path(code) if code else None


def view_of(page: GuestPage) -> GuestPageView:
    """The page's view object as the rows stand now: what its phase may tell, and nothing more."""
    booking, vessel, berth = page.booking, page.booking.vessel, page.booking.vessel.berth
    trip = page.trip
    view = GuestPageView(
        code=page.code,
        base_url=settings.GUEST_BASE_URL,
        vessel=vessel.name,
        zone=vessel.time_zone,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        arrive_at=booking.starts_at - timedelta(minutes=vessel.arrive_minutes),
        phase=Phase(page.phase),
        revision=page.revision,
        revised_at=page.revised_at,
        first_name=codes.first_name(booking.guest_name),
        party_size=booking.party_size,
        dock=Dock(
            name=berth.name,
            address=berth.address,
            directions=berth.directions,
            latitude=berth.latitude,
            longitude=berth.longitude,
            phone=berth.phone,
        ),
        gate_code=berth.gate_code,
        held_until=booking.hold_until,
        moved_from=page.moved_from,
        moved_until=trip.moved_until,
    )
    return redact(view)


def slug_view_of(slug: PageSlug) -> SlugView:
    """What stands under a friendly name: where to go on, or the boat and the day."""
    page, booking = slug.page, slug.page.booking
    return SlugView(
        slug=slug.slug,
        base_url=settings.GUEST_BASE_URL,
        vessel=booking.vessel.name,
        day=long_day(booking.local_start),
        current="" if slug.current else page.slug,
        over=page.phase in (Phase.CANCELLED, Phase.EXPIRED),
    )


# --- the parts of an act ---------------------------------------------------------------------------------------------


def _follow(page: GuestPage, booking: Booking, *, at: datetime, tell: bool) -> None:
    page.booking = booking  # the caller's, with the change that is not read back yet
    if booking.starts_at != page.starts_at and tell and booking.is_standing:
        page.moved_from, page.moved_at = page.starts_at, at
    page.starts_at = booking.starts_at
    if booking.revision != page.revision:
        page.revision, page.revised_at = booking.revision, at
    _turn(page, at)
    page.save()
    _name(page)


def _turn(page: GuestPage, at: datetime) -> bool:
    """Set the phase of this instant and the next one's due time; owes the new copies when the phase is another."""
    before, trip = page.phase, page.trip
    page.phase, page.next_turn_at = phase(trip, at), next_turn(trip, at)
    turned = page.pk is not None and page.phase != before
    if turned:
        _publish(page)
    return turned


def _publish(page: GuestPage) -> None:
    """The page and its friendly names may differ from their copies."""
    enqueue(PAGE, page.code, subject=page.booking.subject)
    for slug in page.slugs.all():
        enqueue(SLUG, slug.slug, subject=page.booking.subject)


def _mark(pages: GuestPageQuerySet) -> int:
    marked = pages.exclude(phase=Phase.EXPIRED).select_related("booking")
    for page in marked:
        page.next_turn_at = page.opened_at  # in the past: a change of zone moves the borders, the next turn sees to it
        page.save(update_fields=["next_turn_at"])
        _publish(page)
    return len(marked)


def _save_with_code(page: GuestPage, given_code: str) -> None:
    """A code that somebody has is no code for another; the unique constraint decides, not the look before it."""
    wanted = [codes.normalise(given_code)] if _is_code(given_code) else []
    for code in [*wanted, *(codes.new_code() for _ in range(CODE_TRIES))]:
        page.code = code
        try:
            with transaction.atomic():
                page.save(force_insert=True)
        except IntegrityError:
            if GuestPage.objects.filter(code=code).exists():
                continue
            raise
        return
    raise RuntimeError("No free page code was found: the codes are nearly used up, make them longer.")


def _is_code(text: str) -> bool:
    try:
        codes.normalise(text)
    except codes.NotACode:
        return False
    return True


def _name(page: GuestPage) -> None:
    """Give the page the slug of its name and day; the one it had keeps its address and sends the reader on."""
    booking = page.booking
    wanted = codes.slug_for(codes.first_name(booking.guest_name), booking.local_start)
    now = page.slug
    if now == wanted or now.rpartition("-")[0] == wanted:
        return
    for retired in page.slugs.filter(current=True):
        retired.current = False
        retired.save(update_fields=["current"])
    own = page.slugs.filter(slug=_free_slug(page, wanted)).first()
    if own:
        own.current = True
        own.save(update_fields=["current"])
    else:
        _take_slug(page, wanted)


def _take_slug(page: GuestPage, wanted: str) -> None:
    """The unique constraint decides between two pages that want one name at the same instant."""
    for _ in range(CODE_TRIES):
        try:
            with transaction.atomic():
                PageSlug.objects.create(page=page, slug=_free_slug(page, wanted))
        except IntegrityError:  # another transaction took it since we looked; now it is seen
            continue
        return
    raise RuntimeError(f"No free slug was found for a page of {wanted[:10]}: try again.")


def _free_slug(page: GuestPage, wanted: str) -> str:
    """`…-afternoon`, or `…-afternoon-2` when another page has or had it; a name of its own past is taken back."""
    theirs = PageSlug.objects.filter(slug__startswith=wanted).exclude(page=page)
    taken = frozenset(theirs.values_list("slug", flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in (wanted, *numbered) if slug not in taken)


# --- who holds a trip as it was -------------------------------------------------------------------------------------


def told_of(page: GuestPage, messages: Iterable[Message]) -> Told:
    """Where the guest stands, by these mails of theirs about the trip."""
    if page.booking.status == BookingStatus.CANCELLED:
        return told(messages, is_true=lambda m: m.kind == CANCELLED)
    return told(messages, is_true=lambda m: m.kind != CANCELLED and not differences(page, m))


def differences(page: GuestPage, message: Message) -> list[list[str]]:
    """[[what, as this mail told it, as it is now], …] of what a guest acts on."""
    now = _told(page, at=page.opened_at)
    pairs = [(label, str(message.values.get(name, "")), now[name]) for name, label in ACTED_ON.items()]
    return [[label, was, is_now] for label, was, is_now in pairs if was != is_now]


@transaction.atomic
def tell_again(*, page: GuestPage, by: Actor, at: datetime) -> bool:
    """Tell the trip as it is to a guest who holds it as it was; what is stuck is tried again instead.

    False, and nothing is owed, for a guest who knows it, has it on its way, may have it, or is not reached by mail.
    """
    page = GuestPage.objects.select_for_update(of=("self",)).select_related("booking__vessel__berth").get(pk=page.pk)
    booking, held = page.booking, None
    if not booking.guest_email or blocked(booking.guest_email):
        return False
    heard = told_of(page, mails_to(_recipient(booking), about=booking.subject))
    if heard.standing == Heard.STUCK and heard.latest and heard.latest.effect:
        again = retry(effect=heard.latest.effect, at=at)
    elif heard.standing in (Heard.OLD, Heard.NEVER):
        held = heard.holds
        again = _owe_anew(page, held, at=at)
    else:
        return False
    if again:
        record(act="guests.guest.told-again", subject=booking.subject, by=by, at=at)
    return again


def _owe_anew(page: GuestPage, held: Message | None, *, at: datetime) -> bool:
    booking = page.booking
    if booking.status == BookingStatus.CANCELLED:
        return held is not None and _owe(page, CANCELLED, at=at, anew=True)
    if not booking.is_standing:
        return False
    before = f"{held.values['day']}, {held.values['time']}" if held else ""
    return _owe(page, CHANGED if held else BOOKED, at=at, anew=True, before=before)


# --- what the guest is told -----------------------------------------------------------------------------------------


def _tell_guest(page: GuestPage, *, act: str, changed: frozenset[str], at: datetime) -> None:
    """One mail for what is news, behind the live page. One that has not left yet is taken back and told anew."""
    booking = page.booking
    if not booking.guest_email or booking.status == BookingStatus.QUOTED:
        return
    kind = _news(booking, act=act, changed=changed)
    if not kind:
        return
    unsent = withdraw_messages(lane=_lane(booking), reason="A newer mail about this trip says it all.")
    unheard = any(message.kind == BOOKED for message in unsent)
    if kind == CANCELLED and not was_told(booking):
        return
    _owe(page, BOOKED if kind == CHANGED and unheard else kind, at=at)


def _news(booking: Booking, *, act: str, changed: frozenset[str]) -> str:
    if act == "cancelled":
        return CANCELLED
    if act == "booked" or changed & {"status", "guest_email"}:
        return BOOKED
    return CHANGED if changed & NEWS else ""


def was_told(booking: Booking, *, otherwise_than: Message | None = None) -> bool:
    """Whether a mail about this trip has left, or may have: another one than the one that asks."""
    told = Message.objects.filter(subject_of=booking.subject, recipient=_recipient(booking))
    if otherwise_than:
        told = told.exclude(pk=otherwise_than.pk)
    return any(message.state != EffectState.CANCELLED for message in told.select_related("effect"))


def _owe(page: GuestPage, kind: str, *, at: datetime, anew: bool = False, before: str = "") -> bool:
    booking = page.booking
    # A corrected address is news of its own; the fact names it without holding it.
    to = hashlib.sha256(booking.guest_email.lower().encode()).hexdigest()[:12]
    fact = f"{kind}:{booking.public_id}:{booking.revision}:{to}"
    values = _told(page, at=at)
    owed = owe_message(
        kind=kind,
        fact=next_fact(fact) if anew else fact,
        recipient=_recipient(booking),
        about=booking.subject,
        values=values | ({"before": before} if before else {}),
        lane=_lane(booking),
        at=at,
        revision=booking.revision,
        after=(PAGE, page.code),
    )
    return owed is not None


def _told(page: GuestPage, *, at: datetime) -> dict[str, str]:
    """The facts of a guest's mail, as they read at the dock. No amount, no contact, no gate code."""
    booking = page.booking
    start, arrive = booking.local_start, booking.starts_at - timedelta(minutes=booking.vessel.arrive_minutes)
    moved_now = page.moved_from if page.moved_at == at else None
    before = moved_now.astimezone(booking.vessel.zone) if moved_now else None
    return {
        "first_name": codes.first_name(booking.guest_name),
        "vessel": booking.vessel.name,
        "day": long_day(start),
        "time": f"{start:%-I:%M %p}",
        "back": f"{booking.local_end:%-I:%M %p}",
        "arrive": f"{arrive.astimezone(booking.vessel.zone):%-I:%M %p}",
        "dock": booking.vessel.berth.name,
        "before": f"{long_day(before)}, {before:%-I:%M %p}" if before else "",
    }


def _recipient(booking: Booking) -> str:
    return f"guest:{booking.public_id}"


def _lane(booking: Booking) -> str:
    return f"mail:guest:{booking.public_id}"
