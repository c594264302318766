"""What became of mails, in a browser: no finding at either size in either scheme; a block is lifted by a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from bookings.models import Booking
from jada.mail import inbox
from jada.mail.enums import EventKind
from jada.mail.events import Told
from jada.mail.models import BlockedAddress, MailEvent, Message
from tests.factories.bookings import a_booking
from tests.factories.crew import captain, crewed_vessel

LONG = "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking it."


@pytest.fixture
def manager(transactional_db: None) -> User:
    return User.objects.create_superuser("ana", "ana@sailjada.com", "correct horse battery")


@pytest.fixture
def message(transactional_db: None) -> Message:
    """The captain's invitation was delivered late and then bounced; something that nobody understands came too."""
    now = timezone.now()
    captain("ines", email="ines.calloway-of-the-harbor@crew.example")
    vessel = crewed_vessel(captains=1, mates=0, hosts_over_12=0)
    trip: Booking = a_booking(vessel=vessel, at=now, starts_at=now + timedelta(days=2), guest_email="dana@example.com")
    invitation = Message.objects.get(subject_of=trip.subject, kind="crew.invitation")
    Message.objects.filter(pk=invitation.pk).update(
        subject="You are invited", text="Hello Ines", sent_at=now, sent_to="ines.calloway-of-the-harbor@crew.example"
    )
    said = {
        EventKind.SEND: {},
        EventKind.DELAY: {"detail": {"delayType": "MailboxFull"}},
        EventKind.BOUNCE: {"permanent": True, "detail": {"bounceType": "Permanent", "diagnosticCode": LONG}},
    }
    told = [
        Told(
            identity=kind.name, kind=kind, provider_id="0101018f4b2c7d11-4d5e6f70-8a9b-4c0d-9e1f-2a3b4c5d6e7f-000000",
            recipient="ines.calloway-of-the-harbor@crew.example", effect_no=invitation.effect_id, claim_no=1,
            occurred_at=now, accepted_at=now, **more,
        )
        for kind, more in said.items()
    ]  # fmt: skip
    problem = "It came from another topic than ours: only our topic may send to this queue."
    inbox.keep(told=[*told, Told(identity="x", problem=problem)], at=now)
    for event in MailEvent.objects.waiting():
        inbox.apply(event_id=event.pk, at=now)
    return invitation


def test_no_page_of_it_has_a_finding_or_runs_over_its_width(
    page: Any, violations: Any, sign_in: Any, manager: User, message: Message
) -> None:
    sign_in(page, manager)

    for address in (
        "/admin/mail/message/",
        f"/admin/mail/message/{message.pk}/change/",
        "/admin/mail/mailevent/",
        f"/admin/mail/mailevent/{MailEvent.objects.get(kind='Bounce').pk}/change/",
        f"/admin/mail/mailevent/{MailEvent.objects.refused().get().pk}/change/",
        "/admin/mail/blockedaddress/",
        f"/admin/mail/blockedaddress/{BlockedAddress.objects.get().pk}/change/",
        "/admin/attention/unreached/",
        "/admin/crew/crewmember/",
        "/admin/guests/guestpage/",
    ):
        assert page.goto(address).status == 200, address
        assert violations(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_a_block_is_lifted_by_a_person(desk: Any, sign_in: Any, manager: User, message: Message) -> None:
    sign_in(desk, manager)
    desk.goto("/admin/mail/blockedaddress/")

    desk.locator("tbody input[type=checkbox]").check()
    desk.locator("select[name=action]").select_option(label="Mail it again")
    desk.get_by_role("button", name="Go").click()

    desk.get_by_text("Free to get mail again: 1.").wait_for()
    assert not BlockedAddress.objects.standing().exists()
