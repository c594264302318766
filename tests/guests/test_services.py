from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import IntegrityError, transaction

from bookings.enums import BookingStatus, PaymentState
from bookings.models import Booking, Vessel
from bookings.services import (
    TripDetails,
    amend_booking,
    cancel_booking,
    confirm_booking,
    reinstate_booking,
    set_payment_state,
)
from guests import codes, services
from guests.models import GuestPage, PageSlug
from guests.phases import Phase
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror
from tests.factories.bookings import NOW, START, VesselFactory, a_booking

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EMAIL = "dana@example.com"


def page_of(booking: Booking) -> GuestPage:
    return GuestPage.objects.select_related("booking__vessel__berth").get(booking=booking)


def amended(booking: Booking, at: datetime = NOW, **changes: object) -> GuestPage:
    details = TripDetails.of(booking)
    trip = TripDetails(**{**vars(details), **changes})
    amend_booking(booking=booking, trip=trip, by=SYSTEM, at=at)
    return page_of(booking)


def owed(topic: str) -> list[str]:
    return list(Effect.objects.filter(topic=topic, state=State.PENDING).values_list("key", flat=True))


def mails() -> list[str]:
    waiting = Message.objects.filter(recipient__startswith="guest:", effect__state=State.PENDING)
    return list(waiting.order_by("pk").values_list("kind", flat=True))


class TestOpening:
    def test_a_booking_has_its_page_its_slug_and_their_copies_owed(self) -> None:
        page = page_of(a_booking())

        assert page.slug == "2027-05-30-dana-afternoon"
        assert owed("guests.page") == [page.code]
        assert owed("guests.slug") == [page.slug]

    def test_the_phase_is_that_of_the_instant_and_the_next_turn_is_known(self) -> None:
        page = page_of(a_booking())

        assert page.phase == Phase.BOOKED
        assert page.next_turn_at == datetime(2027, 5, 23, 7, tzinfo=UTC)  # midnight at the dock

    def test_the_channels_own_code_is_kept_in_capitals(self) -> None:
        assert page_of(a_booking(given_code="xhqgmdh")).code == "XHQGMDH"

    def test_a_code_that_somebody_has_is_no_code_for_another(self) -> None:
        a_booking(given_code="XHQGMDH")

        assert page_of(a_booking(given_code="XHQGMDH")).code != "XHQGMDH"

    def test_a_code_that_no_edge_would_know_is_replaced(self) -> None:
        assert len(page_of(a_booking(given_code="BAD O LU")).code) == codes.CODE_LENGTH

    def test_a_collision_of_new_codes_is_tried_again(self) -> None:
        taken = page_of(a_booking()).code

        with patch.object(codes, "new_code", side_effect=[taken, "ZZZZZZZZZZ", *["Y" * 10] * 8]):
            page = page_of(a_booking())

        assert page.code == "ZZZZZZZZZZ"

    def test_when_no_code_is_free_the_booking_is_not_made(self) -> None:
        taken = page_of(a_booking()).code

        with patch.object(codes, "new_code", return_value=taken), pytest.raises(RuntimeError):
            a_booking()

        assert Booking.objects.count() == 1

    def test_two_guests_of_one_name_on_one_afternoon_have_two_slugs(self) -> None:
        first, second, third = (page_of(a_booking()) for _ in range(3))

        assert (first.slug, second.slug, third.slug) == (
            "2027-05-30-dana-afternoon",
            "2027-05-30-dana-afternoon-2",
            "2027-05-30-dana-afternoon-3",
        )

    def test_a_slug_that_another_transaction_took_meanwhile_is_numbered(self) -> None:
        taken = page_of(a_booking()).slug

        with patch.object(services, "_free_slug", side_effect=[taken, taken, f"{taken}-2"]):
            page = page_of(a_booking())

        assert str(page.slugs.get()) == f"{taken}-2"

    def test_when_no_slug_is_free_the_booking_is_not_made(self) -> None:
        taken = page_of(a_booking()).slug

        with patch.object(services, "_free_slug", return_value=taken), pytest.raises(RuntimeError):
            a_booking()

        assert Booking.objects.count() == 1

    @pytest.mark.parametrize("status", [BookingStatus.INQUIRY, BookingStatus.NEEDS_REVIEW])
    def test_what_is_not_promised_has_no_page(self, status: BookingStatus) -> None:
        booking = a_booking(status=status)

        assert not GuestPage.objects.exists()
        assert services.public_url(booking) is None

    def test_a_quote_has_a_page_that_holds_the_date(self) -> None:
        assert page_of(a_booking(status=BookingStatus.QUOTED)).phase == Phase.HELD

    def test_a_trip_that_is_over_long_ago_opens_as_a_tombstone(self) -> None:
        booking = a_booking(at=START + 30 * DAY, past_ok=True)

        assert page_of(booking).phase == Phase.EXPIRED
        assert page_of(booking).next_turn_at is None

    def test_history_names_the_act(self) -> None:
        booking = a_booking()

        assert Event.objects.filter(act="guests.page.opened", subject=booking.subject).count() == 1

    def test_the_public_address_is_on_the_brands_host(self) -> None:
        assert services.public_url(a_booking(given_code="XHQGMDH")) == "https://queenofsandiego.com/g/XHQGMDH"


