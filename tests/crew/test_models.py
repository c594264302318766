"""What the database refuses, one test a refusal."""

from collections.abc import Callable
from datetime import date

import pytest
from django.db import IntegrityError, transaction

from crew.enums import AssignmentStatus, Needs, Role
from crew.models import (
    Assignment,
    ChecklistTemplate,
    CheckOp,
    Credential,
    CrewEvent,
    CrewLinkGrant,
    CrewRequirement,
    Place,
    Unavailability,
)
from tests.factories.bookings import NOW
from tests.factories.crew import (
    CrewMemberFactory,
    a_crew_event,
    assignment_of,
    captain,
    crewed_vessel,
    day_checklist,
    mate,
)

pytestmark = pytest.mark.django_db


def refused(act: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        act()


def test_refuses_a_second_captain() -> None:
    captain("ines")
    tobias = captain("tobias")
    event = a_crew_event()

    refused(lambda: Assignment.objects.create(event=event, member=tobias, role=Role.CAPTAIN))


def test_lets_another_captain_on_when_the_first_has_declined() -> None:
    captain("ines")
    tobias = captain("tobias", active=False)
    event = a_crew_event()
    Assignment.objects.filter(event=event).update(status=AssignmentStatus.DECLINED)

    assert Assignment.objects.create(event=event, member=tobias, role=Role.CAPTAIN).pk


def test_refuses_a_member_twice_on_a_trip() -> None:
    juno = mate("juno")
    event = a_crew_event()

    refused(lambda: Assignment.objects.create(event=event, member=juno, role=Role.DECKHAND))


def test_refuses_two_members_in_one_place() -> None:
    mate("juno")
    event = a_crew_event()
    place = assignment_of(event, "juno").place
    other = CrewMemberFactory()

    refused(lambda: Assignment.objects.create(event=event, member=other, role=Role.DECKHAND, place=place))


def test_refuses_the_same_place_twice() -> None:
    event = a_crew_event()

    refused(lambda: Place.objects.create(event=event, needs=Needs.CAPTAIN, number=1))


def test_refuses_a_second_crew_event_of_a_booking() -> None:
    event = a_crew_event()

    refused(lambda: CrewEvent.objects.create(booking=event.booking, call_at=NOW))


@pytest.mark.parametrize("half", ["invited_at", "answered_at", "ended_at"])
def test_refuses_an_instant_without_its_actor(half: str) -> None:
    mate("juno")
    event = a_crew_event()
    rows = Assignment.objects.filter(event=event)
    blank = {"invited_at": None, "invited_by": None}

    refused(lambda: rows.update(**{**blank, half: NOW, half.replace("_at", "_by"): None}))


def test_refuses_a_cancellation_without_its_actor() -> None:
    event = a_crew_event()

    refused(lambda: CrewEvent.objects.filter(pk=event.pk).update(cancelled_at=NOW))


def test_refuses_a_tick_without_its_member() -> None:
    day_checklist()
    event = a_crew_event()

    refused(lambda: event.items.update(done_at=NOW))


def test_refuses_a_revocation_without_its_actor() -> None:
    mate("juno")
    a_crew_event()

    refused(lambda: CrewLinkGrant.objects.update(revoked_at=NOW))


def test_refuses_the_same_tap_twice() -> None:
    day_checklist()
    item = a_crew_event().items.first()
    CheckOp.objects.create(item=item, op="tap", done=True, at=NOW)

    refused(lambda: CheckOp.objects.create(item=item, op="tap", done=False, at=NOW))


def test_refuses_days_off_that_end_before_they_begin() -> None:
    juno = mate("juno")

    refused(lambda: Unavailability.objects.create(member=juno, from_date=date(2027, 5, 2), to_date=date(2027, 5, 1)))


def test_refuses_two_papers_of_a_kind() -> None:
    ines = captain("ines")

    refused(lambda: Credential.objects.create(member=ines, kind="master_100gt"))


def test_refuses_the_same_requirement_twice() -> None:
    vessel = crewed_vessel()

    refused(lambda: CrewRequirement.objects.create(vessel=vessel, needs=Needs.CAPTAIN))


def test_refuses_a_second_default_checklist() -> None:
    day_checklist()

    refused(lambda: ChecklistTemplate.objects.create(key="other", name="Other", is_default=True))


def test_days_off_and_taps_say_what_they_are() -> None:
    off = Unavailability(from_date=date(2027, 5, 1), to_date=date(2027, 5, 2))
    tap = CheckOp(item_id=7, op="tap", done=True)

    assert (str(off), str(tap)) == ("2027-05-01 to 2027-05-02", "ticked 7")
