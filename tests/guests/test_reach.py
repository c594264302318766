"""A guest whom mail does not reach: the trip's history and the list of pages say so, a new address ends it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jada.audit.models import Event
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress, Message
from jada.mail.signals import mail_bounced
from tests.factories.bookings import NOW, a_booking

pytestmark = pytest.mark.django_db
DANA = "dana@example.com"


def bounced(address: str, at: object = NOW) -> list[Event]:
    mail_bounced.send(sender=Message, recipient="", address=address, kind=Trouble.BOUNCED, about="", at=at)
    return list(Event.objects.filter(act="guests.guest.not-reached"))


def test_the_trip_s_history_says_so_without_the_address() -> None:
    booking = a_booking(guest_email="Dana@Example.com")

    [row] = bounced(DANA)

    assert (row.subject, row.detail) == (booking.subject, {"why": "mail to it bounces"})


def test_a_trip_that_is_over_is_left_alone() -> None:
    booking = a_booking(guest_email=DANA)

    assert bounced(DANA, at=booking.ends_at) == []


@pytest.mark.parametrize(
    ("email", "words"),
    [(DANA, "Mail to it bounces"), ("dana@new.example", "Reached by mail"), ("", "No address")],
)
def test_the_list_of_pages_shows_whether_mail_reaches_the_guest(
    email: str, words: str, ops: User, client: Client
) -> None:
    a_booking(guest_email=email)
    BlockedAddress.objects.create(address=DANA, trouble=Trouble.BOUNCED, since=NOW)
    client.force_login(ops)

    html = client.get("/admin/guests/guestpage/").content.decode()

    assert html.count(words) == 1
