"""Everything around one booking, composed from the apps: crew, money, deliveries, messages, guest page, history.

Each part is made only for those who may see it; what is not made cannot leak into the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.db import transaction
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from bookings.enums import BookingStatus, EntryStatus, PaymentState
from bookings.finance.models import AMOUNTS, BookingFinance
from bookings.finance.pricing import Margin
from bookings.finance.services import amounts_of, clear_amounts, margin_of, record_amounts
from bookings.models import Booking, CalendarEntry
from crew.enums import LIVE, AssignmentStatus
from crew.models import Assignment, CrewEvent, Place
from crew.services import event_of, labour
from guests.models import GuestPage
from guests.services import public_url
from jada.audit.actors import Actor
from jada.audit.admin import changes_of, deed_of
from jada.audit.models import Event
from jada.audit.services import record
from jada.console.holders import Holder, holders_of
from jada.console.ledger import NAMES, ledger_of, mail_words, names_of
from jada.mail.models import Message
from jada.modeladmin import pill
from jada.outbox import services as outbox
from jada.outbox.enums import State
from jada.outbox.models import Effect
from jada.outbox.troubles import LATE

User = AbstractUser | AnonymousUser

MONEY = "finance.view_bookingfinance"
CHANGES_MONEY = "finance.change_bookingfinance"
MONEY_MESSAGE = "mail.view_money_message"
RETRY = "outbox.retry_effect"
DELIVERIES_SHOWN, HISTORY_SHOWN = 60, 200


@dataclass(frozen=True)
class PlaceLine:
    """One place of the trip's crew: who has it and what they said, or that it is open."""

    needs: str
    name: str
    state: SafeString | None
    said: str
    url: str
    refused: str


@dataclass(frozen=True)
class Line:
    """One act of the history."""

    at: datetime
    deed: str
    actor: str
    changes: list[tuple[str, str]]


@dataclass(frozen=True)
class MoneyPart:
    recorded: BookingFinance | None
    margin: Margin
    form: AmountsForm | None


class AmountsForm(forms.Form):
    """What is known of a trip's amounts. An emptied field becomes unknown again."""

    gross, fees, payout, guest_price = (
        forms.DecimalField(label=label, required=False, min_value=Decimal(0), max_digits=10, decimal_places=2)
        for label in ("Gross", "Channel's fees", "Payout", "Guest price")
    )

    @classmethod
    def of(cls, recorded: BookingFinance | None) -> AmountsForm:
        return cls(initial={name: getattr(recorded, name, None) for name in AMOUNTS})


def around(booking: Booking, user: User, at: datetime) -> dict[str, Any]:
    """The template's context, part by part; a part that the person may not see is absent."""
    crew = crew_part(booking) if user.has_perm("crew.view_assignment") else None
    mails = user.has_perm("mail.view_message")
    holders = holders_of(booking, at=at) if mails else []
    ledger = None
    if user.has_perm("outbox.view_effect"):
        ledger = ledger_of(booking, holders, at=at, money=user.has_perm(MONEY_MESSAGE), mails=mails)
    return {
        "pills": pills(booking),
        "crew": crew,
        "money": money_part(booking, changes=user.has_perm(CHANGES_MONEY)) if user.has_perm(MONEY) else None,
        "ledger": ledger,
        "differs": any(row.said for row in ledger or []),
        "can_retry": user.has_perm(RETRY),
        "waiting": waiting(at) if ledger else "",
        **holders_part(holders, user),
        "letters": letters_of(booking, user) if user.has_perm("mail.view_message") else None,
        "guest_page": guest_page(booking) if user.has_perm("guests.view_guestpage") else None,
        **entry_part(booking),
        "history": history_of(booking) if user.has_perm("audit.view_event") else None,
        "told": told(booking),
        "can_act": user.has_perm("bookings.change_booking"),
        "can_confirm": booking.status in (BookingStatus.INQUIRY, BookingStatus.QUOTED, BookingStatus.NEEDS_REVIEW),
        "can_cancel": booking.status != BookingStatus.CANCELLED,
    }


def pills(booking: Booking) -> list[SafeString]:
    return [pill(BookingStatus(booking.status)), pill(PaymentState(booking.payment_state))]


# --- crew ------------------------------------------------------------------------------------------------------------


def crew_part(booking: Booking) -> dict[str, Any] | None:
    """The places of the trip, in their order; None for a trip without a crew event (an inquiry, a quote)."""
    event = event_of(booking)
    if event is None:
        return None
    assigned = list(Assignment.objects.filter(event=event).select_related("member").order_by("pk"))
    for one in assigned:
        one.event = event  # with its booking and vessel, which its times are told by
    places = [_place_line(place, assigned) for place in Place.objects.filter(event=event).order_by("pk")]
    spare = [_spare_line(a) for a in assigned if a.status in LIVE and a.place_id is None]
    confirmed = sum(1 for a in assigned if a.status == AssignmentStatus.ACCEPTED)
    call = event.call_at.astimezone(booking.vessel.zone)
    return {"event": event, "places": [*places, *spare], "confirmed": confirmed, "needed": len(places), "call": call}


def _place_line(place: Place, assigned: list[Assignment]) -> PlaceLine:
    mine = [a for a in assigned if a.place_id == place.pk]
    live = next((a for a in mine if a.status in LIVE), None)
    no = (AssignmentStatus.DECLINED, AssignmentStatus.EXPIRED)
    refused = ", ".join(f"{a.member.name} ({a.get_status_display().lower()})" for a in mine if a.status in no)
    if live is None:
        return PlaceLine(str(place), "", None, "Nobody has taken it", "", refused)
    return PlaceLine(
        str(place), live.member.name, pill(AssignmentStatus(live.status)), _said(live), _member_url(live), refused
    )


