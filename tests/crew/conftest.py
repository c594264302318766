"""The portal as a browser sees it: a client, a clock that stands still, the way in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from crew.models import CrewEvent
from tests.factories.crew import DURING, token_of


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The surfaces read the clock: it stands an hour after the invitations went out."""
    with time_machine.travel(DURING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def enter(clock: time_machine.Traveller) -> Callable[..., Client]:
    """`enter(event, "juno")` -> a browser that has opened the member's link and pressed the button."""

    def opened(event: CrewEvent, key: str, browser: Client | None = None) -> Client:
        browser = browser or Client()
        address = f"/crew/event/{event.public_id}/confirm"
        answer = browser.post(address, {"token": token_of(event, key)})
        assert answer.status_code == 303, answer.content
        assert settings.CREW_COOKIE_NAME in browser.cookies
        return browser

    return opened


def at(clock: time_machine.Traveller, moment: datetime) -> None:
    clock.move_to(moment, tick=False)
