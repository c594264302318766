"""Copies that were read back and found to differ, and that nothing is setting right: they wait for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet
from django.urls import reverse

from bookings.models import Booking
from guests.models import PAGE, SLUG, GuestPage, PageSlug
from jada.console.ledger import NAMES
from jada.outbox import reconcile, registry
from jada.outbox.models import Mirror

MAILS: Final = "mail"  # who holds an old time is counted by itself, and as of now
MOST: Final = 200
BY_KEY: Final = {"calendar": "Calendar entry", "guests.strays": "A page that is none of ours"}


@dataclass(frozen=True)
class Astray:
    """One object: whose it is (None for what belongs to no trip), what it is, how it differs, where it is seen."""

    booking: Booking | None
    what: str
    said: str
    url: str


def astray() -> list[Astray]:
    """The longest known last: what was read back just now is news. One query while every copy is right."""
    found = [mirror for mirror in differing().order_by("-checked_at", "pk")[:MOST] if not _is_right_by_now(mirror)]
    trips = _trips(found) if found else {}
    return [_of(mirror, trips.get(mirror.key)) for mirror in found]


def differing() -> QuerySet[Mirror]:
    return reconcile.differing().exclude(topic=MAILS)


def _is_right_by_now(mirror: Mirror) -> bool:
    """A row of our own, the calendar's, is right as soon as it is healed: nothing is written outside."""
    return mirror.topic not in registry.known() and all(found.get("healed") for found in mirror.differences)


def _of(mirror: Mirror, booking: Booking | None) -> Astray:
    found = mirror.differences[0]
    more = f", and {len(mirror.differences) - 1} more" if len(mirror.differences) > 1 else ""
    place = found["object"] if found["field"] == "object" else found["field"]
    said = f"{found['store']}, {place}: {found['old']} instead of {found['new']}{more}"
    name = BY_KEY.get(mirror.topic) or NAMES.get(mirror.topic, mirror.topic)
    url = reverse("admin:outbox_mirror_change", args=[mirror.pk])
    if booking:
        url = f"{reverse('admin:bookings_booking_change', args=[booking.pk])}#ledger"
    return Astray(booking, name, said, url)


def _trips(mirrors: Iterable[Mirror]) -> dict[str, Booking]:
    """Key -> its trip: by the trip's own id, its page's code, or a friendly name of its page."""
    keys = {topic: [m.key for m in mirrors if m.topic == topic] for topic in {m.topic for m in mirrors}}
    pages, slugs = keys.pop(PAGE, []), keys.pop(SLUG, [])
    trips = Booking.objects.select_related("vessel").filter(
        public_id__in=[key for some in keys.values() for key in some]
    )
    found = {trip.public_id: trip for trip in trips}
    for page in GuestPage.objects.select_related("booking__vessel").filter(code__in=pages):
        found[page.code] = page.booking
    for slug in PageSlug.objects.select_related("page__booking__vessel").filter(slug__in=slugs):
        found[slug.slug] = slug.page.booking
    return found