def _spare_line(one: Assignment) -> PlaceLine:
    state = pill(AssignmentStatus(one.status))
    return PlaceLine(f"{one.get_role_display()}, extra", one.member.name, state, _said(one), _member_url(one), "")


def _said(one: Assignment) -> str:
    zone = one.event.zone
    if one.answered_at:
        return f"answered {one.answered_at.astimezone(zone):%a %-d %b, %-I:%M %p}"
    if one.invited_at:
        by = f", answer by {one.answer_by.astimezone(zone):%a %-d %b, %-I:%M %p}" if one.answer_by else ""
        return f"invited {one.invited_at.astimezone(zone):%a %-d %b, %-I:%M %p}{by}"
    return "not asked yet"


def _member_url(one: Assignment) -> str:
    return reverse("admin:crew_crewmember_change", args=[one.member_id])


def told(booking: Booking) -> list[str]:
    """Who hears of a change: crew that were asked, the guest where there is an address, the office. Names only."""
    event = CrewEvent.objects.filter(booking=booking).first()
    asked = Assignment.objects.asked().filter(event=event).select_related("member") if event else []
    crew = [f"{one.member.name}, {one.get_role_display().lower()}" for one in asked]
    guest = [f"{booking.first_name or 'The guest'}, the guest"] if booking.guest_email else []
    return [*crew, *guest, "The office"]


# --- money -----------------------------------------------------------------------------------------------------------


def money_part(booking: Booking, *, changes: bool) -> MoneyPart:
    recorded = amounts_of(booking_id=booking.pk)
    margin = margin_of(booking=booking, labour=[(w.member_key, w.role, w.minutes) for w in labour(booking)])
    return MoneyPart(recorded, margin, AmountsForm.of(recorded) if changes else None)


@transaction.atomic
def write_amounts(*, booking: Booking, typed: dict[str, Decimal | None], by: Actor, at: datetime) -> None:
    """Record what was typed and make unknown again what was emptied; raises `FinanceWriteError`."""
    recorded = amounts_of(booking_id=booking.pk)
    emptied = [name for name, amount in typed.items() if amount is None and getattr(recorded, name, None) is not None]
    if emptied:
        clear_amounts(booking_id=booking.pk, names=emptied, by=by, at=at)
    record_amounts(
        booking_id=booking.pk,
        gross=typed["gross"],
        fees=typed["fees"],
        payout=typed["payout"],
        guest_price=typed["guest_price"],
        currency=recorded.currency if recorded else "USD",
        by=by,
        at=at,
    )


# --- who holds the old time --------------------------------------------------------------------------------------------


def holders_part(holders: list[Holder], user: User) -> dict[str, Any]:
    """The people of the trip, when somebody of them holds it as it was; telephones for those who may see them."""
    still = [holder for holder in holders if holder.open]
    return {
        "holders": holders if still else [],
        "holding": len(still),
        "tellable": sum(holder.can_be_told for holder in still),
        "can_tell": user.has_perm("bookings.change_booking"),
        "sees_contact": user.has_perm("bookings.view_guest_contact"),
    }


# --- deliveries and messages -----------------------------------------------------------------------------------------


def waiting(at: datetime) -> str:
    """A sentence when due deliveries wait longer than a running worker would let them; else ""."""
    due = Effect.objects.filter(state=State.PENDING, run_at__lte=at - LATE, depends_on=None).order_by("run_at")
    oldest = due.values_list("run_at", flat=True).first()
    if oldest is None:
        return ""
    return f"Deliveries have been waiting for {timesince(oldest, at, depth=1)}: is the worker running?"


@transaction.atomic
def retry_delivery(*, effect: Effect, user: User, at: datetime) -> bool:
    """Try a stuck delivery again; the history of what it is about says who wanted it. False if it is not stuck."""
    again = outbox.retry(effect=effect, at=at)
    if again:
        subject = effect.subject or f"delivery:{effect.pk}"
        detail = {"delivery": NAMES.get(effect.topic, effect.topic)}
        record(act="outbox.delivery.retried", subject=subject, by=Actor.user(user), at=at, detail=detail)
    return again


def letters_of(booking: Booking, user: User) -> list[tuple[Message, SafeString, str]]:
    """(message, state, what it is), the newest first; those that show money only for those who may see it."""
    messages = Message.objects.about(booking.subject).select_related("effect")
    if not user.has_perm(MONEY_MESSAGE):
        messages = messages.without_money()
    names = names_of(booking)
    return [(m, pill(m.state), mail_words(m, names)) for m in messages[:DELIVERIES_SHOWN]]


# --- guest page, calendar, history -----------------------------------------------------------------------------------


def guest_page(booking: Booking) -> dict[str, Any] | None:
    page = GuestPage.objects.with_delivery().filter(booking=booking).first()
    if page is None:
        return None
    return {"page": page, "state": pill(page.delivery), "phase": page.get_phase_display(), "url": public_url(booking)}


def entry_part(booking: Booking) -> dict[str, Any]:
    entry = CalendarEntry.objects.filter(booking=booking).first()
    if entry is None:
        return {"entry": None}
    free = entry.blocked_until.astimezone(booking.vessel.zone)
    return {"entry": entry, "entry_state": pill(EntryStatus(entry.status)), "blocked_until": free}


def history_of(booking: Booking) -> list[Line]:
    events = Event.objects.filter(subject=booking.subject)[:HISTORY_SHOWN]
    return [Line(e.at, deed_of(e.act), _actor(e), changes_of(e)) for e in events]


def _actor(event: Event) -> str:
    return event.actor_name if event.actor_kind == "user" else f"{event.actor_name} ({event.actor_kind})"
