"""What the office is told. Composition: here crew, guests and money meet, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from bookings.enums import BookingStatus
from bookings.finance.services import amounts_of, margin_of
from bookings.models import Booking
from crew.services import crew_list, labour
from guests.services import public_url
from jada.audit.actors import Actor
from jada.mail.heard import Heard, Told, mails_to, next_fact, told
from jada.mail.models import Message
from jada.mail.services import owe_message, withdraw_messages
from jada.outbox.services import retry

KINDS = {"booked": "ops.booked", "amended": "ops.changed", "cancelled": "ops.cancelled"}
OFFICE = "ops"
ACTED_ON = {"date": "Date", "time": "Trip", "vessel": "Boat", "party": "Guests"}
FIELD_OF = {"Date": "starts_at", "Trip": "starts_at", "Boat": "vessel", "Guests": "party_size"}
# What the office acts on; a corrected contact or a note is no news to it.
NEWS = frozenset({"vessel", "starts_at", "ends_at", "party_size", "guest_name", "status"})


@transaction.atomic
def tell_manager(*, booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime) -> None:
    """Owe the manager one mail about an act: what was booked, who is invited, links, margin.

    A mail about the same trip that has not left yet is taken back: the new one says it all.
    """
    if act == "amended" and not changed & NEWS:
        return
    lane = f"mail:booking:{booking.public_id}"
    kind = KINDS[act]
    unsent = withdraw_messages(lane=lane, reason="A newer mail about this trip says it all.")
    if kind == "ops.changed" and any(m.kind == "ops.booked" for m in unsent):
        kind = "ops.booked"
    _owe_manager(booking, kind, changed=changed, by=by, at=at)


def _owe_manager(
    booking: Booking, kind: str, *, changed: frozenset[str], by: Actor, at: datetime, again: bool = False
) -> bool:
    fact = f"{kind}:{booking.public_id}:{booking.revision}"
    owed = owe_message(
        kind=kind,
        fact=next_fact(fact) if again else f"{fact}:{at.isoformat()}",
        recipient=OFFICE,
        about=booking.subject,
        values=summary(booking, changed=changed, by=by),
        lane=f"mail:booking:{booking.public_id}",
        at=at,
        revision=booking.revision,
        has_money=True,
    )
    return owed is not None


def office_told(booking: Booking, messages: Iterable[Message]) -> Told:
    """Where the office stands, by the manager's mails about the trip."""
    if booking.status == BookingStatus.CANCELLED:
        return told(messages, is_true=lambda m: m.kind == KINDS["cancelled"])
    return told(messages, is_true=lambda m: m.kind != KINDS["cancelled"] and not office_differences(booking, m))


def office_differences(booking: Booking, message: Message) -> list[list[str]]:
    """[[what, as the mail told it, as it is now], …] of the trip itself; money and crew are read in the console."""
    now = _trip(booking)
    pairs = [(label, str(message.values.get(name, "")), str(now[name])) for name, label in ACTED_ON.items()]
    return [[label, was, is_now] for label, was, is_now in pairs if was != is_now]


@transaction.atomic
def tell_office_again(*, booking: Booking, by: Actor, at: datetime) -> bool:
    """Tell the manager a trip as it is, where the last mail that arrived tells it as it was."""
    booking = Booking.objects.select_for_update().get(pk=booking.pk)
    heard = office_told(booking, mails_to(OFFICE, about=booking.subject))
    if heard.standing == Heard.STUCK and heard.latest and heard.latest.effect:
        return retry(effect=heard.latest.effect, at=at)
    if heard.standing not in (Heard.OLD, Heard.NEVER):
        return False
    cancelled = booking.status == BookingStatus.CANCELLED
    kind = KINDS["cancelled"] if cancelled else KINDS["amended"] if heard.holds else KINDS["booked"]
    words = {label for label, _, _ in office_differences(booking, heard.holds)} if heard.holds else set()
    changed = frozenset(FIELD_OF[label] for label in words)
    return _owe_manager(booking, kind, changed=changed, by=by, at=at, again=True)


def summary(booking: Booking, *, changed: frozenset[str], by: Actor) -> dict[str, Any]:
    """The facts of the manager's mail, JSON; amounts are strings, times as they read at the dock."""
    return {
        "ref": booking.ref,
        "channel": booking.get_channel_display(),
        "external_id": booking.external_id,
        "guest": booking.guest_name or "guest without a name",
        **_trip(booking),
        "changed": sorted(name.replace("_", " ") for name in changed & NEWS),
        "reason": booking.cancel_reason,
        "by": str(by),
        "missing": _missing(booking),
        "crew": [asdict(member) for member in crew_list(booking)],
        "money": money(booking),
        "console_url": settings.CREW_BASE_URL + reverse("admin:bookings_booking_change", args=[booking.pk]),
        "guest_url": public_url(booking) or "",
    }


def _trip(booking: Booking) -> dict[str, Any]:
    start, end = booking.local_start, booking.local_end
    return {
        "party": booking.party_size or 0,
        "vessel": booking.vessel.name,
        "date": f"{start:%A %-d %B %Y}",
        "time": f"{start:%-I:%M %p} to {end:%-I:%M %p}",
    }


def money(booking: Booking) -> dict[str, str]:
    """Gross, fees, payout and margin as text; "" where nothing is recorded. For those who may see money."""
    recorded = amounts_of(booking_id=booking.pk)
    margin = margin_of(booking=booking, labour=[(w.member_key, w.role, w.minutes) for w in labour(booking)])
    lines = {
        "gross": recorded.gross if recorded else None,
        "fees": recorded.fees if recorded else None,
        "payout": recorded.payout if recorded else None,
        "crew_pay": margin.crew_pay,
        "captain_pay": margin.captain_pay,
        "port_fee": margin.port_fee,
        "net": margin.net,
    }
    return {name: _text(amount) for name, amount in lines.items()}


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _missing(booking: Booking) -> list[str]:
    """What was not said and will be needed: flagged at once, not on the morning of the trip."""
    wanted = {"the guest's e-mail": booking.guest_email, "the guest's telephone": booking.guest_phone}
    wanted["the number of guests"] = str(booking.party_size or "")
    return [name for name, value in wanted.items() if not value]
