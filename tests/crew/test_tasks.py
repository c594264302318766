import pytest
import time_machine

from crew import tasks
from tests.crew.services.test_answers import LATE, mail_has_left
from tests.factories.crew import a_crew_event, crew_of, mate

pytestmark = pytest.mark.django_db


def test_passes_on_what_nobody_answered_in_time() -> None:
    mate("juno")
    mate("silas")
    event = a_crew_event()
    mail_has_left()

    with time_machine.travel(LATE, tick=False):
        tasks.expire_invitations()

    assert crew_of(event) == {"juno": "expired", "silas": "invited"}
