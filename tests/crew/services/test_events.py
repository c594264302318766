"""The crew event follows its booking."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bookings.enums import BookingStatus, PaymentState
from bookings.models import Booking, Product
from bookings.services import (
    TripDetails,
    amend_booking,
    cancel_booking,
    confirm_booking,
    reinstate_booking,
    set_payment_state,
)
from crew import services
from crew.enums import Needs
from crew.models import CrewEvent, CrewRequirement, CrewSession, Unavailability
from jada.audit.actors import SYSTEM
from jada.audit.models import Event as History
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import NOW, START, VesselFactory, a_booking
from tests.factories.crew import (
    DURING,
    a_crew_event,
    accepted,
    assignment_of,
    captain,
    crew_of,
    crewed_vessel,
    day_checklist,
    event_of,
    host,
    mate,
)

pytestmark = pytest.mark.django_db


def change(event: CrewEvent, **changes: object) -> Booking:
    booking = Booking.objects.select_related("vessel", "product").get(pk=event.booking_id)
    trip = replace(TripDetails.of(booking), **changes)  # type: ignore[arg-type]
    return amend_booking(booking=booking, trip=trip, by=SYSTEM, at=DURING)


def move(event: CrewEvent, by: timedelta = timedelta(hours=1)) -> Booking:
    trip = TripDetails.of(event_of(event.booking).booking)
    return change(event, starts_at=trip.starts_at + by, ends_at=trip.ends_at + by)


def send_all() -> None:
    """As if the worker had been: what was waiting has left."""
    Effect.objects.filter(topic="mail.message", state=State.PENDING).update(state=State.DONE)
    Message.objects.filter(sent_at=None, effect__state=State.DONE).update(sent_at=DURING)


def waiting(kind: str = "") -> list[Message]:
    rows = Message.objects.filter(effect__state=State.PENDING, kind__startswith="crew.").order_by("pk")
    return [m for m in rows if not kind or m.kind == kind]


class TestANewTrip:
    def test_has_its_places_and_calls_the_captain_first(self) -> None:
        captain("ines")
        mate("juno")

        event = a_crew_event()

        assert [str(p) for p in event.places.all()] == ["Captain", "Mate or deckhand"]
        assert crew_of(event) == {"ines": "invited", "juno": "invited"}
        assert list(crew_of(event)) == ["ines", "juno"]
        assert [m.kind for m in waiting()] == ["crew.invitation", "crew.invitation"]

    def test_is_called_an_hour_before_departure(self) -> None:
        event = a_crew_event()

        assert event.call_at == START - timedelta(hours=1)

    def test_has_a_checklist_with_times_of_its_own(self) -> None:
        day_checklist()

        event = a_crew_event()

        due = {item.key: item.due_at for item in event.items.all()}
        assert due["weather"] == START - timedelta(days=1)
        assert due["washdown"] == START + timedelta(hours=3, minutes=45)

    def test_without_a_word_invites_nobody(self) -> None:
        captain("ines")
        day_checklist()

        event = a_crew_event(tell=False)

        assert event.places.count() == 2
        assert event.items.count() == 5
        assert crew_of(event) == {}
        assert waiting() == []

    @pytest.mark.parametrize("status", [BookingStatus.INQUIRY, BookingStatus.QUOTED, BookingStatus.NEEDS_REVIEW])
    def test_has_no_crew_until_it_is_confirmed(self, status: BookingStatus) -> None:
        captain("ines")
        booking = a_booking(vessel=crewed_vessel(), status=status)
        assert services.event_of(booking) is None

        confirm_booking(booking=booking, by=SYSTEM, at=DURING)

        assert crew_of(event_of(booking)) == {"ines": "invited"}

    def test_that_is_over_calls_nobody(self) -> None:
        captain("ines")

        event = a_crew_event(starts_at=NOW - timedelta(days=3), past_ok=True, status=BookingStatus.COMPLETED)

        assert crew_of(event) == {}

    def test_on_a_vessel_nobody_described_needs_a_captain(self) -> None:
        event = event_of(a_booking(vessel=VesselFactory()))

        assert [p.needs for p in event.places.all()] == [Needs.CAPTAIN]


class TestPlaces:
    def test_a_larger_party_needs_a_host(self) -> None:
        host("noor")

        event = a_crew_event(party_size=13)

        assert crew_of(event) == {"noor": "invited"}

    def test_a_products_own_rows_replace_the_vessels(self) -> None:
        vessel, product = crewed_vessel(), Product.objects.create(key="memorial-2h", name="Memorial")
        CrewRequirement.objects.create(vessel=vessel, product=product, needs=Needs.CAPTAIN)

        event = a_crew_event(vessel=vessel, product=product)

        assert [p.needs for p in event.places.all()] == [Needs.CAPTAIN]

    def test_a_party_that_shrinks_lets_the_host_go_and_says_so(self) -> None:
        host("noor")
        event = a_crew_event(party_size=13)
        send_all()

        change(event, party_size=6)

        assert crew_of(event) == {"noor": "withdrawn"}
        assert [(m.kind, m.values["released"]) for m in waiting()] == [("crew.cancelled", True)]

    def test_an_empty_place_goes_before_a_filled_one(self) -> None:
        vessel = crewed_vessel(mates=2)
        mate("juno")
        mate("silas", roles=["second_mate"])
        event = a_crew_event(vessel=vessel)
        services.decline(assignment=assignment_of(event, "juno"), at=DURING)
        CrewRequirement.objects.filter(vessel=vessel, needs=Needs.MATE_OR_DECKHAND).update(count=1)

        change(event, party_size=5)

        assert crew_of(event)["silas"] == "invited"

    def test_a_party_that_grows_is_called_for(self) -> None:
        host("noor")
        event = a_crew_event(party_size=6)

        change(event, party_size=13)

        assert crew_of(event) == {"noor": "invited"}


class TestAMovedTrip:
    def test_tells_each_once_a_revision(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()

        move(event)
        change(event, party_size=4, occasion="Birthday")

        assert [m.kind for m in waiting()] == ["crew.changed"]
        (told,) = waiting()
        assert told.revision == 3
        assert ["Call time", "12:00 PM", "1:00 PM"] in told.values["changes"]
        assert ["Guests", "3", "4"] in told.values["changes"]

    def test_replaces_an_invitation_that_has_not_left(self) -> None:
        captain("ines")
        event = a_crew_event()

        move(event)

        assert [m.kind for m in waiting()] == ["crew.invitation"]
        assert waiting()[0].values["call"] == "1:00 PM"
        assert Message.objects.filter(kind="crew.invitation", effect__state=State.CANCELLED).count() == 1

    def test_that_returns_before_anybody_was_told_says_nothing(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()

        move(event)
        move(event, -timedelta(hours=1))

        assert waiting() == []

    def test_moves_call_time_and_tasks(self) -> None:
        day_checklist()
        event = a_crew_event()

        move(event)

        moved = event_of(event.booking)
        assert moved.call_at == START
        assert moved.items.get(key="open").due_at == START

    def test_keeps_who_has_accepted(self) -> None:
        captain("ines")
        event = a_crew_event()
        accepted(event, "ines")

        move(event)

        assert crew_of(event) == {"ines": "accepted"}

    def test_lets_go_who_is_away_on_the_new_day_and_calls_the_next(self) -> None:
        ines = captain("ines")
        captain("tobias")
        Unavailability.objects.create(member=ines, from_date=date(2027, 5, 31), to_date=date(2027, 5, 31))
        event = a_crew_event()
        accepted(event, "ines")

        move(event, timedelta(days=1))

        assert crew_of(event) == {"ines": "withdrawn", "tobias": "invited"}
        assert History.objects.get(act="crew.member.let-go").detail["reason"] == "not available on 2027-05-31"

    def test_keeps_who_the_office_chose_by_hand(self) -> None:
        ines = captain("ines")
        Unavailability.objects.create(member=ines, from_date=date(2027, 5, 31), to_date=date(2027, 5, 31))
        event = a_crew_event(tell=False)
        services.assign_member(event=event, member=ines, by=SYSTEM, at=DURING)

        move(event, timedelta(days=1))

        assert crew_of(event) == {"ines": "invited"}

    def test_to_another_boat_needs_papers_for_it(self) -> None:
        captain("ines")
        event = a_crew_event()
        accepted(event, "ines")

        change(event, vessel=crewed_vessel(captain_credentials=["master_500gt"]))

        assert crew_of(event) == {"ines": "withdrawn"}

    def test_told_to_nobody_moves_in_silence(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()
        trip = TripDetails.of(event.booking)
        trip = replace(trip, starts_at=trip.starts_at + timedelta(hours=1), ends_at=trip.ends_at + timedelta(hours=1))

        amend_booking(booking=event.booking, trip=trip, by=SYSTEM, at=DURING, tell=False)

        assert waiting() == []
        assert event_of(event.booking).call_at == START


class TestSomebodyPencilledIn:
    @pytest.fixture
    def event(self) -> CrewEvent:
        event = a_crew_event(tell=False)
        services.assign_member(event=event, member=captain("ines"), status="proposed", by=SYSTEM, at=DURING)
        return event

    def test_has_not_been_asked_and_hears_nothing_of_a_move(self, event: CrewEvent) -> None:
        move(event)

        assert crew_of(event) == {"ines": "proposed"}
        assert waiting() == []

    def test_hears_nothing_of_the_end(self, event: CrewEvent) -> None:
        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)

        assert waiting() == []

    def test_counts_as_planned_labour(self, event: CrewEvent) -> None:
        assert [work.member_key for work in services.labour(event.booking)] == ["ines"]


class TestWhatCrewDoNotSee:
    def test_leaves_no_trace(self) -> None:
        captain("ines")
        event = a_crew_event()
        before = Effect.objects.latest("pk").pk

        change(event, private_note="He paid 840.75", guest_phone="+1 619 555 0100")

        assert not Effect.objects.filter(pk__gt=before, topic__startswith="crew.").exists()

    def test_a_payment_changes_the_banner_and_mails_nobody(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()

        set_payment_state(booking=event.booking, state=PaymentState.DEPOSIT_RECEIVED, by=SYSTEM, at=DURING)

        assert services.event_view(event_of(event.booking)).banner == "Do not depart until the balance is confirmed."
        assert waiting() == []


def test_the_event_of_a_booking_is_found() -> None:
    event = a_crew_event()

    assert services.event_of(event.booking) == event


class TestACancelledTrip:
    def test_tells_who_had_heard_once_and_ends_every_link(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()

        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)
        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)

        assert [m.kind for m in waiting()] == ["crew.cancelled"]
        assert crew_of(event) == {"ines": "withdrawn"}
        assert not event.assignments.get().grants.filter(revoked_at=None).exists()
        assert not CrewSession.objects.exists()

    def test_says_nothing_to_who_had_not_heard(self) -> None:
        captain("ines")
        event = a_crew_event()

        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)

        assert waiting() == []

    def test_told_to_nobody_ends_in_silence(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()

        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING, tell=False)

        assert waiting() == []
        assert crew_of(event) == {"ines": "withdrawn"}

    def test_that_is_on_again_calls_its_crew_anew(self) -> None:
        captain("ines")
        event = a_crew_event()
        send_all()
        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)

        booking = Booking.objects.select_related("vessel").get(pk=event.booking_id)
        reinstate_booking(booking=booking, trip=TripDetails.of(booking), by=SYSTEM, at=DURING)

        assert crew_of(event) == {"ines": "invited"}
        assert [m.kind for m in waiting()] == ["crew.invitation"]
        assert services.event_view(event_of(booking)).status == "open"

    def test_before_it_had_a_crew_stays_without_one(self) -> None:
        booking = a_booking(vessel=crewed_vessel(), status=BookingStatus.INQUIRY)

        cancel_booking(booking=booking, reason="No", by=SYSTEM, at=DURING)

        assert services.event_of(booking) is None
