"""Who is called, who is passed over and why, and what the office does by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crew import services
from crew.enums import AssignmentStatus
from crew.models import Credential, CrewEvent, Unavailability
from crew.services import AssignmentRefused
from jada.audit.actors import SYSTEM, Actor
from jada.audit.models import Event as History
from jada.mail.models import Message
from jada.outbox.enums import State
from tests.factories.bookings import NOW, START, a_booking
from tests.factories.crew import (
    DURING,
    CrewMemberFactory,
    a_crew_event,
    accepted,
    assignment_of,
    captain,
    crew_of,
    crewed_vessel,
    event_of,
    grant_of,
    host,
    mate,
)

pytestmark = pytest.mark.django_db
OPS = Actor("user", "ops")


def skipped(event: CrewEvent) -> list[str]:
    rows = History.objects.filter(subject=event.booking.subject, detail__has_key="skipped").order_by("pk")
    return [line for row in rows for line in row.detail["skipped"]]


class TestTheCall:
    def test_goes_by_call_order(self) -> None:
        captain("second", call_order=2)
        captain("first", call_order=1)

        assert crew_of(a_crew_event()) == {"first": "invited"}

    def test_passes_over_a_licence_that_ends_before_the_trip(self) -> None:
        captain("rafael", expires=date(2027, 5, 29))
        captain("ines")

        event = a_crew_event()

        assert crew_of(event) == {"ines": "invited"}
        assert skipped(event) == ["rafael skipped: licence expires 2027-05-29, trip is 2027-05-30"]

    def test_a_licence_is_good_on_its_last_day(self) -> None:
        captain("rafael", expires=date(2027, 5, 30))

        assert crew_of(a_crew_event()) == {"rafael": "invited"}

    def test_passes_over_papers_for_another_boat(self) -> None:
        maeve = CrewMemberFactory(key="maeve", role="captain")
        Credential.objects.create(member=maeve, kind="oupv_6pax")

        event = a_crew_event(vessel=crewed_vessel(name="Marisol"))

        assert crew_of(event) == {}
        assert skipped(event) == ["maeve skipped: papers do not cover Marisol"]

    def test_passes_over_a_drug_program_that_has_ended(self) -> None:
        juno = mate("juno")
        Credential.objects.create(member=juno, kind="drug_program", expires_on=date(2027, 5, 1))

        event = a_crew_event()

        assert skipped(event) == ["juno skipped: drug program ends 2027-05-01, trip is 2027-05-30"]

    def test_passes_over_days_off(self) -> None:
        juno = mate("juno")
        Unavailability.objects.create(member=juno, from_date=date(2027, 5, 29), to_date=date(2027, 5, 30))

        event = a_crew_event()

        assert skipped(event) == ["juno skipped: not available on 2027-05-30"]

    def test_days_off_are_local_days(self) -> None:
        """30 May, 7 PM at the dock is 31 May in UTC."""
        juno = mate("juno")
        Unavailability.objects.create(member=juno, from_date=date(2027, 5, 31), to_date=date(2027, 5, 31))

        assert crew_of(a_crew_event(starts_at=START + timedelta(hours=6))) == {"juno": "invited"}

    def test_passes_over_somebody_aboard_another_boat(self) -> None:
        mate("juno")
        a_crew_event(vessel=crewed_vessel(name="Petrel"))

        event = a_crew_event(starts_at=START + timedelta(hours=3))

        assert crew_of(event) == {}
        assert skipped(event) == ["juno skipped: aboard Petrel from 12:00 PM to 4:00 PM"]

    def test_back_to_back_trips_are_possible(self) -> None:
        mate("juno")
        a_crew_event()

        assert crew_of(a_crew_event(starts_at=START + timedelta(hours=4))) == {"juno": "invited"}

    def test_passes_over_who_has_left(self) -> None:
        mate("juno", active=False)

        event = a_crew_event()

        assert skipped(event) == ["juno skipped: not active"]

    def test_two_mates_are_a_first_and_a_second(self) -> None:
        mate("juno")
        mate("silas", roles=["second_mate", "deckhand"])

        event = a_crew_event(vessel=crewed_vessel(mates=2))

        assert [a.role for a in event.assignments.order_by("pk")] == ["first_mate", "second_mate"]

    def test_says_in_history_that_nobody_is_left(self) -> None:
        event = a_crew_event()

        places = [row.detail["place"] for row in History.objects.filter(act="crew.place.nobody-left").order_by("pk")]
        assert places == ["Captain", "Mate or deckhand"]
        assert crew_of(event) == {}

    def test_can_be_made_again_when_somebody_is_there(self) -> None:
        event = a_crew_event()
        captain("ines")

        invited = services.call_crew(event=event, by=OPS, at=DURING)

        assert [a.member.key for a in invited] == ["ines"]
        assert services.call_crew(event=event, by=OPS, at=DURING) == []

    def test_is_not_made_once_the_trip_has_left(self) -> None:
        event = a_crew_event()
        captain("ines")

        assert services.call_crew(event=event, by=OPS, at=START) == []

    @pytest.mark.parametrize(("ahead", "hours"), [(timedelta(days=10), 12), (timedelta(hours=47), 2)])
    def test_asks_for_an_answer_sooner_when_the_trip_is_near(self, ahead: timedelta, hours: int) -> None:
        mate("juno")

        event = a_crew_event(starts_at=NOW + ahead)

        assert assignment_of(event, "juno").answer_by == NOW + timedelta(hours=hours)


class TestByHand:
    def test_a_member_goes_into_the_place_that_fits(self) -> None:
        event = a_crew_event(tell=False)
        juno = mate("juno")

        made = services.assign_member(event=event, member=juno, by=OPS, at=DURING)

        assert str(made.place) == "Mate or deckhand"
        assert Message.objects.filter(kind="crew.invitation", effect__state=State.PENDING).count() == 1

    def test_agreed_by_word_asks_nobody(self) -> None:
        event = a_crew_event(tell=False)

        services.assign_member(
            event=event, member=mate("juno"), status=AssignmentStatus.ACCEPTED, by=OPS, at=DURING, tell=False
        )

        assert crew_of(event) == {"juno": "accepted"}
        assert not Message.objects.filter(kind__startswith="crew.").exists()

    def test_somebody_extra_has_no_place(self) -> None:
        mate("juno")
        event = a_crew_event()

        extra = services.assign_member(event=event, member=mate("silas"), by=OPS, at=DURING)

        assert extra.place is None

    def test_a_second_captain_is_refused_in_words(self) -> None:
        captain("ines")
        event = a_crew_event()
        tobias = captain("tobias")

        with pytest.raises(AssignmentRefused, match="Ines Calloway has that place"):
            services.assign_member(event=event, member=tobias, by=OPS, at=DURING)

        assert services.why_not(event=event, member=tobias).startswith("Ines Calloway has that place")

    def test_a_member_twice_is_refused_in_words(self) -> None:
        juno = mate("juno")
        event = a_crew_event()

        with pytest.raises(AssignmentRefused, match="on this trip already"):
            services.assign_member(event=event, member=juno, by=OPS, at=DURING)

    def test_somebody_who_left_is_refused_in_words(self) -> None:
        event = a_crew_event()

        with pytest.raises(AssignmentRefused, match="not on the active roster"):
            services.assign_member(event=event, member=mate("juno", active=False), by=OPS, at=DURING)

    def test_a_cancelled_trip_takes_nobody(self) -> None:
        event = a_crew_event()
        event.status = "cancelled"
        event.cancelled_at, event.cancelled_by = DURING, "ops"
        event.save()

        with pytest.raises(AssignmentRefused, match="cancelled"):
            services.assign_member(event=event, member=mate("juno"), by=OPS, at=DURING)

    def test_withdrawing_calls_the_next(self) -> None:
        captain("ines")
        captain("tobias")
        event = a_crew_event()

        services.withdraw_member(assignment=assignment_of(event, "ines"), reason="ill", by=OPS, at=DURING)

        assert crew_of(event) == {"ines": "withdrawn", "tobias": "invited"}

    def test_withdrawing_twice_is_withdrawing_once(self) -> None:
        captain("ines")
        event = a_crew_event()
        first = services.withdraw_member(assignment=assignment_of(event, "ines"), by=OPS, at=DURING)

        again = services.withdraw_member(assignment=first, by=OPS, at=DURING)

        assert again.version == first.version
        assert History.objects.filter(act="crew.member.withdrawn").count() == 1

    def test_inviting_again_ends_the_old_links(self) -> None:
        captain("ines")
        event = a_crew_event()
        old = grant_of(event, "ines")

        again = services.invite_again(assignment=assignment_of(event, "ines"), by=OPS, at=DURING)

        old.refresh_from_db()
        assert again.version == 2
        assert old.revoked_at == DURING
        assert grant_of(event, "ines").av == 2

    def test_somebody_who_declined_can_be_asked_again(self) -> None:
        captain("ines")
        event = a_crew_event()
        services.decline(assignment=assignment_of(event, "ines"), at=DURING)

        services.invite_again(assignment=assignment_of(event, "ines"), by=OPS, at=DURING)

        assert crew_of(event) == {"ines": "invited"}

    def test_somebody_confirmed_is_not_asked_again(self) -> None:
        captain("ines")
        event = a_crew_event()
        accepted(event, "ines")

        with pytest.raises(AssignmentRefused, match="confirmed already"):
            services.invite_again(assignment=assignment_of(event, "ines"), by=OPS, at=DURING)

    def test_whoever_has_the_place_now_keeps_it(self) -> None:
        captain("ines")
        captain("tobias")
        event = a_crew_event()
        services.decline(assignment=assignment_of(event, "ines"), at=DURING)

        with pytest.raises(AssignmentRefused, match="Tobias Calloway has that place"):
            services.invite_again(assignment=assignment_of(event, "ines"), by=OPS, at=DURING)


class TestTheRoster:
    def test_somebody_who_leaves_is_replaced_on_what_lies_ahead(self) -> None:
        ines = captain("ines")
        captain("tobias")
        event = a_crew_event()
        accepted(event, "ines")
        ines.active = False
        ines.save()

        services.revise_member(member=ines, by=OPS, at=DURING)

        assert crew_of(event) == {"ines": "withdrawn", "tobias": "invited"}

    def test_a_new_address_ends_the_old_links_and_asks_there(self) -> None:
        juno = mate("juno")
        event = a_crew_event()
        juno.email = "new@crew.example"
        juno.save()

        services.revise_member(member=juno, by=OPS, at=DURING)

        assert assignment_of(event, "juno").version == 2
        assert assignment_of(event, "juno").grants.filter(revoked_at=None).count() == 1

    def test_a_new_address_of_somebody_confirmed_gets_a_new_link(self) -> None:
        juno = mate("juno")
        event = a_crew_event()
        accepted(event, "juno")
        juno.email = "new@crew.example"
        juno.save()

        services.revise_member(member=juno, by=OPS, at=DURING)

        assert crew_of(event) == {"juno": "accepted"}
        assert Message.objects.filter(kind="crew.link", effect__state=State.PENDING).count() == 1

    def test_another_telephone_number_changes_nothing(self) -> None:
        juno = mate("juno")
        event = a_crew_event()
        juno.phone = "+1 619 555 0123"
        juno.save()

        services.revise_member(member=juno, by=OPS, at=DURING)

        assert assignment_of(event, "juno").version == 1
        assert not Message.objects.filter(kind="crew.link").exists()


def test_labour_is_charter_minutes_of_everybody_who_counts() -> None:
    captain("ines")
    mate("juno")
    host("noor")
    event = a_crew_event()
    services.decline(assignment=assignment_of(event, "juno"), at=DURING)

    work = services.labour(event.booking)

    assert [(w.member_key, w.role, w.minutes) for w in work] == [("ines", "captain", 180)]


def test_the_crew_list_names_open_places_too() -> None:
    captain("ines")
    event = a_crew_event()

    assert [(c.role, c.name, c.state) for c in services.crew_list(event.booking)] == [
        ("Captain", "Ines Calloway", "invited"),
        ("Mate or deckhand", "", "open"),
    ]


def test_a_booking_without_a_crew_event_has_no_crew() -> None:
    booking = a_booking(status="inquiry")

    assert services.crew_list(booking) == []
    assert services.labour(booking) == []
    assert services.call_crew(event=event_of(a_booking()), by=SYSTEM, at=DURING) == []
