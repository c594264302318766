from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bookings import services as trips
from bookings.enums import BookingStatus
from bookings.finance.services import amounts_of, record_amounts
from bookings.intake.enums import MessageState
from bookings.intake.models import IntakeEvent, IntakeMessage, Listing
from bookings.intake.services import (
    AlreadyDecided,
    AmountRefused,
    Entry,
    dismiss_message,
    enter_booking,
    map_listing,
    reread_message,
)
from bookings.models import Booking, CalendarEntry
from bookings.services import TripDetails
from jada.audit.actors import SYSTEM, Actor
from jada.audit.models import Event
from tests.bookings.intake.samples import FOLDER, edited
from tests.factories.bookings import VesselFactory, a_booking
from tests.factories.intake import BEFORE, CATAMARAN, KETCH, arrives, fleet

pytestmark = pytest.mark.django_db

INSTANT = "01_boatsetter_instant.eml"
APPROVED = "02_boatsetter_approved_html_only.eml"
MOVED = "03_boatsetter_modified_text_only.eml"
CANCELLED = "04_boatsetter_cancelled.eml"
CALENDAR = "21_boatsetter_calendar.ics"
ANA = Actor("user", "ana")


def the_booking() -> Booking:
    return Booking.objects.select_related("vessel").get()


def sent(name: str, day: str, *more: tuple[str, str]) -> bytes:
    """The sample as if it had been sent on another day: "Mon, 27 May 2024 18:02:00 -0700"."""
    raw = edited(name, *more)
    head, gap, body = raw.partition(b"\r\n\r\n")
    lines = [b"Date: " + day.encode() if line.startswith(b"Date:") else line for line in head.split(b"\r\n")]
    return b"\r\n".join(lines) + gap + body


def cancelling(name: str, external_id: str, day: str) -> bytes:
    """A cancellation of another sample's trip."""
    booked, external = {"tfwpbnx": "Jun 8, 2024 • 10:00 AM"}, external_id
    start, end = booked[external], "Jun 8, 2024 • 2:00 PM"
    return sent(
        name, day, ("hjzrqdl", external), ("Jun 15, 2024 • 4:00 PM", start), ("Jun 15, 2024 • 7:00 PM", end),
        ("3 hours", "4 hours"), (KETCH, CATAMARAN), (KETCH.replace("&", "&amp;"), CATAMARAN.replace("&", "&amp;")),
    )  # fmt: skip


class TestBooking:
    def test_a_certain_mail_becomes_a_booking_with_its_place_in_the_calendar(self) -> None:
        ketch, _ = fleet()

        accepted = arrives(INSTANT)

        booking = the_booking()
        assert accepted.bookings == (booking,)
        assert (booking.status, booking.vessel, booking.party_size) == (BookingStatus.CONFIRMED, ketch, 3)
        assert booking.starts_at == datetime(2024, 5, 30, 20, 0, tzinfo=UTC)
        assert CalendarEntry.objects.get(booking=booking).blocks

    def test_its_money_is_recorded_and_its_note_is_private(self) -> None:
        fleet()

        arrives(INSTANT)

        booking = the_booking()
        amounts = amounts_of(booking_id=booking.pk)
        assert amounts is not None
        assert (amounts.gross, amounts.fees, amounts.payout) == (
            Decimal("840.75"),
            Decimal("105.09"),
            Decimal("735.66"),
        )
        assert booking.private_note.startswith("It is our anniversary")
        assert booking.public_note == ""

    def test_the_channel_is_the_actor_in_the_booking_s_history(self) -> None:
        fleet()

        arrives(INSTANT)

        event = Event.objects.get(act="bookings.booking.booked")
        assert (event.actor_kind, event.actor_name) == ("channel", "Boatsetter")

    def test_a_trip_that_is_over_when_its_mail_is_read_makes_its_booking_all_the_same(self) -> None:
        fleet()

        arrives(INSTANT, at=BEFORE + timedelta(days=900))

        assert the_booking().status == BookingStatus.CONFIRMED

    def test_no_history_holds_an_amount_or_a_contact(self) -> None:
        fleet()

        arrives(APPROVED)
        arrives(MOVED)

        told = json.dumps(list(Event.objects.values_list("act", "subject", "detail")))
        assert not any(secret in told for secret in ("512.40", "540.40", "marcus.ferrell", "5550117"))


