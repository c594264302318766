"""Two acts on one trip at one instant: the second one waits, and then sees all that the first one wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookings.enums import PaymentState
from bookings.models import Booking
from bookings.services import TripDetails, amend_booking, set_payment_state
from crew import services
from crew.enums import AssignmentStatus
from crew.models import Assignment, ChecklistItem, CrewEvent, CrewMember
from jada.audit.actors import SYSTEM
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import NOW, START, a_booking
from tests.factories.crew import captain, crewed_vessel, day_checklist
from tests.meanwhile import meanwhile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def asked_captain(*others: str) -> Assignment:
    """A trip that has asked its one captain; `others` come after."""
    captain("ines")
    for key in others:
        captain(key)
    a_booking(vessel=crewed_vessel(mates=0))
    return Assignment.objects.get()


def two_hours_later(booking: Booking) -> TripDetails:
    start = START + timedelta(hours=2)
    return replace(TripDetails.of(booking), starts_at=start, ends_at=start + timedelta(hours=3))


def test_whoever_is_asked_while_the_trip_moves_is_told_the_new_time() -> None:
    asked = asked_captain("bo")
    booking = Booking.objects.get()

    meanwhile(
        lambda: amend_booking(booking=booking, trip=two_hours_later(booking), by=SYSTEM, at=NOW),
        lambda: services.decline(assignment=asked, at=NOW),
    )

    told = Message.objects.get(recipient=CrewMember.objects.get(key="bo").recipient)
    assert told.values["call"] == "2:00 PM"


def test_a_yes_while_the_trip_is_paid_makes_it_ready() -> None:
    asked = asked_captain()
    booking = Booking.objects.get()

    meanwhile(
        lambda: set_payment_state(booking=booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=NOW),
        lambda: services.accept(assignment=asked, at=NOW),
    )

    assert CrewEvent.objects.get().ready


def test_an_invitation_that_gets_new_time_to_answer_does_not_expire() -> None:
    asked = asked_captain("bo")
    booking = Booking.objects.get()
    Message.objects.update(sent_at=NOW)
    Effect.objects.filter(topic="mail.message").update(state=State.DONE)
    late = NOW + timedelta(hours=13)

    expired = meanwhile(
        lambda: amend_booking(booking=booking, trip=two_hours_later(booking), by=SYSTEM, at=late),
        lambda: services.expire_invitations(at=late),
    )

    asked.refresh_from_db()
    assert (expired, asked.status) == (0, AssignmentStatus.INVITED)


def test_the_two_last_tasks_ticked_at_once_make_the_trip_ready() -> None:
    day_checklist()
    asked = asked_captain()
    services.accept(assignment=asked, at=NOW)
    set_payment_state(booking=Booking.objects.get(), state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=NOW)
    event, member = CrewEvent.objects.get(), asked.member
    *others, last, very_last = ChecklistItem.objects.filter(anchor="S", required=True)

    def tick(item: ChecklistItem) -> None:
        services.tick(event=event, item_id=item.pk, done=True, op=f"tap-{item.pk}", member=member, at=NOW)

    for item in others:
        tick(item)
    meanwhile(lambda: tick(last), lambda: tick(very_last))

    assert CrewEvent.objects.get().ready


def test_a_yes_while_the_office_edits_the_member_is_no_deadlock() -> None:
    asked = asked_captain()
    member = CrewMember.objects.get()
    member.name = "Ines C. Calloway"

    meanwhile(
        member.save,
        lambda: services.accept(assignment=asked, at=NOW),
        last=lambda: services.revise_member(member=member, by=SYSTEM, at=NOW),
    )

    assert Assignment.objects.get().status == AssignmentStatus.ACCEPTED