class TestFollowing:
    def test_a_move_gives_a_new_slug_and_keeps_the_old_one_for_ever(self) -> None:
        booking = a_booking()

        page = amended(booking, starts_at=START - timedelta(hours=3), ends_at=START)

        assert {s.slug: s.current for s in page.slugs.all()} == {
            "2027-05-30-dana-afternoon": False,
            "2027-05-30-dana-morning": True,
        }
        assert set(owed("guests.slug")) == {"2027-05-30-dana-afternoon", "2027-05-30-dana-morning"}

    def test_the_code_survives_every_move(self) -> None:
        booking = a_booking()
        before = page_of(booking).code

        assert amended(booking, starts_at=START + DAY, ends_at=START + DAY + timedelta(hours=3)).code == before

    def test_moving_back_takes_the_first_slug_again(self) -> None:
        booking = a_booking()
        amended(booking, starts_at=START - timedelta(hours=3), ends_at=START)

        booking.refresh_from_db()
        page = amended(booking, starts_at=START, ends_at=START + timedelta(hours=3))

        assert page.slug == "2027-05-30-dana-afternoon"
        assert page.slugs.count() == 2

    def test_a_slug_with_a_number_stays_when_the_day_stays(self) -> None:
        a_booking()
        second = a_booking()

        page = amended(second, starts_at=START + timedelta(minutes=30), ends_at=START + timedelta(hours=3))

        assert page.slug == "2027-05-30-dana-afternoon-2"

    def test_a_move_is_the_news_of_the_page(self) -> None:
        booking = a_booking()

        page = amended(booking, starts_at=START + timedelta(hours=1), ends_at=START + timedelta(hours=4))

        assert page.phase == Phase.MOVED
        assert (page.moved_from, page.moved_at, page.starts_at) == (START, NOW, START + timedelta(hours=1))

    def test_history_that_is_loaded_is_no_news(self) -> None:
        booking = a_booking()
        trip = TripDetails(**{**vars(TripDetails.of(booking)), "starts_at": START + timedelta(hours=1)})

        amend_booking(booking=booking, trip=trip, by=SYSTEM, at=NOW, tell=False)

        assert page_of(booking).phase == Phase.BOOKED
        assert page_of(booking).starts_at == START + timedelta(hours=1)

    def test_a_material_change_is_dated_for_the_calendar_file(self) -> None:
        booking = a_booking()

        page = amended(booking, at=NOW + DAY, party_size=5)

        assert (page.revision, page.revised_at) == (2, NOW + DAY)

    def test_a_cancelled_trip_shows_it(self) -> None:
        booking = a_booking()

        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=NOW)

        assert page_of(booking).phase == Phase.CANCELLED

    def test_a_trip_that_stands_again_has_its_page_back(self) -> None:
        booking = a_booking()
        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=NOW)

        reinstate_booking(booking=booking, trip=TripDetails.of(booking), by=SYSTEM, at=NOW)

        assert page_of(booking).phase == Phase.BOOKED

    def test_a_quote_that_is_confirmed_gets_the_full_page(self) -> None:
        booking = a_booking(status=BookingStatus.QUOTED)

        confirm_booking(booking=booking, by=SYSTEM, at=NOW)

        assert page_of(booking).phase == Phase.BOOKED

    def test_an_inquiry_that_is_confirmed_gets_its_page(self) -> None:
        booking = a_booking(status=BookingStatus.INQUIRY)

        confirm_booking(booking=booking, by=SYSTEM, at=NOW)

        assert page_of(booking).phase == Phase.BOOKED

    def test_an_inquiry_that_ends_leaves_no_page(self) -> None:
        booking = a_booking(status=BookingStatus.INQUIRY)

        cancel_booking(booking=booking, reason="no answer", by=SYSTEM, at=NOW)

        assert not GuestPage.objects.exists()

    def test_what_the_page_does_not_show_leaves_no_trace(self) -> None:
        booking = a_booking()
        before = Effect.objects.count(), Message.objects.count()

        set_payment_state(booking=booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=NOW)
        amended(booking, private_note="Paid 840.75", public_note="Bring cake")

        page_effects = Effect.objects.filter(topic__startswith="guests.")
        assert page_effects.count() == 2
        assert before[0] <= Effect.objects.count()

    def test_an_act_that_is_undone_leaves_no_page(self) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            a_booking()
            raise RuntimeError

        assert not GuestPage.objects.exists()
        assert not Effect.objects.exists()


