"""The page of one booking: its parts, its buttons, and what waits when nobody delivers."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from bookings.enums import BookingStatus
from bookings.finance.models import BookingFinance
from bookings.finance.services import record_amounts
from bookings.models import Booking, CalendarEntry
from crew import services as crews
from crew.models import Assignment
from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.console import booking_page
from jada.outbox.enums import Mode, State
from jada.outbox.models import Effect, Mirror
from tests.factories.bookings import NOW, a_booking
from tests.factories.crew import captain, crewed_vessel, mate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def console(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


@pytest.fixture
def booking() -> Booking:
    captain()
    mate()
    return a_booking(vessel=crewed_vessel(name="Halcyon"), guest_email="dana@guest.example", guest_name="Dana Whit")


def page(client: Client, booking: Booking) -> str:
    return client.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()


def section(html: str, name: str) -> str:
    start = html.index(f'id="{name}"')
    return html[start : html.index("</section>", start)]


class TestHead:
    def test_it_names_guest_vessel_and_times_at_the_dock(self, console: Client, booking: Booking) -> None:
        html = page(console, booking)

        assert "Dana Whit, 3 guests" in html
        assert "Halcyon · Sunday 30 May 2027, 1:00 PM to 4:00 PM" in html

    def test_its_pills_say_where_the_trip_stands(self, console: Client, booking: Booking) -> None:
        html = page(console, booking)

        assert "Crew 0 of 2 confirmed" in html
        assert ">No deposit yet<" in html

    def test_an_inquiry_has_neither_crew_nor_page_and_can_be_confirmed(self, console: Client) -> None:
        html = page(console, a_booking(status=BookingStatus.INQUIRY))

        assert "Nobody is called before the trip is confirmed" in html
        assert "No guest page" in html
        assert "Confirm trip" in html


class TestConfirming:
    def test_the_page_names_who_is_told(self, console: Client) -> None:
        booking = a_booking(status=BookingStatus.QUOTED, guest_email="dana@guest.example")

        html = console.get(f"/admin/bookings/booking/{booking.pk}/confirm/").content.decode()

        assert "Dana, the guest" in html
        assert "The office" in html

    def test_a_post_confirms(self, console: Client) -> None:
        booking = a_booking(status=BookingStatus.QUOTED)

        console.post(f"/admin/bookings/booking/{booking.pk}/confirm/")

        booking.refresh_from_db()
        assert booking.status == BookingStatus.CONFIRMED

    def test_a_get_changes_nothing(self, console: Client) -> None:
        booking = a_booking(status=BookingStatus.QUOTED)

        console.get(f"/admin/bookings/booking/{booking.pk}/confirm/")

        booking.refresh_from_db()
        assert booking.status == BookingStatus.QUOTED

    def test_a_refusal_is_a_sentence(self, console: Client) -> None:
        stands = a_booking(guest_name="Stands There")
        quoted = a_booking(vessel=stands.vessel, status=BookingStatus.QUOTED)

        answer = console.post(f"/admin/bookings/booking/{quoted.pk}/confirm/", follow=True)

        assert "Stands There" in answer.content.decode()


class TestCancelling:
    def test_the_dialog_names_who_is_told(self, console: Client, booking: Booking) -> None:
        html = page(console, booking)

        dialog = html[html.index('<dialog id="ask-cancel"') :]
        assert "Ines Calloway, captain" in dialog
        assert "Dana, the guest" in dialog
        assert 'name="reason"' in dialog

    def test_a_reason_is_needed(self, console: Client, booking: Booking) -> None:
        answer = console.post(f"/admin/bookings/booking/{booking.pk}/cancel/", {"reason": " "})

        booking.refresh_from_db()
        assert booking.is_standing
        assert "Say why the trip is cancelled" in answer.content.decode()

    def test_a_post_cancels_and_frees_the_vessel(self, console: Client, booking: Booking) -> None:
        console.post(f"/admin/bookings/booking/{booking.pk}/cancel/", {"reason": "Guest is ill"})

        booking.refresh_from_db()
        assert (booking.status, booking.cancelled_by, booking.cancel_reason) == ("cancelled", "ops", "Guest is ill")
        assert not CalendarEntry.objects.get(booking=booking).blocks

    def test_a_cancelled_trip_says_by_whom_and_why(self, console: Client, booking: Booking) -> None:
        console.post(f"/admin/bookings/booking/{booking.pk}/cancel/", {"reason": "Guest is ill"})

        assert "by ops: Guest is ill" in page(console, booking)


class TestCrew:
    def test_each_place_says_who_has_it_and_what_they_said(self, console: Client, booking: Booking) -> None:
        crews.accept(assignment=Assignment.objects.get(member__key="ines"), at=NOW)

        part = section(page(console, booking), "crew")

        assert "Ines Calloway" in part
        assert "answered Thu 20 May, 9:00 AM" in part
        assert ">Confirmed<" in part

    def test_a_declined_place_is_open_and_says_who_declined(self, console: Client, booking: Booking) -> None:
        crews.decline(assignment=Assignment.objects.get(member__key="juno"), at=NOW)

        part = section(page(console, booking), "crew")

        assert ">Open<" in part
        assert "Juno Park (declined)" in part

    def test_what_crew_see_is_the_view_their_page_is_made_of(self, console: Client, booking: Booking) -> None:
        html = console.get(f"/admin/bookings/booking/{booking.pk}/crew-view/").content.decode()

        assert "Halcyon" in html
        assert "Whit" not in html[html.index("facts-list") :]

    def test_without_a_crew_event_there_is_nothing_to_see(self, console: Client) -> None:
        booking = a_booking(status=BookingStatus.INQUIRY)

        assert console.get(f"/admin/bookings/booking/{booking.pk}/crew-view/").status_code == 404


class TestMoney:
    def post(self, client: Client, booking: Booking, **amounts: str) -> Any:
        return client.post(f"/admin/bookings/booking/{booking.pk}/amounts/", amounts, follow=True)

    def test_amounts_are_recorded(self, console: Client, booking: Booking) -> None:
        self.post(console, booking, gross="840.75", fees="120", payout="720.75")

        row = BookingFinance.objects.get(booking_id=booking.pk)
        assert (row.gross, row.fees, row.payout, row.guest_price) == (
            Decimal("840.75"),
            Decimal(120),
            Decimal("720.75"),
            None,
        )

    def test_an_emptied_field_is_unknown_again(self, console: Client, booking: Booking) -> None:
        record_amounts(booking_id=booking.pk, gross=Decimal(10), fees=Decimal(1), by=SYSTEM, at=NOW)

        self.post(console, booking, gross="10", fees="")

        assert BookingFinance.objects.get(booking_id=booking.pk).fees is None

    @pytest.mark.parametrize("gross", ["-1", "1.234", "many", "99999999999"])
    def test_a_wrong_amount_is_a_sentence_and_records_nothing(
        self, console: Client, booking: Booking, gross: str
    ) -> None:
        answer = self.post(console, booking, gross=gross)

        assert "Gross: " in answer.content.decode()
        assert not BookingFinance.objects.filter(gross__isnull=False).exists()

    def test_what_is_missing_is_said(self, console: Client, booking: Booking) -> None:
        part = section(page(console, booking), "money")

        assert "unknown" in part
        assert 'class="note"' in part

    def test_the_margin_stands_line_by_line(self, console: Client, booking: Booking) -> None:
        record_amounts(booking_id=booking.pk, gross=Decimal("1840.75"), by=SYSTEM, at=NOW)

        assert "$1,840.75" in section(page(console, booking), "money")


class TestDeliveries:
    def test_a_stuck_one_says_why_and_has_a_button(self, console: Client, booking: Booking) -> None:
        effect = Effect.objects.filter(subject=booking.subject, topic="crew.event")[0]
        Effect.objects.filter(pk=effect.pk).update(state=State.DEAD, last_error="The table refused it.", attempts=3)

        part = section(page(console, booking), "ledger")

        assert "The table refused it." in part
        assert "3 tries" in part
        assert f"/retry/{effect.pk}/" in part

    def test_one_press_tries_again(self, console: Client, booking: Booking) -> None:
        effect = Effect.objects.filter(subject=booking.subject, topic="crew.event")[0]
        Effect.objects.filter(pk=effect.pk).update(state=State.DEAD)

        console.post(f"/admin/bookings/booking/{booking.pk}/retry/{effect.pk}/")

        effect.refresh_from_db()
        assert effect.state == State.PENDING
        assert "Delivery retried" in section(page(console, booking), "history")

    def test_what_is_not_stuck_is_left_alone(self, console: Client, booking: Booking) -> None:
        effect = Effect.objects.filter(subject=booking.subject)[0]

        answer = console.post(f"/admin/bookings/booking/{booking.pk}/retry/{effect.pk}/", follow=True)

        assert "not stuck any more" in answer.content.decode()

    def test_another_bookings_delivery_is_not_found(self, console: Client, booking: Booking) -> None:
        other = Effect.objects.filter(subject=a_booking().subject)[0]

        assert console.post(f"/admin/bookings/booking/{booking.pk}/retry/{other.pk}/").status_code == 404

    def test_a_message_in_doubt_is_offered_to_be_sent_again(self, console: Client, booking: Booking) -> None:
        effect = Effect.objects.filter(subject=booking.subject, mode=Mode.MESSAGE)[0]
        Effect.objects.filter(pk=effect.pk).update(state=State.DEAD, cause="in_doubt")

        assert "Send again" in section(page(console, booking), "ledger")

    def test_a_stopped_worker_is_said_in_a_sentence(self, console: Client, booking: Booking) -> None:
        Effect.objects.update(run_at=NOW - timedelta(minutes=14))

        assert "Deliveries have been waiting for 14\xa0minutes: is the worker running?" in page(console, booking)

    def test_a_running_one_is_not_nagged(self, console: Client, booking: Booking) -> None:
        Effect.objects.update(run_at=NOW)  # PostgreSQL's own clock does not travel

        assert booking_page.waiting(NOW) == ""


class TestGuestPage:
    def test_a_page_that_waits_is_no_live_page(self, console: Client, booking: Booking) -> None:
        part = section(page(console, booking), "guest-page")

        assert "/g/" in part
        assert ">Waiting<" in part

    def test_it_is_live_when_it_was_seen_in_public(self, console: Client, booking: Booking) -> None:
        code = GuestPage.objects.get(booking=booking).code
        Effect.objects.filter(key=code).update(state=State.DONE)
        Mirror.objects.create(topic="guests.page", key=code, version=3, applied_version=3, seen_version=3)

        assert ">Live<" in section(page(console, booking), "guest-page")

    def test_the_calendar_entry_says_when_the_vessel_is_free(self, console: Client, booking: Booking) -> None:
        assert "free again at 5:00 PM" in section(page(console, booking), "guest-page")


class TestHistory:
    def test_it_is_a_timeline_of_acts(self, console: Client, booking: Booking) -> None:
        part = section(page(console, booking), "history")

        assert "Trip booked" in part
        assert "Guest page opened" in part


def test_the_page_takes_a_fixed_number_of_queries(
    console: Client, booking: Booking, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(48):
        page(console, booking)
