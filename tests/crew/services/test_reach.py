"""Whom mail does not reach: the call passes over them, the history of their trips says so, a new address ends it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from crew import services
from crew.models import CrewMember
from jada.audit.actors import SYSTEM
from jada.audit.models import Event as History
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress, Message
from jada.mail.signals import mail_bounced
from tests.factories.bookings import NOW, a_booking
from tests.factories.crew import DURING, a_crew_event, captain, crew_of, crewed_vessel, mate

pytestmark = pytest.mark.django_db
INES = "ines@crew.example"


def block(address: str = INES, trouble: Trouble = Trouble.BOUNCED) -> None:
    BlockedAddress.objects.create(address=address, trouble=trouble, since=NOW)


def not_reached() -> list[History]:
    return list(History.objects.filter(act="crew.member.not-reached"))


def test_the_call_passes_over_who_is_not_reached() -> None:
    captain("ines", email="Ines@Crew.example")
    captain("omar")
    block()

    event = a_crew_event()

    assert crew_of(event) == {"omar": "invited"}
    [skipped] = [row.detail["skipped"] for row in History.objects.filter(detail__has_key="skipped")]
    assert skipped == ["ines skipped: mail does not reach them"]


def test_a_new_address_is_called_again() -> None:
    member = captain("ines")
    block()
    member.email = "ines@new.example"
    member.save()

    assert crew_of(a_crew_event()) == {"ines": "invited"}


def test_two_of_one_address_are_both_passed_over() -> None:
    captain("ines")
    mate("juno", email=INES)
    block()

    assert crew_of(a_crew_event()) == {}


def test_nobody_is_taken_off_a_trip_because_an_address_fails() -> None:
    captain("ines")
    event = a_crew_event()

    services.note_unreachable(address=INES, trouble=Trouble.BOUNCED, by=SYSTEM, at=DURING)

    assert crew_of(event) == {"ines": "invited"}


def test_every_trip_ahead_says_whom_to_telephone_and_no_address() -> None:
    captain("ines")
    vessel = crewed_vessel(captains=1, mates=0, hosts_over_12=0)
    booking = a_booking(vessel=vessel)

    mail_bounced.send(
        sender=Message, recipient="", address="ines@crew.example", kind=Trouble.BOUNCED, about="", at=DURING
    )

    [row] = not_reached()
    assert row.subject == booking.subject
    assert row.detail == {"member": "Ines Calloway", "why": "mail to it bounces"}


def test_a_trip_that_is_over_and_a_stranger_s_address_say_nothing() -> None:
    captain("ines")
    booking = a_booking(vessel=crewed_vessel(captains=1, mates=0, hosts_over_12=0))

    for address, at in (("stranger@example.com", DURING), (INES, booking.ends_at)):
        mail_bounced.send(sender=Message, recipient="", address=address, kind=Trouble.BOUNCED, about="", at=at)

    assert not_reached() == []


def test_the_roster_shows_who_is_not_reached(ops: User, client: Client) -> None:
    captain("ines")
    captain("omar")
    block(trouble=Trouble.REPORTED)
    client.force_login(ops)

    html = client.get("/admin/crew/crewmember/").content.decode()

    assert html.count("Its owner reported our mail as unwanted") == 1
    assert html.count("Reached by mail") == CrewMember.objects.count() - 1


def test_the_roster_asks_no_query_a_row(ops: User, client: Client, django_assert_max_num_queries: object) -> None:
    client.force_login(ops)
    for number in range(12):
        captain(f"captain-{number}")
    block("captain-3@crew.example")

    with django_assert_max_num_queries(25):  # type: ignore[operator]
        client.get("/admin/crew/crewmember/")


def test_a_member_s_page_says_it_too(ops: User, client: Client) -> None:
    member = captain("ines")
    block()
    client.force_login(ops)

    html = client.get(f"/admin/crew/crewmember/{member.pk}/change/").content.decode()

    assert "Mail to it bounces" in html