class TestTurning:
    def test_a_page_turns_when_its_time_has_come(self) -> None:
        page = page_of(a_booking())

        assert services.turn_pages(at=page.next_turn_at) == 1  # type: ignore[arg-type]  # it has one

        page.refresh_from_db()
        assert page.phase == Phase.WEEK
        assert page.next_turn_at == datetime(2027, 5, 29, 7, tzinfo=UTC)

    def test_nothing_turns_before_its_time(self) -> None:
        a_booking()

        assert services.turn_pages(at=NOW + timedelta(minutes=1)) == 0

    def test_a_scheduler_that_slept_for_days_turns_once_to_the_right_phase(self) -> None:
        page = page_of(a_booking())

        assert services.turn_pages(at=START + timedelta(hours=1)) == 1
        page.refresh_from_db()

        assert page.phase == Phase.UNDERWAY

    def test_turning_twice_is_turning_once(self) -> None:
        a_booking()
        services.turn_pages(at=START)

        assert services.turn_pages(at=START) == 0

    def test_a_turn_owes_the_new_copy(self) -> None:
        page = page_of(a_booking())
        Effect.objects.all().delete()

        services.turn_pages(at=START)

        assert owed("guests.page") == [page.code]

    def test_an_expired_page_takes_its_slugs_along(self) -> None:
        page = page_of(a_booking())
        Effect.objects.all().delete()

        services.turn_pages(at=START + 8 * DAY)

        assert owed("guests.slug") == [page.slug]
        assert services.slug_view_of(page.slugs.get()).over is False  # the row read before the turn
        page.refresh_from_db()
        assert services.slug_view_of(PageSlug.objects.get()).over

    def test_ten_pages_turn_in_few_queries(self, django_assert_max_num_queries: object) -> None:
        vessel = VesselFactory()
        for day in range(10):
            start = START + day * DAY
            a_booking(vessel=vessel, starts_at=start, ends_at=start + timedelta(hours=3))

        with django_assert_max_num_queries(10 * 14):  # type: ignore[operator]  # pytest-django's own
            assert services.turn_pages(at=START + 30 * DAY) == 10