class TestTheSameAgain:
    def test_the_same_bytes_answer_what_they_answered_first(self) -> None:
        fleet()
        first = arrives(INSTANT)

        again = arrives(INSTANT)

        assert not again.fresh
        assert (again.message, again.bookings) == (first.message, first.bookings)
        assert (IntakeMessage.objects.count(), IntakeEvent.objects.count(), Booking.objects.count()) == (1, 1, 1)

    def test_the_same_notice_in_other_bytes_changes_nothing(self) -> None:
        fleet()
        arrives(INSTANT)
        told = Event.objects.filter(subject=the_booking().subject).count()

        arrives(edited(INSTANT))

        assert IntakeMessage.objects.count() == 2
        assert IntakeEvent.objects.count() == 1
        assert Event.objects.filter(subject=the_booking().subject).count() == told

    def test_a_feed_that_is_read_a_hundred_times_says_everything_once(self) -> None:
        fleet()
        raw = (FOLDER / CALENDAR).read_bytes()

        for minute in range(20):
            arrives(raw.replace(b"20240531T130000Z", f"20240531T13{minute:02}00Z".encode()))

        assert IntakeEvent.objects.count() == 2
        assert Booking.objects.count() == 2


class TestNews:
    def test_a_change_moves_the_trip_and_keeps_what_it_does_not_say(self) -> None:
        fleet()
        arrives(APPROVED)

        arrives(MOVED)

        booking = the_booking()
        assert booking.local_start.strftime("%H:%M") == "11:30"
        assert (booking.party_size, booking.guest_email) == (8, "marcus.ferrell@example.com")
        amounts = amounts_of(booking_id=booking.pk)
        assert amounts
        assert amounts.payout == Decimal("540.40")

    def test_a_cancellation_before_its_booking_is_kept_and_folds_when_the_booking_comes(self) -> None:
        fleet()
        early = arrives(cancelling(CANCELLED, "tfwpbnx", "Sat, 01 Jun 2024 10:00:00 -0700"))

        arrives(APPROVED)

        assert early.message.state == MessageState.READ
        assert the_booking().status == BookingStatus.CANCELLED
        assert not CalendarEntry.objects.filter(blocks=True).exists()

    def test_a_cancellation_frees_the_vessel(self) -> None:
        fleet()
        arrives(APPROVED)

        arrives(cancelling(CANCELLED, "tfwpbnx", "Sat, 01 Jun 2024 10:00:00 -0700"))

        assert the_booking().status == BookingStatus.CANCELLED
        assert not CalendarEntry.objects.filter(blocks=True).exists()

    def test_a_later_confirmation_lets_a_cancelled_trip_stand_again(self) -> None:
        fleet()
        arrives(APPROVED)
        arrives(cancelling(CANCELLED, "tfwpbnx", "Sat, 01 Jun 2024 10:00:00 -0700"))

        arrives(sent(APPROVED, "Sun, 02 Jun 2024 10:00:00 -0700"))

        assert the_booking().status == BookingStatus.CONFIRMED

    def test_a_feed_lets_no_cancelled_trip_stand_again(self) -> None:
        fleet()
        feed = (FOLDER / CALENDAR).read_bytes().replace(b"kqvmztr", b"hjzrqdl").replace(b"20240530T2", b"20240615T2")
        arrives(CANCELLED)

        arrives(feed.replace(b"20240531T130000Z", b"20240614T130000Z"))

        assert Booking.objects.get(external_id="hjzrqdl").status == BookingStatus.CANCELLED


