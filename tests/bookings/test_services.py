from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookings.enums import BookingStatus, EntryKind, EntryStatus, PaymentState
from bookings.models import Booking, CalendarEntry, Vessel
from bookings.services import (
    AlreadyCancelled,
    EndsBeforeStart,
    InThePast,
    OverCapacity,
    TooLong,
    TripDetails,
    VesselTaken,
    amend_booking,
    cancel_booking,
    confirm_booking,
    find_booking,
    reinstate_booking,
    release_expired,
    set_payment_state,
)
from bookings.signals import booking_changed
from bookings.tasks import release_expired_holds
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from tests.factories.bookings import NOW, START, VesselFactory, a_booking, trip

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def heard() -> Iterator[list[tuple[str, frozenset[str], bool]]]:
    """What was announced: (act, changed, tell)."""
    news: list[tuple[str, frozenset[str], bool]] = []

    def listen(act: str, changed: frozenset[str], *, tell: bool, **kwargs: Any) -> None:
        news.append((act, changed, tell))

    booking_changed.connect(listen, weak=False)
    yield news
    booking_changed.disconnect(listen)


class TestBook:
    def test_makes_the_calendar_entry_with_its_turnaround(self) -> None:
        booking = a_booking()

        entry = CalendarEntry.objects.get(booking=booking)
        assert entry.blocks
        assert entry.blocked_until - booking.ends_at == HOUR

    def test_announces_itself_once(self, heard: list[Any]) -> None:
        a_booking()

        assert heard == [("booked", frozenset(), True)]

    def test_writes_history(self) -> None:
        booking = a_booking()

        assert Event.objects.filter(subject=booking.subject, act="bookings.booking.booked").count() == 1

    def test_gives_a_reference(self) -> None:
        assert a_booking().ref.startswith("J-")

    def test_twice_for_one_external_id_is_one_booking(self, heard: list[Any]) -> None:
        vessel = VesselFactory()

        first = a_booking(external_id="kqvmztr", vessel=vessel)
        second = a_booking(external_id="#KQVMZTR", vessel=vessel)

        assert first == second
        assert len(heard) == 1

    def test_lets_the_caller_write_before_it_is_announced(self, heard: list[Any]) -> None:
        seen_by_also: list[int] = []

        a_booking(also=lambda booking: seen_by_also.append(len(heard)))

        assert seen_by_also == [0]

    def test_of_a_trip_that_is_over_tells_nobody(self, heard: list[Any]) -> None:
        a_booking(starts_at=NOW - timedelta(days=2), past_ok=True)

        assert heard == [("booked", frozenset(), False)]

    def test_undoes_everything_when_a_receiver_cannot_do_its_part(self) -> None:
        def broken(**kwargs: Any) -> None:
            raise ValueError

        booking_changed.connect(broken)
        try:
            with pytest.raises(ValueError):
                a_booking()
        finally:
            booking_changed.disconnect(broken)

        assert not Booking.objects.exists()
        assert not CalendarEntry.objects.exists()


class TestBookRefuses:
    def test_an_overlap_and_names_the_other_booking(self) -> None:
        vessel = VesselFactory(name="Halcyon")
        first = a_booking(vessel=vessel)

        with pytest.raises(VesselTaken, match=rf"Halcyon is taken by {first.ref} \(Dana Whit\).*choose another time"):
            a_booking(vessel=vessel, starts_at=START + HOUR)

        assert Booking.objects.count() == 1

    def test_a_start_inside_the_turnaround(self) -> None:
        vessel = VesselFactory()
        a_booking(vessel=vessel)

        with pytest.raises(VesselTaken, match="60 minutes of turnaround"):
            a_booking(vessel=vessel, starts_at=START + 3.5 * HOUR)

    def test_seven_passengers_on_a_six_passenger_vessel(self) -> None:
        with pytest.raises(OverCapacity, match="may carry 6 passengers, not 7"):
            a_booking(party_size=7)

    def test_a_trip_that_would_take_its_vessel_for_decades(self) -> None:
        with pytest.raises(TooLong, match="more than a year after it starts"):
            a_booking(ends_at=START.replace(year=2099))

        assert not Booking.objects.exists()

    def test_a_past_date_unless_it_really_took_place(self) -> None:
        past = NOW - timedelta(days=1)

        with pytest.raises(InThePast, match="is in the past: correct the date"):
            a_booking(starts_at=past)

        assert a_booking(starts_at=past, past_ok=True).pk

    def test_an_end_before_the_start(self) -> None:
        with pytest.raises(EndsBeforeStart, match="ends before it begins"):
            a_booking(ends_at=START - HOUR)


