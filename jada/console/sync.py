"""The manager's letters. And what of a trip is read back without a network: its calendar, each person's last mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat
from django.utils.timezone import now

from bookings.models import Booking, CalendarEntry
from bookings.services import BookingRefused, astray, realign_entry
from crew.models import CrewEvent
from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.console.holders import Holder, holders_of
from jada.mail.letters import Address, letter
from jada.mail.models import Message
from jada.outbox.copies import PERSON, Copy, reader


class OpsLetter:
    """Sent to the office; when it is in doubt whether it left, once more and marked as a possible repeat."""

    template = ""
    in_doubt = "once"

    def address(self, message: Message) -> Address | None:
        return Address("Operations", settings.OPS_EMAIL)

    def withdrawn(self, message: Message) -> str:
        return ""

    def links(self, message: Message) -> Mapping[str, str]:
        return {}


@letter("ops.booked")
class Booked(OpsLetter):
    template = "ops_booked"


@letter("ops.changed")
class Changed(OpsLetter):
    template = "ops_changed"


@letter("ops.cancelled")
class Cancelled(OpsLetter):
    template = "ops_cancelled"


# --- the calendar ----------------------------------------------------------------------------------------------------


@reader("calendar")
class CalendarOfTrips:
    """A trip's entry, what the calendar API says of it, and whether the trip has its crew event and page at all."""

    def plan(self) -> QuerySet[Any]:
        named = {"key": F("public_id"), "subject": Concat(Value("booking:"), F("public_id"))}
        return Booking.objects.values("starts_at", **named)

    def copies(self, key: str, version: int) -> list[Copy]:
        booking = Booking.objects.select_related("vessel").filter(public_id=key).first()
        if booking is None:
            return []
        entry = CalendarEntry.objects.select_related("vessel", "booking").filter(booking=booking).first()
        entry_copy = _entry_copy(booking, entry)
        return [
            entry_copy,
            *([_api_copy(booking, entry)] if entry else []),
            *([_rows(booking)] if booking.is_standing else []),
        ]

    def heal(self, key: str, *, at: datetime) -> bool:
        try:
            realign_entry(booking=Booking.objects.get(public_id=key), by=SYSTEM, at=at)
        except BookingRefused:  # the vessel has another trip by now
            return False
        return True


def _entry_copy(booking: Booking, entry: CalendarEntry | None) -> Copy:
    place = f"entry of {booking.ref}"
    if entry is None:
        return Copy(store="calendar", object=place, found=None, wanted={})
    differing = astray(booking, entry)
    found, wanted = ({name: pair[side] for name, pair in differing.items()} for side in (0, 1))
    return Copy(store="calendar", object=place, found=found, wanted=wanted)


def _api_copy(booking: Booking, entry: CalendarEntry) -> Copy:
    from bookings.api import Entry  # with all of the API's machinery: a worker needs it only here

    said = Entry.of(entry)
    found = {"vessel": said.vessel, "date": said.date.isoformat(), "starts_at": said.starts_at.isoformat()}
    wanted = {"vessel": booking.vessel.key, "date": booking.local_start.date().isoformat()}
    wanted |= {"starts_at": booking.local_start.isoformat(), "ends_at": booking.local_end.isoformat()}
    return Copy(
        store="calendar API", object=booking.ref, found=found | {"ends_at": said.ends_at.isoformat()}, wanted=wanted
    )


def _rows(booking: Booking) -> Copy:
    """A trip that stands without these was written past the program: only a person knows what else is missing."""
    there = {
        "crew event": CrewEvent.objects.filter(booking=booking).exists(),
        "guest page": GuestPage.objects.filter(booking=booking).exists(),
    }
    return Copy(store="database", object=booking.ref, found=there, wanted=dict.fromkeys(there, True), cure=PERSON)


# --- the last mail of each person ------------------------------------------------------------------------------------


@reader("mail")
class LastMails:
    """What each person of a trip ahead was told last. A mail cannot be taken back: a person tells them anew."""

    def plan(self) -> QuerySet[Any]:
        named = {"key": F("public_id"), "subject": Concat(Value("booking:"), F("public_id"))}
        return Booking.objects.filter(ends_at__gt=now()).values("starts_at", **named)

    def copies(self, key: str, version: int) -> list[Copy]:
        booking = Booking.objects.select_related("vessel__berth").filter(public_id=key).first()
        found = holders_of(booking, at=now()) if booking else []
        return [_mail_copy(holder) for holder in found if holder.open]


def _mail_copy(holder: Holder) -> Copy:
    who = f"to {holder.part.lower() or 'office'} {holder.recipient}"
    differs = holder.differs or [["told", "nothing", "the trip"]]
    old, new = ({what: pair[side] for what, *pair in differs} for side in (0, 1))
    return Copy(store="mail", object=who, found=old, wanted=new, cure=PERSON)
