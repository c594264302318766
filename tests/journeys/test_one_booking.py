"""One mail in, and everything it needs exists and stays true: the main job, run whole against a local AWS."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from bookings.models import Booking, CalendarEntry
from bookings.services import TripDetails, amend_booking, cancel_booking
from crew.models import Assignment, ChecklistItem, CrewEvent
from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.aws import table
from jada.console import demo
from jada.mail.models import Message
from jada.outbox import host
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # 9 AM at the dock, a Tuesday


@pytest.fixture
def company(brand: str, tmp_path: Path, settings: Settings) -> None:
    """The demo company before its first trip, with a mailbox that keeps what leaves."""
    settings.MAILBOX_DIR = str(tmp_path / "mailbox")
    demo.lay_out_fleet()


@pytest.fixture
def booking(company: None) -> Booking:
    """The sample's booking, as it is before any worker has run."""
    made = demo.deliver_sample(at=NOW)
    assert made is not None
    return made


def delivered() -> None:
    """Let the worker run until nothing is owed, without waiting for its pauses."""
    for _ in range(6):
        host.drain()
        Effect.objects.filter(state=State.PENDING).update(run_at=NOW)


def unfinished(booking: Booking) -> list[str]:
    rows = Effect.objects.about(booking.subject).unfinished()
    return [f"{e} {e.state}: {e.last_error}" for e in rows]


def mailed(kind: str, booking: Booking) -> list[Message]:
    return list(Message.objects.about(booking.subject).filter(kind=kind, effect__state=State.DONE).order_by("pk"))


def page(booking: Booking) -> str:
    code = GuestPage.objects.get(booking=booking).code
    with urllib.request.urlopen(f"{settings.GUEST_BASE_URL}/g/{code}") as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        html: str = answer.read().decode()
        return html


def crew_links() -> list[str]:
    """The personal links in the mails that left, as a crew member has them."""
    links: list[str] = []
    for path in sorted(Path(settings.MAILBOX_DIR).glob("*.eml")):
        mail = message_from_bytes(path.read_bytes(), policy=default)
        body = mail.get_body(("plain",))
        assert body is not None
        links += re.findall(r"https?://\S+/confirm\?token=\S+", body.get_content())
    return links


class TestOneBoatsetterMail:
    def test_becomes_everything_in_one_transaction(self, booking: Booking) -> None:
        entry = CalendarEntry.objects.get(booking=booking)
        event = CrewEvent.objects.get(booking=booking)

        assert entry.blocks
        assert entry.blocked_until > booking.ends_at
        assert Assignment.objects.filter(event=event, status="invited").count() == 3
        assert Assignment.objects.filter(event=event).order_by("pk").first().role == "captain"  # type: ignore[union-attr]
        assert ChecklistItem.objects.filter(event=event).exists()
        assert GuestPage.objects.filter(booking=booking).exists()

    def test_is_delivered_to_the_last_effect(self, booking: Booking) -> None:
        delivered()

        assert unfinished(booking) == []
        code = GuestPage.objects.get(booking=booking).code
        mirror = Mirror.objects.get(topic="guests.page", key=code)
        assert mirror.seen_version == mirror.applied_version > 0

    def test_gives_the_guest_a_live_page_without_money_or_surname(self, booking: Booking) -> None:
        delivered()

        html = page(booking)
        assert "Dana" in html
        assert "1:00 PM" in html
        assert not re.search(r"\$\d|840\.75|735\.66|105\.09", html)

    def test_mirrors_the_crew_event_without_money(self, booking: Booking) -> None:
        delivered()

        item = table.read_event(booking.public_id)
        assert item is not None
        said = {name: value for name, value in item.items() if name not in {"digest", "event_id"}}
        assert not re.search(r"\$|840|735|105\.09|gross|payout", str(said))

    def test_mails_the_crew_their_links_and_the_manager_the_margin(self, booking: Booking) -> None:
        delivered()

        (to_ops,) = mailed("ops.booked", booking)
        assert "840.75" in to_ops.text
        invitations = mailed("crew.invitation", booking)
        assert len(invitations) == 3
        assert not any(re.search(r"\$|840\.75|gross", m.text + m.html + m.subject) for m in invitations)

    def test_arriving_again_changes_nothing_and_mails_nobody(self, booking: Booking) -> None:
        delivered()
        effects = Effect.objects.count()

        demo.deliver_sample(at=NOW + timedelta(hours=1))
        delivered()

        assert Effect.objects.count() == effects


