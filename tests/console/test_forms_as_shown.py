"""A form is sent back with exactly what its page shows, as a browser does: nothing that is not shown may be required."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from bookings.models import Booking
from tests.factories.bookings import NOW, START, a_booking

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def console(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


def sent_back(console: Client, url: str, **typed: object) -> Any:
    """Post what the page at `url` shows, with `typed` in its place."""
    shown = console.get(url).context["adminform"]
    fields = [field.field for fieldset in shown for line in fieldset for field in line if not field.is_readonly]
    kept = {bound.html_name: bound.value() for bound in fields}
    as_sent = {name: "" if value in (None, False) else value for name, value in kept.items()}
    return console.post(url, as_sent | typed)


def test_moves_a_trip(console: Client) -> None:
    booking = a_booking()
    url = reverse("admin:bookings_booking_change", args=[booking.pk])

    answer = sent_back(console, url, starts_at="2027-05-30T14:00", ends_at="2027-05-30T17:00")

    assert answer.status_code == 302, answer.context["errors"]
    assert Booking.objects.get().starts_at == START + HOUR


def test_saves_a_trip_as_it_is(console: Client) -> None:
    booking = a_booking()

    answer = sent_back(console, reverse("admin:bookings_booking_change", args=[booking.pk]))

    assert answer.status_code == 302, answer.context["errors"]
    assert Booking.objects.get().revision == booking.revision