class TestBookAllows:
    def test_the_next_trip_right_after_the_turnaround(self) -> None:
        vessel = VesselFactory()
        a_booking(vessel=vessel)

        assert a_booking(vessel=vessel, starts_at=START + 4 * HOUR).pk

    def test_two_vessels_at_one_time(self) -> None:
        a_booking()

        assert a_booking().pk

    def test_a_booking_under_review_beside_the_one_it_overlaps(self) -> None:
        vessel = VesselFactory()
        a_booking(vessel=vessel)

        second = a_booking(vessel=vessel, status=BookingStatus.NEEDS_REVIEW)

        entry = CalendarEntry.objects.get(booking=second)
        assert (entry.status, entry.blocks) == (EntryStatus.CONFLICT, False)

    def test_an_inquiry_that_is_too_large_to_be_sailed(self) -> None:
        assert a_booking(party_size=26, status=BookingStatus.INQUIRY).pk


class TestAmend:
    def test_moves_the_entry_and_raises_the_revision(self, heard: list[Any]) -> None:
        booking = a_booking()
        later = replace(TripDetails.of(booking), starts_at=START + HOUR, ends_at=START + 4 * HOUR)

        amended = amend_booking(booking=booking, trip=later, by=SYSTEM, at=NOW)

        assert CalendarEntry.objects.get(booking=amended).starts_at == START + HOUR
        assert amended.revision == 2
        assert heard[1] == ("amended", frozenset({"starts_at", "ends_at"}), True)

    def test_that_changes_nothing_is_silent(self, heard: list[Any]) -> None:
        booking = a_booking()

        amend_booking(booking=booking, trip=TripDetails.of(booking), by=SYSTEM, at=NOW)

        assert len(heard) == 1

    def test_may_overlap_its_own_former_time(self) -> None:
        booking = a_booking()
        moved = replace(TripDetails.of(booking), starts_at=START + HOUR)

        assert amend_booking(booking=booking, trip=moved, by=SYSTEM, at=NOW).starts_at == START + HOUR

    def test_refuses_to_move_onto_another_booking_and_changes_nothing(self) -> None:
        vessel = VesselFactory()
        a_booking(vessel=vessel)
        booking = a_booking(vessel=vessel, starts_at=START + 10 * HOUR)

        with pytest.raises(VesselTaken):
            amend_booking(
                booking=booking,
                trip=replace(TripDetails.of(booking), starts_at=START, ends_at=START + HOUR),
                by=SYSTEM,
                at=NOW,
            )

        booking.refresh_from_db()
        assert (booking.starts_at, booking.revision) == (START + 10 * HOUR, 1)

    def test_of_a_name_is_no_new_revision(self) -> None:
        booking = a_booking()

        amended = amend_booking(
            booking=booking, trip=replace(TripDetails.of(booking), guest_name="Dana White"), by=SYSTEM, at=NOW
        )

        assert amended.revision == 1
        assert CalendarEntry.objects.get(booking=booking).title == "Dana White"

    def test_history_shows_times_but_no_contacts(self) -> None:
        booking = a_booking()
        changed = replace(TripDetails.of(booking), guest_email="dana@example.com", party_size=4)

        amend_booking(booking=booking, trip=changed, by=SYSTEM, at=NOW)

        detail = Event.objects.filter(act="bookings.booking.amended").get().detail
        assert detail == {"party_size": [3, 4], "guest_email": "changed"}

    def test_refuses_a_cancelled_booking(self) -> None:
        booking = a_booking()
        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW)

        with pytest.raises(AlreadyCancelled):
            amend_booking(booking=booking, trip=trip(vessel=booking.vessel, party_size=2), by=SYSTEM, at=NOW)