class TestCalendars:
    def feed(self, *replacements: tuple[bytes, bytes]) -> bytes:
        raw = (FOLDER / CALENDAR).read_bytes()
        for old, new in replacements:
            raw = raw.replace(old, new)
        return raw

    def test_another_time_that_no_message_gave_is_for_a_person(self) -> None:
        fleet()
        arrives(INSTANT)

        accepted = arrives(self.feed((b"20240530T200000Z", b"20240530T190000Z")))

        assert "no message said so" in accepted.problems[0]
        assert Booking.objects.get(external_id="kqvmztr").local_start.hour == 13

    def test_a_calendar_older_than_the_last_message_is_merely_late(self) -> None:
        fleet()
        arrives(INSTANT)
        old = (b"20240531T130000Z", b"20240501T130000Z")

        accepted = arrives(self.feed((b"20240530T200000Z", b"20240530T190000Z"), old))

        assert not accepted.quarantined

    def test_what_waits_of_a_calendar_waits_once(self) -> None:
        first = arrives(self.feed())

        again = arrives(self.feed((b"20240531T130000Z", b"20240531T140000Z")))

        assert (first.message.state, again.message.state) == (MessageState.QUARANTINED, MessageState.IGNORED)
        assert str(first.message) in again.message.decision

    def test_one_that_says_more_waits_beside_it(self) -> None:
        arrives(self.feed())

        again = arrives(self.feed((b"20240531T130000Z", b"20240531T140000Z"), (b"Passengers: 10", b"Passengers: 9")))

        assert again.quarantined

    def test_calendars_of_nobody_are_not_taken_for_one(self) -> None:
        calendars = [arrives(name) for name in ("22_airbnb_calendar.ics", "23_getmyboat_calendar.ics")]

        assert [accepted.quarantined for accepted in calendars] == [True, True]

    def test_a_calendar_without_a_name_says_no_vessel(self) -> None:
        accepted = arrives(self.feed((b"X-WR-CALNAME", b"X-OTHER")))

        assert "which listing" in accepted.problems[0]

    def test_what_the_office_cancelled_stays_so_and_bothers_nobody(self) -> None:
        fleet()
        arrives(INSTANT)
        trips.cancel_booking(booking=the_booking(), reason="Storm", by=ANA, at=BEFORE)

        accepted = arrives(self.feed())

        assert not accepted.quarantined
        assert Booking.objects.get(external_id="kqvmztr").status == BookingStatus.CANCELLED


class TestScenarios:
    @pytest.mark.parametrize("name", ["scenario_boatsetter_moved.json", "scenario_same_trip_three_ways.json"])
    def test_every_order_of_arrival_gives_the_same_bookings(self, name: str) -> None:
        scenario: dict[str, Any] = json.loads((FOLDER / name).read_text())
        fleet()

        for order in itertools.permutations(scenario["arrivals"]):
            IntakeEvent.objects.all().delete()
            IntakeMessage.objects.all().delete()
            Booking.objects.all().delete()

            for hour, arrival in enumerate(order):
                arrives(arrival, at=BEFORE + timedelta(days=20, hours=hour))

            found = {booking.external_id: booking for booking in Booking.objects.select_related("vessel")}
            assert set(found) == {wanted["external_id"] for wanted in scenario["bookings"]}
            for wanted in scenario["bookings"]:
                assert_is(found[wanted["external_id"]], wanted)


def assert_is(booking: Booking, wanted: dict[str, Any]) -> None:
    assert booking.starts_at == datetime.fromisoformat(wanted["start"])
    assert booking.ends_at == datetime.fromisoformat(wanted["end"])
    for name in ("channel", "status", "guest_name", "guest_email", "guest_phone", "party_size"):
        assert getattr(booking, name) == wanted.get(name, getattr(booking, name))
    amounts = amounts_of(booking_id=booking.pk)
    for name in ("gross", "fees", "payout"):
        assert name not in wanted or (amounts and getattr(amounts, name) == Decimal(wanted[name]))


