"""The demo company, so that one command shows the whole of it: its fleet, its crew, its trips, its first mail.

The fleet is in samples/fleet.yaml, the trips are in `demo_trips`. What is there already is left as it is, on every run.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from functools import partial

import yaml
from django.conf import settings
from django.db import transaction

from bookings.enums import Channel
from bookings.intake.enums import Arrival
from bookings.intake.models import Listing
from bookings.intake.services import accept_message
from bookings.models import Booking, Vessel
from bookings.services import find_booking
from jada.audit.actors import Actor
from jada.console.demo_trips import book_trips
from jada.console.roles import make_roles
from jada.console.season import house
from jada.console.season.reading import Row

FLEET = settings.BASE_DIR / "samples" / "fleet.yaml"
SAMPLE = settings.BASE_DIR / "samples" / "intake" / "01_boatsetter_instant.eml"
SAMPLE_ID = "kqvmztr"
WEEK = timedelta(weeks=1)

# How the mail writes a day: in its subject and text, in its headers, in its ids.
DATES = (
    (re.compile(rb"\b[A-Z][a-z]{2} \d{1,2}, 20\d\d\b"), "%b %d, %Y"),
    (re.compile(rb"\b\d{1,2} [A-Z][a-z]{2} 20\d\d\b"), "%d %b %Y"),
    (re.compile(rb"20\d{6}(?=\d{6})"), "%Y%m%d"),
)


@transaction.atomic
def load(*, at: datetime) -> dict[str, int]:
    """Add what is missing of the demo company; answers how many rows of each kind. The same `at`, the same company."""
    added = lay_out_fleet()
    added["roles"] = make_roles()
    added["bookings"] = book_trips(at=at)
    return added


@transaction.atomic
def lay_out_fleet() -> dict[str, int]:
    """Vessels, crew, rates, checklist and the channels' listings, without a trip."""
    fleet = yaml.safe_load(FLEET.read_text(encoding="utf-8"))
    added = house.set_up(fleet)
    added["listings"] = sum(_map_listing(row) for row in fleet["listings"])
    return added


def deliver_sample(*, at: datetime) -> Booking | None:
    """Let the sample's mail arrive as if it had been sent this week; answers its booking, None where a person decides.

    The sample is dated 2024, and nobody is called to a trip that is over: so every date in it moves forward by the same
    whole number of weeks, weekdays kept, until it was sent within the last seven days. A booking that is there already
    is answered as it stands: the mail came, once.
    """
    if existing := find_booking(channel=Channel.BOATSETTER, external_id=SAMPLE_ID):
        return existing
    raw = as_sent_this_week(SAMPLE.read_bytes(), at=at)
    accept_message(raw=raw, name=SAMPLE.name, source=Arrival.MAIL, by=Actor.channel("boatsetter"), at=at)
    return find_booking(channel=Channel.BOATSETTER, external_id=SAMPLE_ID)


def as_sent_this_week(raw: bytes, *, at: datetime) -> bytes:
    """The mail with each of its dates moved by the whole weeks that bring its sending into the seven days before `at`."""
    sent = parsedate_to_datetime(str(message_from_bytes(raw)["Date"]))
    weeks = (at - sent) // WEEK * WEEK
    for pattern, form in DATES:
        raw = pattern.sub(partial(_moved, form=form, by=weeks), raw)
    return raw


def _moved(found: re.Match[bytes], *, form: str, by: timedelta) -> bytes:
    moved = datetime.strptime(found[0].decode(), form) + by
    return re.sub(r"\b0(?=\d\b)", "", moved.strftime(form)).encode()  # the mail writes May 3, not May 03


# --- parts -------------------------------------------------------------------------------------------------------------


def _map_listing(row: Row) -> bool:
    if Listing.objects.filter(channel=row["channel"], title__iexact=row["title"]).exists():
        return False
    Listing.objects.create(channel=row["channel"], title=row["title"], vessel=Vessel.objects.get(key=row["vessel"]))
    return True