class TestWithTheWorkerStopped:
    def test_the_booking_stands_and_the_console_says_what_waits(self, booking: Booking, ops: User) -> None:
        browser = Client()
        browser.force_login(ops)

        shown = browser.get(reverse("admin:bookings_booking_change", args=[booking.pk]))

        assert shown.status_code == 200
        assert b"waiting" in shown.content.lower()

    def test_and_started_again_everything_is_delivered_once(self, booking: Booking) -> None:
        delivered()
        before = Message.objects.filter(sent_at__isnull=False).count()

        delivered()

        assert unfinished(booking) == []
        assert Message.objects.filter(sent_at__isnull=False).count() == before


class TestWhenTheBookingChanges:
    def test_in_time_every_projection_follows_and_people_hear_of_it_once(self, booking: Booking) -> None:
        delivered()
        trip = TripDetails.of(booking)
        hour = timedelta(hours=1)
        later = replace(trip, starts_at=trip.starts_at + hour, ends_at=trip.ends_at + hour)

        amend_booking(booking=booking, trip=later, by=SYSTEM, at=NOW + hour)
        delivered()

        assert "2:00 PM" in page(booking)
        assert "14:00:00" in str(table.read_event(booking.public_id))
        assert CalendarEntry.objects.get(booking=booking).starts_at == later.starts_at
        assert len(mailed("crew.changed", booking)) == 3
        assert len(mailed("ops.changed", booking)) == 1

    def test_in_party_every_projection_follows(self, booking: Booking) -> None:
        delivered()

        amend_booking(booking=booking, trip=replace(TripDetails.of(booking), party_size=5), by=SYSTEM, at=NOW)
        delivered()

        item = table.read_event(booking.public_id)
        assert item is not None
        assert item["party_size"] == 5
        assert CalendarEntry.objects.get(booking=booking).guest_count == 5

    def test_in_the_guests_name_the_page_follows_and_nobody_of_the_crew_is_mailed(self, booking: Booking) -> None:
        delivered()

        amend_booking(
            booking=booking, trip=replace(TripDetails.of(booking), guest_name="Robin Hale"), by=SYSTEM, at=NOW
        )
        delivered()

        assert "Robin" in page(booking)
        assert mailed("crew.changed", booking) == []

    def test_and_is_cancelled_everybody_who_knew_is_told_once_and_the_vessel_is_free(self, booking: Booking) -> None:
        delivered()

        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW + timedelta(hours=1))
        delivered()
        delivered()

        assert "cancelled" in page(booking).lower()
        assert len(mailed("crew.cancelled", booking)) == 3
        assert len(mailed("ops.cancelled", booking)) == 1
        assert not CalendarEntry.objects.get(booking=booking).blocks


class TestTheCrewLink:
    def test_is_opened_accepted_and_the_checklist_ticked(self, booking: Booking) -> None:
        delivered()
        link = crew_links()[-3].removeprefix(settings.CREW_BASE_URL)
        path, _, token = link.partition("?token=")
        crew = Client()

        with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
            assert crew.get(link).status_code == 200
            opened = crew.post(path, {"token": token})
            trip = crew.get(opened.headers["Location"])
            assert b"Accept" in trip.content
            answer = re.search(
                r'action="([^"]+)"[^>]*>(?:(?!</form>).)*value="(?:yes|accept)"', trip.content.decode(), re.DOTALL
            )
            assert answer
            crew.post(answer[1], {"answer": _value(trip.content.decode(), answer[1])})

        event = CrewEvent.objects.get(booking__external_id="kqvmztr")
        assert Assignment.objects.filter(event=event, status="accepted").count() == 1


def _value(html: str, action: str) -> str:
    found = re.search(r'value="(yes|accept)"', html)
    assert found, action
    return found[1]


class TestTheSeedsOwnBooking:
    def test_shows_its_margin_in_the_console(self, company: None, ops: User) -> None:
        demo.load(at=NOW)
        browser = Client()
        browser.force_login(ops)
        booking = Booking.objects.get(given_code="XHQGMDH")

        shown: Any = browser.get(reverse("admin:bookings_booking_change", args=[booking.pk]))

        text = shown.content.decode()
        for amount in ("840.75", "250.00", "150.00", "151.34", "289.41"):
            assert amount in text