class TestQuarantine:
    def test_an_unmapped_listing_waits_and_nothing_is_made(self) -> None:
        accepted = arrives(INSTANT)

        assert accepted.quarantined
        assert "which vessel" in accepted.problems[0]
        assert accepted.message.listing == KETCH
        assert (Booking.objects.count(), IntakeEvent.objects.count()) == (0, 0)

    def test_mapping_the_listing_reads_what_waited_for_it(self) -> None:
        arrives(INSTANT)
        ketch = VesselFactory()

        _, reread = map_listing(channel="boatsetter", title=KETCH.upper(), vessel=ketch, by=ANA, at=BEFORE)

        assert [accepted.quarantined for accepted in reread] == [False]
        message = IntakeMessage.objects.get()
        assert (message.state, message.decided_by, message.booking_ref) == (
            MessageState.ACTED,
            "ana",
            the_booking().public_id,
        )

    def test_a_taken_vessel_names_the_other_booking_and_leaves_it_alone(self) -> None:
        ketch, _ = fleet()
        other = a_booking(vessel=ketch, starts_at=datetime(2024, 5, 30, 22, 0, tzinfo=UTC), at=BEFORE)

        accepted = arrives(INSTANT)

        assert accepted.quarantined
        assert other.ref in accepted.problems[0]
        assert list(Booking.objects.all()) == [other]
        assert not IntakeEvent.objects.exists()

    def test_a_party_that_the_vessel_may_not_carry_waits(self) -> None:
        fleet()
        VesselFactory._meta.model.objects.update(passenger_limit=2)

        assert "may carry 2 passengers" in arrives(INSTANT).problems[0]

    def test_a_waiting_change_leaves_the_booking_as_it_was(self) -> None:
        fleet()
        arrives(APPROVED)
        VesselFactory._meta.model.objects.update(passenger_limit=6)

        accepted = arrives(MOVED)

        assert accepted.quarantined
        assert the_booking().party_size == 6

    def test_an_amount_that_finance_refuses_undoes_the_booking(self) -> None:
        fleet()
        huge = edited("16_boatsetter_forwarded_gmail.eml", ("$918.75", "$999,999,999.00"))

        accepted = arrives(huge)

        assert accepted.quarantined
        assert "amount" in accepted.problems[0].lower()
        assert not Booking.objects.exists()

    def test_what_is_no_mail_is_kept_and_waits(self) -> None:
        accepted = arrives(b"\x89PNG\r\n\x1a\n not a mail")

        assert accepted.quarantined
        assert bytes(IntakeMessage.objects.get().raw).startswith(b"\x89PNG")

    def test_a_look_alike_is_kept_and_waits(self) -> None:
        fleet()

        accepted = arrives("19_boatsetter_lookalike.eml")

        assert accepted.quarantined
        assert not Booking.objects.exists()

    def test_reminders_and_payout_notices_wait_for_nobody(self) -> None:
        states = [arrives(name).message.state for name in ("06_boatsetter_payout.eml", "07_boatsetter_reminder.eml")]

        assert states == [MessageState.IGNORED, MessageState.IGNORED]

    def test_a_good_entry_of_a_feed_is_acted_on_beside_a_bad_one(self) -> None:
        fleet()
        feed = (FOLDER / CALENDAR).read_bytes().replace(b"Passengers: 10", b"Passengers: many")

        accepted = arrives(feed)

        assert accepted.quarantined
        assert the_booking().external_id == "kqvmztr"


class TestTheOffice:
    def test_what_the_office_changed_is_kept_when_the_channel_changes_something_else(self) -> None:
        fleet()
        arrives(APPROVED)
        booking = the_booking()
        trip = TripDetails.of(booking)
        renamed = TripDetails(**(trip.__dict__ | {"guest_name": "Marcus F. Ferrell", "public_note": "Birthday"}))
        trips.amend_booking(booking=booking, trip=renamed, by=ANA, at=BEFORE)

        arrives(MOVED)

        booking = the_booking()
        assert (booking.guest_name, booking.public_note, booking.party_size) == ("Marcus F. Ferrell", "Birthday", 8)

    def test_what_both_changed_differently_is_for_a_person(self) -> None:
        fleet()
        arrives(APPROVED)
        booking = the_booking()
        trip = TripDetails(**(TripDetails.of(booking).__dict__ | {"party_size": 4}))
        trips.amend_booking(booking=booking, trip=trip, by=ANA, at=BEFORE)

        accepted = arrives(MOVED)

        assert "both changed" in accepted.problems[0]
        assert the_booking().party_size == 4

    def test_an_amount_that_both_changed_is_for_a_person_and_not_repeated(self) -> None:
        fleet()
        arrives(APPROVED)
        record_amounts(booking_id=the_booking().pk, payout=Decimal("500.00"), by=ANA, at=BEFORE)

        accepted = arrives(MOVED)

        assert "the payout" in accepted.problems[0]
        assert "540" not in accepted.problems[0]

    def test_what_the_office_cancelled_is_not_revived_by_a_change(self) -> None:
        fleet()
        arrives(APPROVED)
        trips.cancel_booking(booking=the_booking(), reason="Storm", by=ANA, at=BEFORE)

        accepted = arrives(MOVED)

        assert "The office cancelled" in accepted.problems[0]
        assert the_booking().status == BookingStatus.CANCELLED

    def test_a_booking_that_the_office_typed_in_first_is_joined_by_its_mail(self) -> None:
        _, catamaran = fleet()
        a_booking(
            vessel=catamaran,
            external_id="#TFWPBNX",
            starts_at=datetime(2024, 6, 8, 17, 0, tzinfo=UTC),
            ends_at=datetime(2024, 6, 8, 21, 0, tzinfo=UTC),
            party_size=6,
            guest_name="Marcus Ferrell",
            at=BEFORE,
        )

        accepted = arrives(APPROVED)

        assert accepted.problems == ()
        assert the_booking().guest_phone == "+16195550117"

    def test_a_waiting_message_is_dismissed_with_a_reason(self) -> None:
        message = arrives(INSTANT).message

        dismiss_message(message=message, reason="Entered by hand", by=ANA, at=BEFORE)

        message.refresh_from_db()
        assert (message.state, message.decided_by, message.decision) == (MessageState.IGNORED, "ana", "Entered by hand")

    @pytest.mark.parametrize("again", [True, False])
    def test_what_waits_for_nobody_cannot_be_decided(self, again: bool) -> None:
        message = arrives("07_boatsetter_reminder.eml").message

        with pytest.raises(AlreadyDecided, match="waits for nobody"):
            if again:
                reread_message(message=message, by=ANA, at=BEFORE)
            else:
                dismiss_message(message=message, reason="", by=ANA, at=BEFORE)

    def test_reading_again_without_a_change_still_waits(self) -> None:
        message = arrives(INSTANT).message

        accepted = reread_message(message=message, by=ANA, at=BEFORE)

        assert accepted.quarantined
        assert IntakeMessage.objects.get().decided_by is None


