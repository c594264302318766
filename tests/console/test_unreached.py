"""Today counts whom mail does not reach, and the number leads to exactly them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from bookings.services import cancel_booking
from jada.audit.actors import SYSTEM
from jada.console.unreached import unreached
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress
from tests.factories.bookings import NOW, START, a_booking
from tests.factories.crew import captain, crewed_vessel

pytestmark = pytest.mark.django_db


@pytest.fixture
def trip() -> object:
    """Ines is the captain and Dana the guest; mail reaches neither any more."""
    captain("ines", email="Ines@crew.example")
    vessel = crewed_vessel(captains=1, mates=0, hosts_over_12=0)
    booking = a_booking(vessel=vessel, guest_email="Dana@example.com")
    for address, trouble in (("ines@crew.example", Trouble.BOUNCED), ("dana@example.com", Trouble.REPORTED)):
        BlockedAddress.objects.create(address=address, trouble=trouble, since=NOW)
    return booking


def test_the_crew_and_the_guest_of_a_coming_trip(trip: object) -> None:
    assert [(one.booking, one.who, one.why) for one in unreached(NOW)] == [
        (trip, "Dana Whit, the guest", "Its owner reported our mail as unwanted"),
        (trip, "Ines Calloway as captain", "Mail to it bounces"),
    ]


def test_nobody_once_the_trip_is_over(trip: object) -> None:
    assert unreached(START + timedelta(days=1)) == []


def test_nobody_of_a_trip_that_is_cancelled(trip: object) -> None:
    cancel_booking(booking=trip, reason="weather", by=SYSTEM, at=NOW)  # type: ignore[arg-type]

    assert unreached(NOW) == []


def test_nobody_whose_block_was_lifted(trip: object) -> None:
    BlockedAddress.objects.update(lifted_at=NOW, lifted_by="ops")

    assert unreached(NOW) == []


def test_while_every_address_takes_mail_it_costs_one_query(django_assert_num_queries: object) -> None:
    a_booking(guest_email="dana@example.com")

    with django_assert_num_queries(1):  # type: ignore[operator]
        unreached(NOW)


def test_the_number_of_today_leads_to_them(trip: object, ops: User, client: Client) -> None:
    with time_machine.travel(NOW, tick=False):
        client.force_login(ops)
        today = client.get("/admin/").content.decode()
        page = client.get("/admin/attention/unreached/").content.decode()

    assert "people whom mail does not reach" in today
    assert 'href="/admin/attention/unreached/"' in today
    assert page.count("Ines Calloway as captain") == page.count("Dana Whit, the guest") == 1
