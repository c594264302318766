"""The portal: the two-step way in, the trip's page, answers and ticks; and the attacks A01-A10."""
from collections.abc import Callable

import pytest
from django.test import Client

from tests.factories.crew import a_crew_event, accepted, captain, crew_of, day_checklist, mate, token_of

pytestmark = pytest.mark.django_db


def test_x(enter: Callable[..., Client]) -> None:
    captain(), mate(), day_checklist()
    event = a_crew_event()
    browser = enter(event, "juno")
    page = browser.get(f"/crew/event/{event.public_id}")
    assert page.status_code == 200
    print(page.content.decode())
    answer = browser.post(f"/crew/event/{event.public_id}/answer", {"answer": "accept"})
    assert answer.status_code == 303
    page = browser.get(f"/crew/event/{event.public_id}")
    print(page.content.decode())
    print(browser.get("/crew/").content.decode())
