"""Crew never see money: two worlds that differ only in it look alike to the byte, and no amount is anywhere.

Tests may know finance; the crew side cannot import it (import contract).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db.models import QuerySet
from django.test import Client

from bookings.finance.services import record_amounts
from bookings.models import Booking
from crew import services
from crew.models import CrewEvent
from crew.services.letters import facts
from crew.sync import item_of
from jada.audit.actors import SYSTEM
from jada.mail.models import Message
from jada.outbox.models import Effect
from tests.factories.crew import (
    DURING,
    a_crew_event,
    accepted,
    assignment_of,
    captain,
    crewed_vessel,
    day_checklist,
    event_of,
    mate,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

Enter = Callable[..., Client]
AMOUNTS = {"gross": Decimal("84077.31"), "fees": Decimal("1713.47"), "payout": Decimal("82363.84")}
SPELLED = re.compile(r"\$|84[,.]?077|1[,.]?713\.?47|82[,.]?363|(?i:gross|payout|platform.fee|captain.fee)")
CSRF = re.compile(rb'(?<=name="csrfmiddlewaretoken" value=")\w+')


@pytest.fixture
def event() -> CrewEvent:
    captain("ines")
    mate("juno")
    day_checklist()
    return a_crew_event(vessel=crewed_vessel(name="Queen of the Bay"), private_note="Gross 84,077.31 to be split")


def surfaces(event: CrewEvent, browser: Client) -> dict[str, bytes]:
    """What crew and the systems outside can see of the trip."""
    seen = {
        path: CSRF.sub(b"", browser.get(path).content)
        for path in (f"/crew/event/{event.public_id}", "/crew/", "/crew/declined", "/crew/link/asked")
    }
    seen["item"] = repr(item_of(services.event_view(event_of(event.booking)))).encode()
    seen["letter"] = repr(facts(assignment_of(event, "juno"))).encode()
    seen["labour"] = repr(services.labour(event.booking)).encode()
    return seen


def record(event: CrewEvent) -> None:
    record_amounts(booking_id=event.booking_id, by=SYSTEM, at=DURING, **AMOUNTS)


def test_recording_money_changes_no_byte_and_owes_nothing(event: CrewEvent, enter: Enter) -> None:
    accepted(event, "juno")
    browser = enter(event, "juno")
    before = surfaces(event, browser)
    owed = Effect.objects.filter(topic="crew.event").count(), Message.objects.filter(kind__startswith="crew.").count()

    record(event)

    assert surfaces(event, browser) == before
    after = Effect.objects.filter(topic="crew.event").count(), Message.objects.filter(kind__startswith="crew.").count()
    assert after == owed


def test_no_amount_is_anywhere(event: CrewEvent, enter: Enter) -> None:
    record(event)
    accepted(event, "juno")

    for name, content in surfaces(event, enter(event, "juno")).items():
        assert not SPELLED.search(content.decode()), name
    for message in Message.objects.filter(kind__startswith="crew."):
        assert not SPELLED.search(repr(message.values))


def test_an_amount_that_reached_the_public_note_stays_off_the_page(enter: Enter) -> None:
    mate("juno")
    event = a_crew_event()
    QuerySet(Booking).update(public_note="Captain gets $150, gross 84077.31", occasion="$500 birthday")

    for name, content in surfaces(event, enter(event, "juno")).items():
        assert not SPELLED.search(content.decode()), name
