"""Who was never told of a trip is not told of its end."""

import pytest

from bookings.models import Vessel
from bookings.services import cancel_booking
from jada.audit.actors import SYSTEM
from jada.console import demo
from jada.mail.letters import letter_of
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import NOW, a_booking

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        ("guest.booked", "guest.cancelled", "The guest was never told of the trip."),
        ("crew.invitation", "crew.cancelled", "Never told of the trip."),
    ],
)
def test_a_cancellation_is_withdrawn_with_the_mail_that_was_on_its_way(first: str, last: str, reason: str) -> None:
    demo.lay_out_fleet()
    booking = a_booking(vessel=Vessel.objects.get(key="halcyon"), guest_email="dana@example.com")
    effects = Effect.objects.filter(pk__in=Message.objects.filter(kind=first).values("effect"))
    effects.update(state=State.RUNNING)  # a worker has them, before its last look
    cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=NOW)
    end = Message.objects.filter(kind=last).first()
    assert end is not None
    assert letter_of(last).withdrawn(end) == ""

    effects.update(state=State.CANCELLED)

    assert letter_of(last).withdrawn(end) == reason