class TestCancel:
    def test_frees_the_vessel(self) -> None:
        vessel = VesselFactory()
        cancel_booking(booking=a_booking(vessel=vessel), reason="weather", by=SYSTEM, at=NOW)

        assert a_booking(vessel=vessel).pk

    def test_twice_is_once(self, heard: list[Any]) -> None:
        booking = a_booking()

        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW)
        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW)

        assert [act for act, *_ in heard] == ["booked", "cancelled"]

    def test_can_be_taken_back_by_the_channel(self) -> None:
        booking = cancel_booking(booking=a_booking(), reason="guest", by=SYSTEM, at=NOW)

        again = reinstate_booking(booking=booking, trip=TripDetails.of(booking), by=SYSTEM, at=NOW)

        assert (again.status, again.cancelled_at) == (BookingStatus.CONFIRMED, None)
        assert CalendarEntry.objects.get(booking=booking).blocks


class TestConfirm:
    def test_takes_the_vessels_time(self) -> None:
        booking = a_booking(status=BookingStatus.QUOTED)

        confirm_booking(booking=booking, by=SYSTEM, at=NOW)

        assert CalendarEntry.objects.get(booking=booking).blocks

    def test_refuses_what_overlaps_by_now(self) -> None:
        vessel = VesselFactory()
        quoted = a_booking(vessel=vessel, status=BookingStatus.QUOTED)
        a_booking(vessel=vessel)

        with pytest.raises(VesselTaken):
            confirm_booking(booking=quoted, by=SYSTEM, at=NOW)

        quoted.refresh_from_db()
        assert quoted.status == BookingStatus.QUOTED

    def test_of_a_confirmed_one_is_silent(self, heard: list[Any]) -> None:
        confirm_booking(booking=a_booking(), by=SYSTEM, at=NOW)

        assert len(heard) == 1

    def test_refuses_a_cancelled_one(self) -> None:
        booking = cancel_booking(booking=a_booking(), reason="guest", by=SYSTEM, at=NOW)

        with pytest.raises(AlreadyCancelled):
            confirm_booking(booking=booking, by=SYSTEM, at=NOW)


def test_the_payment_state_is_announced_and_told_nobody(heard: list[Any]) -> None:
    booking = a_booking()

    set_payment_state(booking=booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=NOW)
    set_payment_state(booking=booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=NOW)

    assert heard[1:] == [("amended", frozenset({"payment_state"}), False)]


def test_an_empty_external_id_names_no_booking() -> None:
    a_booking()

    assert find_booking(channel="boatsetter", external_id="") is None


class TestAHoldThatExpired:
    def held(self, vessel: Vessel, expires_at: datetime) -> CalendarEntry:
        return CalendarEntry.objects.create(
            vessel=vessel,
            kind=EntryKind.TENTATIVE,
            status=EntryStatus.TENTATIVE,
            starts_at=START,
            ends_at=START + 3 * HOUR,
            blocked_until=START + 4 * HOUR,
            expires_at=expires_at,
        )

    def test_keeps_its_time_until_then(self) -> None:
        vessel = VesselFactory()
        self.held(vessel, NOW + HOUR)

        with pytest.raises(VesselTaken):
            a_booking(vessel=vessel)

    def test_is_let_go_by_whoever_wants_the_time(self) -> None:
        vessel = VesselFactory()
        hold = self.held(vessel, NOW)

        assert a_booking(vessel=vessel).pk
        hold.refresh_from_db()
        assert (hold.blocks, hold.status) == (False, EntryStatus.CANCELLED)

    def test_is_let_go_every_minute(self) -> None:
        self.held(VesselFactory(), NOW)
        release_expired_holds()  # the real clock: nothing has expired yet

        assert release_expired(at=NOW) == 1

    def test_of_a_quote_leaves_the_quote(self) -> None:
        quote = a_booking(status=BookingStatus.QUOTED)
        quote.hold_until = NOW + HOUR
        quote.save()
        amend_booking(booking=quote, trip=replace(TripDetails.of(quote), party_size=2), by=SYSTEM, at=NOW)
        assert CalendarEntry.objects.get(booking=quote).blocks

        release_expired(at=NOW + HOUR)

        entry = CalendarEntry.objects.get(booking=quote)
        assert (entry.blocks, entry.status) == (False, EntryStatus.TENTATIVE)