class TestMarking:
    def test_a_boat_that_is_described_anew_marks_its_pages(self) -> None:
        booking = a_booking()
        Effect.objects.all().delete()

        vessel = booking.vessel
        vessel.arrive_minutes = 30
        vessel.save()

        assert owed("guests.page") == [page_of(booking).code]

    def test_a_new_gate_code_marks_the_pages_of_the_berth(self) -> None:
        booking = a_booking()
        Effect.objects.all().delete()

        booking.vessel.berth.gate_code = "4417#"
        booking.vessel.berth.save()

        assert owed("guests.page") == [page_of(booking).code]

    def test_another_boats_pages_are_left_alone(self) -> None:
        a_booking()
        Effect.objects.all().delete()

        VesselFactory().save()

        assert owed("guests.page") == []

    def test_a_zone_that_is_corrected_moves_the_borders(self) -> None:
        booking = a_booking()
        Vessel.objects.get(pk=booking.vessel_id)
        booking.vessel.time_zone = "America/New_York"
        booking.vessel.save()

        services.turn_pages(at=NOW)

        assert page_of(booking).next_turn_at == datetime(2027, 5, 23, 4, tzinfo=UTC)

    def test_an_expired_page_is_left_in_peace(self) -> None:
        booking = a_booking(at=START + 30 * DAY, past_ok=True)
        Effect.objects.all().delete()

        booking.vessel.save()

        assert owed("guests.page") == []

    def test_publish_again_forgets_what_we_believe_of_the_copy(self) -> None:
        page = page_of(a_booking())
        Mirror.objects.create(topic="guests.page", key=page.code, digest="d", material="m", version=3)
        Effect.objects.all().delete()

        services.publish_again(page=page, by=SYSTEM, at=NOW)

        assert Mirror.objects.values_list("digest", "material", "version").get() == ("", "", 3)
        assert owed("guests.page") == [page.code]


class TestView:
    def test_the_gate_code_reaches_the_view_on_the_eve_and_not_before(self) -> None:
        page = page_of(a_booking())
        page.booking.vessel.berth.gate_code = "4417#"

        before = services.view_of(page)
        page.phase = Phase.DAY
        after = services.view_of(page)

        assert (before.gate_code, after.gate_code) == ("", "4417#")

    def test_the_guest_is_a_first_name(self) -> None:
        assert services.view_of(page_of(a_booking(guest_name="Dana Whit"))).first_name == "Dana"

    def test_guests_arrive_when_the_boat_says(self) -> None:
        page = page_of(a_booking(vessel=VesselFactory(arrive_minutes=45)))

        assert services.view_of(page).arrive_at == START - timedelta(minutes=45)

    def test_two_worlds_that_differ_in_money_notes_and_contacts_have_one_view(self) -> None:
        poor, rich = (
            a_booking(),
            a_booking(
                private_note="Gross 840.75, fee 18 %",
                guest_phone="+1 619 555 0123",
                public_note="VIP",
                guest_email=EMAIL,
            ),
        )
        pages = [page_of(poor), page_of(rich)]
        pages[1].code = pages[0].code
        pages[1].booking.vessel = pages[0].booking.vessel

        assert services.view_of(pages[0]) == services.view_of(pages[1])

    def test_a_retired_slug_names_the_one_that_follows(self) -> None:
        booking = a_booking()
        amended(booking, starts_at=START - timedelta(hours=3), ends_at=START)

        retired = PageSlug.objects.get(current=False)
        current = PageSlug.objects.get(current=True)

        assert services.slug_view_of(retired).current == "2027-05-30-dana-morning"
        assert services.slug_view_of(current).current == ""
        assert services.slug_view_of(current).day == "Sunday, May 30"


