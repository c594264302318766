"""What the office is told. Composition: here crew, guests and money meet, and nowhere else."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from bookings.finance.services import amounts_of, margin_of
from bookings.models import Booking
from crew.services import crew_list, labour
from guests.services import public_url
from jada.audit.actors import Actor
from jada.mail.services import owe_message, withdraw_messages

KINDS = {"booked": "ops.booked", "amended": "ops.changed", "cancelled": "ops.cancelled"}
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
    owe_message(
        kind=kind,
        fact=f"{kind}:{booking.public_id}:{booking.revision}:{at.isoformat()}",
        recipient="ops",
        about=booking.subject,
        values=summary(booking, changed=changed, by=by),
        lane=lane,
        at=at,
        revision=booking.revision,
        has_money=True,
    )


def summary(booking: Booking, *, changed: frozenset[str], by: Actor) -> dict[str, Any]:
    """The facts of the manager's mail, JSON; amounts are strings, times as they read at the dock."""
    start, end = booking.local_start, booking.local_end
    return {
        "ref": booking.ref,
        "channel": booking.get_channel_display(),
        "external_id": booking.external_id,
        "guest": booking.guest_name or "guest without a name",
        "party": booking.party_size or 0,
        "vessel": booking.vessel.name,
        "date": f"{start:%A %-d %B %Y}",
        "time": f"{start:%-I:%M %p} to {end:%-I:%M %p}",
        "changed": sorted(name.replace("_", " ") for name in changed & NEWS),
        "reason": booking.cancel_reason,
        "by": str(by),
        "missing": _missing(booking),
        "crew": [asdict(member) for member in crew_list(booking)],
        "money": money(booking),
        "console_url": settings.CREW_BASE_URL + reverse("admin:bookings_booking_change", args=[booking.pk]),
        "guest_url": public_url(booking) or "",
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
