"""A trip with an old time in people's hands and copies that differ, as it is seen: at both sizes, in both schemes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from bookings.models import Booking
from bookings.services import TripDetails, amend_booking
from guests import codes
from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.mail.models import BlockedAddress, Message
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror
from tests.factories.bookings import a_booking
from tests.factories.crew import captain, crewed_vessel, mate

HOUR = timedelta(hours=1)


@pytest.fixture
def manager(transactional_db: None) -> User:
    return User.objects.create_superuser("ana", "ana@sailjada.com", "correct horse battery")


@pytest.fixture
def booking(transactional_db: None) -> Booking:
    """Moved by an hour, and nobody was told; the page differs, the edge's check is on its way, the item is stuck."""
    at = timezone.now()
    captain()
    mate(phone="+1 619 555 0142")
    start = (at + timedelta(days=3)).replace(hour=23, minute=30, second=0, microsecond=0)
    trip = a_booking(
        vessel=crewed_vessel(name="Halcyon"), starts_at=start, ends_at=start + 3 * HOUR, at=at - 4 * HOUR,
        guest_email="dana@guest.example", guest_phone="+1 619 555 0177", given_code="XHQGMDH",
    )  # fmt: skip
    Effect.objects.about(trip.subject).update(state=State.DONE)
    Message.objects.about(trip.subject).update(sent_at=at - 3 * HOUR)
    earlier = replace(TripDetails.of(trip), starts_at=start - HOUR, ends_at=start + 2 * HOUR)
    trip = amend_booking(booking=trip, trip=earlier, by=SYSTEM, at=at - 2 * HOUR, tell=False)
    BlockedAddress.objects.create(address="dana@guest.example", trouble="bounced", since=at)
    stand_outside(trip, at=at)
    return trip


def stand_outside(trip: Booking, *, at: datetime) -> None:
    page = GuestPage.objects.get(booking=trip)
    Effect.objects.about(trip.subject).filter(state=State.PENDING).update(state=State.DONE)
    stuck = Effect.objects.filter(topic="crew.event").latest("pk")
    Effect.objects.filter(pk=stuck.pk).update(
        state=State.DEAD, attempts=3, last_error="AWS answered AccessDenied to PutItem: check the permission."
    )
    written = {"version": 4, "applied_version": 4, "applied_at": at - 2 * HOUR, "checked_at": at - HOUR / 6}
    found = [
        ("bucket", codes.guest_key(page.code), "text", "4:30 PM", "3:30 PM"),
        ("bucket", codes.guest_key(page.code), "content type", "binary/octet-stream", "text/html; charset=utf-8"),
    ]
    names = ("store", "object", "field", "old", "new")
    kept = [dict(zip(names, one, strict=True)) | {"cure": "write"} for one in found]
    seen = {"seen_version": 4, "seen_at": at - HOUR}
    Mirror.objects.create(topic="guests.page", key=page.code, differences=kept, **written, **seen)
    Mirror.objects.create(topic="crew.event", key=trip.public_id, **(written | {"applied_version": 3}))
    current = page.slugs.get(current=True).slug
    Mirror.objects.create(topic="guests.slug", key=current, **written)


@pytest.fixture
def opened(sign_in: Any, manager: User, booking: Booking) -> Callable[[Any], None]:
    """Opens the trip's page as the ops manager."""

    def go(page: Any) -> None:
        sign_in(page, manager)
        page.goto(f"/admin/bookings/booking/{booking.pk}/change/")

    return go


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """With SHOTS=<folder> a part of the page is kept as a picture, to be looked at."""

    def shoot(page: Any, part: str) -> None:
        if folder := os.environ.get("SHOTS"):
            name = f"h-{part}-{request.node.callspec.id}.png"
            page.locator(f"#{part}").screenshot(path=Path(folder) / name)

    return shoot


def test_the_page_has_no_finding_and_keeps_to_its_width(
    page: Any, violations: Any, opened: Callable[[Any], None], keep: Callable[[Any, str], None]
) -> None:
    opened(page)

    page.get_by_role("heading", name="4 people hold an old time").wait_for()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(page, "holders")
    keep(page, "ledger")


def test_one_press_tells_those_who_can_be_told_by_mail_and_leaves_the_telephone_list(
    new_page: Any, opened: Callable[[Any], None]
) -> None:
    page = new_page("phone")
    opened(page)

    page.get_by_role("button", name="Tell them again").click()

    page.get_by_role("heading", name="1 person holds an old time").wait_for()
    page.get_by_role("button", name="Told by telephone").click()
    page.get_by_text("Written down: they know it by telephone.").wait_for()
    assert page.get_by_role("heading", name="an old time").count() == 0


def test_a_trip_can_be_moved_by_hand(new_page: Any, opened: Callable[[Any], None], booking: Booking) -> None:
    page = new_page("desk")
    opened(page)
    start, end = (datetime.fromisoformat(page.get_by_label(name).input_value()) for name in ("Starts", "Ends"))

    page.get_by_label("Starts").fill((start + HOUR).isoformat(timespec="minutes"))
    page.get_by_label("Ends").fill((end + HOUR).isoformat(timespec="minutes"))
    page.get_by_role("button", name="Save and stay").click()

    page.get_by_text("was changed successfully").wait_for()
    assert Booking.objects.get(pk=booking.pk).starts_at == booking.starts_at + HOUR