class TestMails:
    def test_a_booking_is_told_behind_its_page(self) -> None:
        page = page_of(a_booking(guest_email=EMAIL))

        message = Message.objects.get(kind="guest.booked")
        assert message.effect is not None
        assert message.effect.depends_on is not None
        assert (message.effect.depends_on.topic, message.effect.depends_on.key) == ("guests.page", page.code)

    def test_no_address_no_mail(self) -> None:
        a_booking()

        assert mails() == []

    def test_history_that_is_loaded_tells_nobody(self) -> None:
        a_booking(guest_email=EMAIL, tell=False)

        assert mails() == []

    def test_a_quote_is_not_told_as_a_booking(self) -> None:
        a_booking(guest_email=EMAIL, status=BookingStatus.QUOTED)

        assert mails() == []

    def test_a_quote_that_is_confirmed_is_told(self) -> None:
        booking = a_booking(guest_email=EMAIL, status=BookingStatus.QUOTED)

        confirm_booking(booking=booking, by=SYSTEM, at=NOW)

        assert mails() == ["guest.booked"]

    def test_an_address_that_is_learned_later_gets_the_confirmation(self) -> None:
        booking = a_booking()

        amended(booking, guest_email=EMAIL)

        assert mails() == ["guest.booked"]

    def test_an_address_that_is_changed_and_changed_back_before_the_mail_left_is_written_to(self) -> None:
        booking = a_booking(guest_email=EMAIL)

        amended(booking, guest_email="dnaa@example.com")
        amended(booking, guest_email=EMAIL)

        assert mails() == ["guest.booked"]

    def test_a_move_before_the_first_mail_left_is_told_in_it(self) -> None:
        booking = a_booking(guest_email=EMAIL)

        amended(booking, starts_at=START + timedelta(hours=1), ends_at=START + timedelta(hours=4))

        assert mails() == ["guest.booked"]
        assert (
            Message.objects.filter(effect__state=State.PENDING, kind="guest.booked").get().values["time"] == "2:00 PM"
        )

    def test_a_move_after_it_is_a_change_with_the_old_time(self) -> None:
        booking = a_booking(guest_email=EMAIL)
        Effect.objects.filter(topic="mail.message").update(state=State.DONE)

        amended(booking, starts_at=START + timedelta(hours=1), ends_at=START + timedelta(hours=4))

        assert mails() == ["guest.changed"]
        assert Message.objects.get(kind="guest.changed").values["before"] == "Sunday, May 30, 1:00 PM"

    def test_another_boat_is_a_change_that_tells_no_old_time(self) -> None:
        booking = a_booking(guest_email=EMAIL)
        amended(booking, starts_at=START + timedelta(hours=1), ends_at=START + timedelta(hours=4))
        Effect.objects.filter(topic="mail.message").update(state=State.DONE)

        booking.refresh_from_db()
        amended(booking, at=NOW + DAY, vessel=VesselFactory(name="Halcyon"))

        values = Message.objects.get(kind="guest.changed").values
        assert (values["vessel"], values["before"]) == ("Halcyon", "")

    def test_one_more_guest_is_no_news(self) -> None:
        booking = a_booking(guest_email=EMAIL)
        Effect.objects.filter(topic="mail.message").update(state=State.DONE)

        amended(booking, party_size=4)

        assert mails() == []

    def test_a_cancellation_is_told_once(self) -> None:
        booking = a_booking(guest_email=EMAIL)
        Effect.objects.filter(topic="mail.message").update(state=State.DONE)

        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=NOW)
        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=NOW)

        assert mails() == ["guest.cancelled"]

    def test_who_never_heard_of_the_trip_does_not_hear_of_its_end(self) -> None:
        booking = a_booking(guest_email=EMAIL)

        cancel_booking(booking=booking, reason="storm", by=SYSTEM, at=NOW)

        assert mails() == []

    def test_no_mail_holds_a_contact_an_amount_or_the_gate_code(self) -> None:
        booking = a_booking(guest_email=EMAIL, guest_phone="+1 619 555 0123", private_note="840.75")
        booking.vessel.berth.gate_code = "4417#"
        booking.vessel.berth.save()

        values = str(Message.objects.get(kind="guest.booked").values)

        for secret in (EMAIL, "555", "840", "4417", "Whit"):
            assert secret not in values


class TestRows:
    def test_a_booking_has_one_page(self) -> None:
        booking = a_booking()

        with pytest.raises(IntegrityError), transaction.atomic():
            services.open_page(booking=booking, by=SYSTEM, at=NOW)

    def test_a_page_has_one_current_slug(self) -> None:
        page = page_of(a_booking())

        with pytest.raises(IntegrityError), transaction.atomic():
            PageSlug.objects.create(page=page, slug="another")

    def test_a_slug_is_never_given_away(self) -> None:
        page = page_of(a_booking())

        with pytest.raises(IntegrityError), transaction.atomic():
            PageSlug.objects.create(page=page, slug=page.slug, current=False)

    def test_a_code_names_one_page(self) -> None:
        page, other = page_of(a_booking()), page_of(a_booking())
        other.code = page.code

        with pytest.raises(IntegrityError), transaction.atomic():
            other.save()

    def test_a_move_has_its_instant_and_its_old_time_or_neither(self) -> None:
        page = page_of(a_booking())
        page.moved_at = NOW

        with pytest.raises(IntegrityError), transaction.atomic():
            page.save()
