"""The console in a browser: no error, no finding of axe, at both sizes and in both schemes; dialogs without a script."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from bookings.enums import BookingStatus
from bookings.finance.services import record_amounts
from bookings.models import Booking
from jada.audit.actors import SYSTEM
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import VesselFactory, a_booking
from tests.factories.crew import captain, crewed_vessel, mate


@pytest.fixture
def manager(transactional_db: None) -> User:
    return User.objects.create_superuser("ana", "ana@sailjada.com", "correct horse battery")


@pytest.fixture
def booking(transactional_db: None) -> Booking:
    """A trip of today with its crew called, its money, a stuck delivery and a mail that was sent."""
    at = timezone.now()
    captain()
    mate()
    vessel = crewed_vessel(name="Halcyon")
    trip = a_booking(vessel=vessel, starts_at=at + timedelta(hours=3), at=at, guest_email="dana@guest.example")
    a_booking(vessel=VesselFactory(name="JADA"), starts_at=at + timedelta(days=2), at=at, status=BookingStatus.QUOTED)
    record_amounts(booking_id=trip.pk, gross=Decimal("840.75"), fees=Decimal(120), by=SYSTEM, at=at)
    stuck = Effect.objects.filter(subject=trip.subject, topic="crew.event")[:1]
    Effect.objects.filter(pk__in=[e.pk for e in stuck]).update(state=State.DEAD, last_error="The table refused it.")
    Message.objects.filter(kind="crew.invitation").update(subject="You are invited", text="Hello Ines", sent_at=at)
    return trip


def addresses(booking: Booking) -> dict[str, str]:
    message = Message.objects.filter(kind="crew.invitation")[0]
    return {
        "today": "/admin/",
        "bookings": "/admin/bookings/booking/",
        "booking": f"/admin/bookings/booking/{booking.pk}/change/",
        "new booking": f"/admin/bookings/booking/add/?vessel={booking.vessel_id}&date=2031-05-30",
        "calendar": "/admin/calendar/",
        "deliveries": "/admin/outbox/effect/",
        "stuck": "/admin/outbox/effect/?state__in=dead,in_doubt",
        "message": f"/admin/mail/message/{message.pk}/change/",
        "history": "/admin/audit/event/",
        "crew to chase": "/admin/attention/unconfirmed/",
        "cancel": f"/admin/bookings/booking/{booking.pk}/cancel/",
        "empty list": "/admin/bookings/booking/?q=nobody",
        "vessel": f"/admin/bookings/vessel/{booking.vessel_id}/change/",
        "staff": "/admin/auth/user/",
    }


def test_the_sign_in_page_has_no_finding(page: Any, violations: Any, transactional_db: None) -> None:
    page.goto("/admin/login/")

    assert violations(page) == []


def test_no_page_has_a_finding_or_runs_over_its_width(
    page: Any, violations: Any, sign_in: Any, manager: User, booking: Booking
) -> None:
    sign_in(page, manager)

    for name, address in addresses(booking).items():
        answer = page.goto(address)
        assert answer.status == 200, name
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def test_a_refused_form_has_no_finding(
    page: Any, violations: Any, sign_in: Any, manager: User, booking: Booking
) -> None:
    sign_in(page, manager)
    page.goto(f"/admin/bookings/booking/add/?vessel={booking.vessel_id}&date=2020-05-30")

    page.get_by_role("button", name="Book it").click()

    page.get_by_text("is in the past").wait_for()
    assert page.get_by_label("It really took place then").is_visible()
    assert violations(page) == []


def test_cancelling_asks_in_a_dialog_that_escape_closes(
    desk: Any, violations: Any, sign_in: Any, manager: User, booking: Booking
) -> None:
    sign_in(desk, manager)
    desk.goto(f"/admin/bookings/booking/{booking.pk}/change/")

    desk.get_by_role("button", name="Cancel trip").click()
    dialog = desk.get_by_role("dialog")
    assert dialog.get_by_text("Ines Calloway, captain").is_visible()
    assert violations(desk) == []
    desk.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_a_trip_is_cancelled_with_its_reason(new_page: Any, sign_in: Any, manager: User, booking: Booking) -> None:
    page = new_page("desk")
    sign_in(page, manager)
    page.goto(f"/admin/bookings/booking/{booking.pk}/change/")

    page.get_by_role("button", name="Cancel trip").click()
    page.get_by_label("Why, for the history").fill("Guest is ill")
    page.get_by_role("button", name="Cancel the trip").click()

    page.get_by_text("by ana: Guest is ill").wait_for()
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED


def test_the_phones_last_button_opens_every_place(
    phone: Any, violations: Any, sign_in: Any, manager: User, booking: Booking
) -> None:
    sign_in(phone, manager)
    phone.goto("/admin/")
    assert not phone.get_by_role("link", name="Roster").is_visible()

    phone.get_by_role("button", name="More").click()

    assert phone.get_by_role("link", name="Roster").is_visible()
    assert violations(phone) == []


def test_a_booking_is_typed_in_on_a_phone(new_page: Any, sign_in: Any, manager: User, booking: Booking) -> None:
    page = new_page("phone")
    sign_in(page, manager)
    page.goto(f"/admin/bookings/booking/add/?vessel={booking.vessel_id}&date=2031-05-30")

    page.get_by_label("Party size").fill("4")
    page.get_by_label("Guest name").fill("Wren Abbott")
    page.get_by_role("button", name="Book it").click()

    page.get_by_text("was added successfully").wait_for()
    assert Booking.objects.get(guest_name="Wren Abbott").party_size == 4
