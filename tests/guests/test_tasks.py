import pytest
import time_machine

from guests import tasks
from guests.models import GuestPage
from guests.phases import Phase
from tests.factories.bookings import START, a_booking


@pytest.mark.django_db
def test_the_minutes_task_turns_by_the_clock() -> None:
    a_booking()

    with time_machine.travel(START, tick=False):
        tasks.turn_pages()

    assert GuestPage.objects.get().phase == Phase.UNDERWAY


def test_beat_knows_the_task_by_this_name() -> None:
    assert tasks.turn_pages.name == "guests.turn_pages"