def test_times_are_those_of_the_listing_s_vessel() -> None:
    away = VesselFactory(time_zone="America/New_York", passenger_limit=12)
    Listing.objects.create(channel="boatsetter", title=KETCH, vessel=away)

    arrives(INSTANT)

    assert the_booking().starts_at == datetime(2024, 5, 30, 17, 0, tzinfo=UTC)


def test_an_event_is_written_once() -> None:
    fleet()
    arrives(INSTANT)

    with pytest.raises(TypeError, match="written once"):
        IntakeEvent.objects.get().save()


def test_a_listing_moved_to_another_vessel_moves_the_trips_that_the_channel_then_names() -> None:
    _, catamaran = fleet()
    arrives(APPROVED)
    spare = VesselFactory(passenger_limit=12)
    Listing.objects.create(channel="boatsetter", title="The spare boat", vessel=spare)

    arrives(edited(MOVED, (CATAMARAN, "The spare boat")))

    assert the_booking().vessel == spare
    assert not CalendarEntry.objects.filter(vessel=catamaran).exists()


def test_a_vessel_that_both_changed_is_for_a_person() -> None:
    fleet()
    arrives(APPROVED)
    booking, spare, other = the_booking(), VesselFactory(passenger_limit=12), VesselFactory(passenger_limit=12)
    Listing.objects.create(channel="boatsetter", title="The spare boat", vessel=spare)
    trip = TripDetails(**(TripDetails.of(booking).__dict__ | {"vessel": other}))
    trips.amend_booking(booking=booking, trip=trip, by=ANA, at=BEFORE)

    accepted = arrives(edited(MOVED, (CATAMARAN, "The spare boat")))

    assert "the vessel" in accepted.problems[0]


def test_an_inquiry_that_the_channel_confirms_becomes_a_promise() -> None:
    _, catamaran = fleet()
    start = datetime(2024, 6, 8, 17, 0, tzinfo=UTC)
    asked = {"starts_at": start, "ends_at": start + timedelta(hours=4), "party_size": 6, "guest_name": "Marcus Ferrell"}
    a_booking(vessel=catamaran, external_id="tfwpbnx", status=BookingStatus.INQUIRY, at=BEFORE, **asked)

    arrives(APPROVED)

    assert the_booking().status == BookingStatus.CONFIRMED


def test_no_name_of_a_row_holds_what_a_channel_wrote() -> None:
    fleet()
    accepted = arrives("06_boatsetter_payout.eml")

    arrives(INSTANT)
    assert "735" not in f"{accepted.message} {IntakeEvent.objects.get()}"
    assert "735" in accepted.message.title


def test_an_entered_amount_that_cannot_be_is_a_refusal() -> None:
    entry = Entry(
        channel="partner",
        vessel=VesselFactory(),
        starts_at=BEFORE + timedelta(days=1),
        ends_at=BEFORE + timedelta(days=1, hours=3),
        gross=Decimal("1e9"),
    )

    with pytest.raises(AmountRefused, match="amount"):
        enter_booking(entry=entry, by=ANA, at=BEFORE)


def test_a_booking_is_entered_without_money_and_without_an_id() -> None:
    start = BEFORE + timedelta(days=1)
    entry = Entry(channel="direct", vessel=VesselFactory(), starts_at=start, ends_at=start + timedelta(hours=3))

    entered = enter_booking(entry=entry, by=ANA, at=BEFORE)

    assert entered.created
    assert amounts_of(booking_id=entered.booking.pk) is None


def test_the_actor_of_a_message_is_who_brought_it() -> None:
    arrives(INSTANT)

    assert Event.objects.get(act="intake.message.kept").actor_name == SYSTEM.name
