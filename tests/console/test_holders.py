"""Who still holds the old time: everybody whose newest mail that arrived says something else, and nobody twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bookings.models import Booking
from bookings.services import TripDetails, amend_booking, cancel_booking
from crew.models import CrewMember, CrewSession
from crew.services import accept, issue_link
from jada.audit.actors import SYSTEM, Actor
from jada.console import holders
from jada.console.deliveries import arrived_all
from jada.mail.heard import Heard
from jada.mail.models import BlockedAddress, Message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import NOW, a_booking
from tests.factories.crew import assignment_of, captain, crewed_vessel, event_of, host, mate

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MOVED = NOW + HOUR
LATER = NOW + 2 * HOUR
OPS = Actor("user", "ops")


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def booking() -> Booking:
    """A trip of five people: captain, mate, host, guest and office. All were told, and it arrived."""
    captain()
    mate()
    host()
    made = a_booking(vessel=crewed_vessel(name="Halcyon"), guest_email="dana@guest.example", party_size=14)
    arrived(made)
    return made


def arrived(booking: Booking, *, kinds: tuple[str, ...] = ()) -> None:
    """What is owed to its people leaves, and nothing comes back."""
    mails = Message.objects.about(booking.subject).filter(effect__state=State.PENDING)
    for message in mails.filter(kind__in=kinds) if kinds else mails:
        Effect.objects.filter(pk=message.effect_id).update(state=State.DONE)
        Message.objects.filter(pk=message.pk).update(sent_at=NOW, sent_to="somebody@example.com")


def move(booking: Booking, *, hours: int = 1, tell: bool = False, **changes: Any) -> Booking:
    trip = TripDetails.of(Booking.objects.select_related("vessel").get(pk=booking.pk))
    by = timedelta(hours=hours)
    later = replace(trip, starts_at=trip.starts_at + by, ends_at=trip.ends_at + by, **changes)
    return amend_booking(booking=booking, trip=later, by=SYSTEM, at=MOVED, tell=tell)


def opened_its_page(booking: Booking, key: str) -> None:
    assignment = assignment_of(event_of(booking), key)
    grant = issue_link(assignment=assignment, at=NOW)
    CrewSession.objects.create(
        key_hash=key, grant=grant, member=assignment.member, event=assignment.event, created_at=NOW,
        last_seen_at=MOVED + HOUR / 2,
    )  # fmt: skip


def standing(booking: Booking) -> dict[str, str]:
    return {h.name: str(h.standing) for h in holders.holders_of(fresh(booking), at=LATER)}


def still_open(booking: Booking) -> list[str]:
    return sorted(h.name for h in holders.holders_of(fresh(booking), at=LATER) if h.open)


def fresh(booking: Booking) -> Booking:
    return Booking.objects.select_related("vessel__berth").get(pk=booking.pk)


def mails_of(booking: Booking) -> int:
    return Message.objects.about(booking.subject).count()


class TestWhoHoldsIt:
    def test_nobody_before_a_change(self, booking: Booking) -> None:
        assert set(standing(booking).values()) == {Heard.KNOWS}
        assert len(standing(booking)) == 5

    def test_everybody_after_a_change_that_nobody_was_told(self, booking: Booking) -> None:
        move(booking)

        assert still_open(booking) == ["Dana", "Ines Calloway", "Juno Park", "Noor Haddad", "The office"]

    def test_what_they_hold_is_said_in_the_words_of_their_mail(self, booking: Booking) -> None:
        move(booking)

        found = {h.name: h.differs for h in holders.holders_of(fresh(booking), at=LATER)}

        assert ["Trip", "1:00 PM to 4:00 PM", "2:00 PM to 5:00 PM"] in found["Ines Calloway"]
        assert ["Call time", "12:00 PM", "1:00 PM"] in found["Ines Calloway"]
        assert ["Departs", "1:00 PM", "2:00 PM"] in found["Dana"]
        assert ["Trip", "1:00 PM to 4:00 PM", "2:00 PM to 5:00 PM"] in found["The office"]

    def test_nobody_whose_mail_is_on_its_way(self, booking: Booking) -> None:
        move(booking, tell=True)

        assert set(standing(booking).values()) == {Heard.ON_ITS_WAY}
        assert still_open(booking) == []

    def test_nobody_when_it_was_moved_and_moved_back(self, booking: Booking) -> None:
        move(booking)
        move(booking, hours=-1)

        assert still_open(booking) == []

    def test_whoever_has_a_mail_that_came_back(self, booking: Booking) -> None:
        move(booking, tell=True)
        arrived(booking)
        Message.objects.filter(kind="crew.changed", recipient__startswith="crew:").update(bounced_at=LATER)

        assert still_open(booking) == ["Ines Calloway", "Juno Park", "Noor Haddad"]
        assert {h.trouble for h in holders.holders_of(fresh(booking), at=LATER) if h.open} == {
            "The mail that told it came back."
        }

    def test_not_whoever_opened_the_trips_page_since(self, booking: Booking) -> None:
        move(booking)
        opened_its_page(booking, "ines")

        found = next(h for h in holders.holders_of(fresh(booking), at=LATER) if h.name == "Ines Calloway")

        assert not found.open
        assert found.knows_by.startswith("opened the trip’s page")

    def test_not_whoever_answered_since(self, booking: Booking) -> None:
        move(booking)
        accept(assignment=assignment_of(event_of(booking), "juno"), at=LATER)

        assert "Juno Park" not in still_open(booking)

    def test_a_guest_without_an_address_stands_on_the_telephone_list(self, booking: Booking) -> None:
        silent = a_booking(vessel=crewed_vessel(name="Nautilus"), guest_phone="+1 619 555 0100", channel="direct")
        move(silent)

        [guest] = [h for h in holders.holders_of(fresh(silent), at=LATER) if h.is_guest]

        assert (guest.open, guest.can_be_told, guest.trouble) == (True, False, "No address on file: call.")
        assert guest.differs == [["Departs", "Sun 30 May, 1:00 PM", "changed since"]]

    def test_a_guest_without_an_address_whom_the_channel_moved_knows(self) -> None:
        silent = a_booking(vessel=crewed_vessel())
        trip = TripDetails.of(silent)
        later = replace(trip, starts_at=trip.starts_at + HOUR, ends_at=trip.ends_at + HOUR)
        amend_booking(booking=silent, trip=later, by=Actor.channel("boatsetter"), at=MOVED)

        assert "Dana" not in still_open(silent)

    def test_whoever_was_never_told_that_it_is_cancelled(self, booking: Booking) -> None:
        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=MOVED, tell=False)

        found = {h.name: h.differs for h in holders.holders_of(fresh(booking), at=LATER) if h.open}

        assert sorted(found) == ["Dana", "Ines Calloway", "Juno Park", "Noor Haddad", "The office"]
        assert found["Dana"] == [["Trip", "Sunday, May 30, 1:00 PM", "cancelled"]]

    def test_nobody_of_a_trip_that_is_over(self, booking: Booking) -> None:
        move(booking)

        assert holders.holders_of(fresh(booking), at=booking.ends_at + 2 * HOUR) == []


class TestTellingThem:
    def test_five_people_two_have_seen_it_and_exactly_three_hear_of_it(self, booking: Booking) -> None:
        move(booking)
        opened_its_page(booking, "ines")
        opened_its_page(booking, "juno")
        before = mails_of(booking)

        told = holders.tell_holders(booking=booking, by=OPS, at=LATER)

        assert sorted(told) == ["Dana", "Noor Haddad", "The office"]
        assert mails_of(booking) == before + 3

    def test_pressed_twice_it_tells_nobody_twice(self, booking: Booking) -> None:
        move(booking)
        holders.tell_holders(booking=booking, by=OPS, at=LATER)
        before = mails_of(booking)

        assert holders.tell_holders(booking=booking, by=OPS, at=LATER) == []
        arrived(booking)
        assert holders.tell_holders(booking=booking, by=OPS, at=LATER) == []

        assert mails_of(booking) == before
        assert still_open(booking) == []

    def test_their_mail_says_what_differs_from_the_one_they_hold(self, booking: Booking) -> None:
        move(booking)

        holders.tell_holders(booking=booking, by=OPS, at=LATER)

        mail = Message.objects.filter(kind="crew.changed").order_by("pk").first()
        assert mail is not None
        assert ["Trip", "1:00 PM to 4:00 PM", "2:00 PM to 5:00 PM"] in mail.values["changes"]
        guest = Message.objects.get(kind="guest.changed")
        assert (guest.values["before"], guest.values["time"]) == ("Sunday, May 30, 1:00 PM", "2:00 PM")

    def test_a_mail_that_came_back_may_be_told_anew_and_that_one_again(self, booking: Booking) -> None:
        move(booking, tell=True)
        arrived(booking)
        for _ in range(2):
            Message.objects.filter(kind="guest.changed").update(bounced_at=LATER)
            assert holders.tell_holders(booking=booking, by=OPS, at=LATER) == ["Dana"]
            arrived(booking)

        assert Message.objects.filter(kind="guest.changed").count() == 3
        assert still_open(booking) == []

    def test_a_stuck_mail_is_tried_again_and_no_second_one_is_owed(self, booking: Booking) -> None:
        move(booking, tell=True)
        arrived(booking, kinds=("crew.changed", "ops.changed"))
        stuck = Message.objects.get(kind="guest.changed")
        Effect.objects.filter(pk=stuck.effect_id).update(state=State.DEAD, cause="refused")
        before = mails_of(booking)

        assert holders.tell_holders(booking=booking, by=OPS, at=LATER) == ["Dana"]

        assert mails_of(booking) == before
        assert Effect.objects.get(pk=stuck.effect_id).state == State.PENDING

    def test_a_mail_in_doubt_is_left_to_a_person(self, booking: Booking) -> None:
        move(booking, tell=True)
        arrived(booking, kinds=("crew.changed", "ops.changed"))
        doubt = Message.objects.get(kind="guest.changed")
        Effect.objects.filter(pk=doubt.effect_id).update(state=State.DEAD, cause="in_doubt")

        assert standing(booking)["Dana"] == Heard.IN_DOUBT
        assert holders.tell_holders(booking=booking, by=OPS, at=LATER) == []

    def test_a_mail_in_doubt_that_arrived_is_not_told_again(self, booking: Booking, ops: User) -> None:
        move(booking, tell=True)
        arrived(booking, kinds=("crew.changed", "ops.changed"))
        doubt = Message.objects.get(kind="guest.changed")
        Effect.objects.filter(pk=doubt.effect_id).update(state=State.DEAD, cause="in_doubt", claim_no=1)

        arrived_all(effects=Effect.objects.filter(pk=doubt.effect_id), user=ops, at=LATER)

        assert standing(booking)["Dana"] == Heard.KNOWS
        assert holders.tell_holders(booking=booking, by=OPS, at=LATER) == []

    def test_nobody_is_mailed_at_an_address_whose_mail_comes_back(self, booking: Booking) -> None:
        BlockedAddress.objects.create(address="dana@guest.example", trouble="bounced", since=NOW)
        move(booking)

        assert "Dana" not in holders.tell_holders(booking=booking, by=OPS, at=LATER)
        assert "Dana" in still_open(booking)

    def test_a_cancelled_trip_is_told_as_cancelled(self, booking: Booking) -> None:
        cancel_booking(booking=booking, reason="weather", by=SYSTEM, at=MOVED, tell=False)

        holders.tell_holders(booking=booking, by=OPS, at=LATER)

        kinds = list(Message.objects.filter(created_at=LATER).order_by("kind").values_list("kind", flat=True))
        assert kinds == ["crew.cancelled"] * 3 + ["guest.cancelled", "ops.cancelled"]

    def test_the_telephone_takes_somebody_off_the_list_until_the_next_change(self, booking: Booking) -> None:
        move(booking)

        assert holders.note_told(
            booking=booking, recipient=f"guest:{booking.public_id}", revision=fresh(booking).revision, by=OPS, at=LATER
        )

        assert "Dana" not in still_open(booking)
        trip = TripDetails.of(fresh(booking))
        again = replace(trip, starts_at=trip.starts_at + HOUR, ends_at=trip.ends_at + HOUR)
        amend_booking(booking=booking, trip=again, by=SYSTEM, at=LATER + HOUR, tell=False)
        assert "Dana" in sorted(h.name for h in holders.holders_of(fresh(booking), at=LATER + HOUR) if h.open)


class TestTheCount:
    def test_is_of_people_over_all_trips_ahead(self, booking: Booking) -> None:
        assert holders.open_count(LATER) == 0

        move(booking)

        assert holders.open_count(LATER) == 5
        assert [len(found) for _, found in holders.trips_with_holders(LATER)] == [5]

    def test_costs_as_many_queries_for_many_trips_as_for_one(self, booking: Booking) -> None:
        move(booking)
        with CaptureQueriesContext(connection) as one:
            holders.open_count(LATER)
        for number in range(3):
            vessel = crewed_vessel(name=f"Boat {number}")
            move(a_booking(vessel=vessel, guest_email=f"g{number}@guest.example"))

        with CaptureQueriesContext(connection) as many:
            holders.open_count(LATER)

        assert len(many) == len(one)
        assert len(one) <= 8


class TestToday:
    def test_counts_them_and_lists_exactly_those(self, client: Client, ops: User, booking: Booking) -> None:
        move(booking)
        client.force_login(ops)

        today = client.get("/admin/").content.decode()
        listed = client.get("/admin/attention/old-time/").content.decode()

        assert "<b>5</b><span>people hold an old time</span>" in today
        assert listed.count("#holders") == 5
        assert "Departs 1:00 PM" in listed


class TestTheConsole:
    @pytest.fixture
    def console(self, client: Client, ops: User) -> Client:
        client.force_login(ops)
        return client

    def page(self, console: Client, booking: Booking) -> str:
        return console.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()

    def test_names_who_holds_what_and_the_one_button(self, console: Client, booking: Booking) -> None:
        move(booking)

        html = self.page(console, booking)

        assert "5 people hold an old time" in html
        assert "1:00 PM to 4:00 PM" in html
        assert "Tell them again" in html

    def test_the_button_tells_them(self, console: Client, booking: Booking) -> None:
        move(booking)

        answer = console.post(f"/admin/bookings/booking/{booking.pk}/tell/", follow=True).content.decode()

        assert "On its way to Ines Calloway, Juno Park, Noor Haddad, Dana and The office" in answer
        assert still_open(booking) == []

    def test_says_when_there_is_nobody_to_tell(self, console: Client, booking: Booking) -> None:
        answer = console.post(f"/admin/bookings/booking/{booking.pk}/tell/", follow=True).content.decode()

        assert "Nobody is left to be told by mail" in answer

    def test_somebody_can_be_ticked_off_by_telephone(self, console: Client, booking: Booking) -> None:
        move(booking)
        recipient = CrewMember.objects.get(key="ines").recipient

        self.tell_by_telephone(console, booking, recipient, revision=fresh(booking).revision)

        assert "Ines Calloway" not in still_open(booking)

    def test_a_trip_that_moved_during_the_call_is_not_ticked_off(self, console: Client, booking: Booking) -> None:
        move(booking)
        read = fresh(booking).revision
        move(booking)

        answer = self.tell_by_telephone(console, booking, CrewMember.objects.get(key="ines").recipient, revision=read)

        assert "The trip was changed while you told them" in answer
        assert "Ines Calloway" in still_open(booking)

    @pytest.mark.parametrize("revision", ["", "two", "9" * 40, "²"])
    def test_what_is_no_revision_ticks_nobody_off(self, console: Client, booking: Booking, revision: str) -> None:
        move(booking)

        self.tell_by_telephone(console, booking, CrewMember.objects.get(key="ines").recipient, revision=revision)

        assert "Ines Calloway" in still_open(booking)

    def tell_by_telephone(self, console: Client, booking: Booking, recipient: str, *, revision: object) -> str:
        url = f"/admin/bookings/booking/{booking.pk}/told/"
        return console.post(url, {"recipient": recipient, "revision": revision}, follow=True).content.decode()

    def test_a_reader_sees_them_and_cannot_tell(self, client: Client, booking: Booking) -> None:
        from django.contrib.auth.models import Permission

        move(booking)
        reader = User.objects.create_user("reader", is_staff=True)
        codes = ("view_booking", "view_message", "view_assignment")
        reader.user_permissions.set(Permission.objects.filter(codename__in=codes))
        client.force_login(reader)

        html = self.page(client, booking)

        assert "hold an old time" in html
        assert "Tell them again" not in html
        assert client.post(f"/admin/bookings/booking/{booking.pk}/tell/").status_code == 403

    def test_the_guests_telephone_is_for_those_who_may_see_it(self, client: Client, booking: Booking) -> None:
        from django.contrib.auth.models import Permission

        Booking.objects.get(pk=booking.pk)
        silent = a_booking(vessel=crewed_vessel(name="Nautilus"), guest_phone="+1 619 555 0177", channel="direct")
        move(silent)
        reader = User.objects.create_user("reader", is_staff=True)
        codes = ("view_booking", "view_message", "view_assignment")
        reader.user_permissions.set(Permission.objects.filter(codename__in=codes))
        client.force_login(reader)

        assert "555 0177" not in self.page(client, silent)
