"""Today counts the copies that differ and wait for a person, and the number leads to exactly them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client

from bookings.models import Booking
from guests.models import GuestPage
from jada.console.astray import astray
from jada.console.roles import make_roles
from jada.outbox.models import Mirror
from tests.factories.bookings import NOW, a_booking

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
TEXT = {"store": "bucket", "object": "g/x.html", "field": "text", "old": "4:30 PM", "new": "3:30 PM", "cure": "write"}
STRAY = {
    "store": "bucket",
    "object": "g/old.html",
    "field": "object",
    "old": "there",
    "new": "missing",
    "cure": "person",
}


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def booking() -> Booking:
    return a_booking()


def read_back(topic: str, key: str, *found: dict[str, Any], **facts: Any) -> None:
    usual = {"applied_version": 1, "applied_at": NOW - 2 * HOUR, "checked_at": NOW - HOUR}
    Mirror.objects.create(topic=topic, key=key, differences=list(found), **usual | facts)


def test_a_page_that_says_something_else(booking: Booking) -> None:
    read_back("guests.page", GuestPage.objects.get().code, TEXT, TEXT | {"field": "body"})

    [one] = astray()

    assert (one.booking, one.what) == (booking, "Guest page")
    assert one.said == "bucket, text: 4:30 PM instead of 3:30 PM, and 1 more"
    assert one.url == f"/admin/bookings/booking/{booking.pk}/change/#ledger"


def test_an_event_and_a_friendly_name_lead_to_their_trip(booking: Booking) -> None:
    read_back("crew.event", booking.public_id, TEXT)
    read_back("guests.slug", GuestPage.objects.get().slug, TEXT)

    assert [one.booking for one in astray()] == [booking, booking]


def test_a_page_that_is_none_of_ours(booking: Booking) -> None:
    read_back("guests.strays", "g/", STRAY, applied_at=None)

    [one] = astray()

    assert (one.booking, one.what) == (None, "A page that is none of ours")
    assert one.said == "bucket, g/old.html: there instead of missing"


def test_one_that_was_set_right_once_and_differs_again(booking: Booking) -> None:
    read_back("crew.event", booking.public_id, TEXT | {"healed": True})

    assert len(astray()) == 1


@pytest.mark.parametrize(
    ("topic", "found", "facts"),
    [
        ("crew.event", TEXT, {"applied_at": NOW}),
        ("calendar", TEXT | {"healed": True}, {"applied_at": None}),
        ("mail", TEXT, {"applied_at": None}),
    ],
    ids=["written since", "our own row, healed", "an old time, counted by itself"],
)
def test_not_what_is_right_by_now(booking: Booking, topic: str, found: dict[str, Any], facts: dict[str, Any]) -> None:
    read_back(topic, booking.public_id, found, **facts)

    assert astray() == []


def test_not_a_copy_that_is_in_step(booking: Booking) -> None:
    read_back("crew.event", booking.public_id)

    assert astray() == []


def test_today_leads_to_exactly_those_it_counts(client: Client, ops: User, booking: Booking) -> None:
    read_back("crew.event", booking.public_id, TEXT)
    read_back("guests.strays", "g/", STRAY, applied_at=None)
    client.force_login(ops)

    today = client.get("/admin/").content.decode()
    listed = client.get("/admin/copies/").content.decode()

    assert "<b>2</b><span>copies differ outside</span>" in today
    assert "4:30 PM instead of 3:30 PM" in listed
    assert "g/old.html: there instead of missing" in listed


def test_it_is_for_those_who_see_deliveries(client: Client) -> None:
    make_roles()
    user = User.objects.create_user("nobody", is_staff=True)
    client.force_login(user)
    assert client.get("/admin/copies/").status_code == 403

    user.groups.add(Group.objects.get(name="Read-only"))

    assert "Every copy says what the database says" in client.get("/admin/copies/").content.decode()
