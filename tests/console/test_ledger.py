"""The ledger of a trip: a row for each copy and each person's last mail, and a light that says where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client

from bookings.models import Booking, CalendarEntry
from guests import codes
from guests.models import GuestPage
from jada.audit.models import Event
from jada.console import holders
from jada.console.ledger import Light, Row, ledger_of
from jada.mail.models import Message
from jada.outbox.enums import State
from jada.outbox.models import Effect, Mirror
from tests.factories.bookings import NOW, a_booking
from tests.factories.crew import captain, crewed_vessel, mate

HOUR = timedelta(hours=1)
CODE = "XHQGMDH"


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def console(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


@pytest.fixture
def booking(db: None) -> Booking:
    captain()
    mate()
    return a_booking(
        vessel=crewed_vessel(name="Halcyon"), guest_email="dana@guest.example", given_code=CODE, guest_name="Dana Whit"
    )


def in_place(booking: Booking) -> None:
    """Everything was written and seen; every mail arrived."""
    Effect.objects.about(booking.subject).update(state=State.DONE)
    Message.objects.about(booking.subject).update(sent_at=NOW)
    slug = GuestPage.objects.get().slug
    for topic, key in (("crew.event", booking.public_id), ("guests.page", CODE), ("guests.slug", slug)):
        Mirror.objects.update_or_create(
            topic=topic, key=key,
            defaults={"version": 3, "applied_version": 3, "applied_at": NOW - HOUR, "seen_version": 3, "seen_at": NOW},
        )  # fmt: skip


def rows(booking: Booking, *, money: bool = True) -> dict[str, Row]:
    booking = Booking.objects.select_related("vessel__berth").get(pk=booking.pk)
    found = ledger_of(booking, holders.holders_of(booking, at=NOW), at=NOW, money=money)
    return {row.what: row for row in found}


def differ(topic: str, *found: dict[str, str], at: object = NOW) -> None:
    Mirror.objects.filter(topic=topic).update(differences=list(found), checked_at=at)


def found(store: str, place: str, field: str, old: str = "4:30 PM", new: str = "3:30 PM") -> dict[str, str]:
    return {"store": store, "object": place, "field": field, "old": old, "new": new, "cure": "write"}


@pytest.mark.django_db
class TestTheRows:
    def test_each_copy_and_each_persons_last_mail_is_one(self, frozen: None, booking: Booking) -> None:
        in_place(booking)

        assert list(rows(booking)) == [
            "Calendar entry",
            "Crew event in the table",
            "Guest page in the bucket",
            "Calendar file of the guest",
            "Guest page as it is served",
            "Friendly name 2027-05-30-dana-afternoon",
            "Mail to the office: booked",
            "Mail to the guest: booked",
            "Mail to Juno Park: invitation",
            "Mail to Ines Calloway: invitation",
        ]
        assert {row.light for row in rows(booking).values()} == {Light.IN_STEP}

    def test_what_is_owed_is_on_its_way(self, frozen: None, booking: Booking) -> None:
        lights = {what: row.light for what, row in rows(booking).items()}

        assert lights.pop("Calendar entry") == Light.IN_STEP  # a row of our own
        assert set(lights.values()) == {Light.ON_ITS_WAY}

    def test_what_was_written_says_its_version_and_ages(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        Mirror.objects.filter(topic="crew.event").update(checked_at=NOW - 2 * HOUR)

        facts = rows(booking)["Crew event in the table"].facts

        assert facts == ["version 3", "written 1\xa0hour ago", "read back 2\xa0hours ago"]

    def test_a_stuck_copy_says_why_and_can_be_tried_again(self, frozen: None, booking: Booking) -> None:
        effect = Effect.objects.get(topic="crew.event")
        Effect.objects.filter(pk=effect.pk).update(state=State.DEAD, attempts=3, last_error="The table refused it.")

        row = rows(booking)["Crew event in the table"]

        assert (row.light, row.error, row.effect) == (Light.STUCK, "The table refused it.", effect.pk)
        assert "3 tries" in row.facts

    def test_what_was_never_written_differs(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        Mirror.objects.filter(topic="guests.page").delete()

        assert rows(booking)["Guest page in the bucket"].light == Light.DIFFERS
        assert "never written" in rows(booking)["Guest page in the bucket"].facts


@pytest.mark.django_db
class TestWhatDiffers:
    def test_is_said_at_the_copy_it_was_found_in(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        differ("guests.page", found("edge", f"/g/{CODE}", "text"))

        lights = {what: row.light for what, row in rows(booking).items()}

        assert rows(booking)["Guest page as it is served"].said == [(f"/g/{CODE}, text", "4:30 PM", "3:30 PM")]
        assert lights["Guest page in the bucket"] == Light.IN_STEP
        assert lights["Calendar file of the guest"] == Light.IN_STEP

    def test_page_and_calendar_file_are_told_apart(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        differ("guests.page", found("bucket", codes.ics_key(CODE), "dtstart"))

        assert rows(booking)["Calendar file of the guest"].light == Light.DIFFERS
        assert rows(booking)["Guest page in the bucket"].light == Light.IN_STEP

    def test_says_nothing_of_a_copy_that_was_written_since(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        differ("crew.event", found("table", "x", "starts_at"), at=NOW - 2 * HOUR)

        assert rows(booking)["Crew event in the table"].light == Light.IN_STEP

    def test_a_calendar_row_of_another_hour_is_seen_without_a_reading(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        CalendarEntry.objects.filter(booking=booking).update(starts_at=booking.starts_at + HOUR)

        row = rows(booking)["Calendar entry"]

        assert row.light == Light.DIFFERS
        assert "calendar, starts_at" in [what for what, _, _ in row.said]

    def test_a_mail_that_tells_another_time(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        Message.objects.filter(kind="guest.booked").update(
            values=Message.objects.get(kind="guest.booked").values | {"time": "4:30 PM"}
        )

        row = rows(booking)["Mail to the guest: booked"]

        assert row.light == Light.DIFFERS
        assert row.said == [("Departs", "4:30 PM", "1:00 PM")]


@pytest.mark.django_db
class TestMoney:
    def test_the_managers_mail_is_no_link_for_who_may_not_read_it(self, frozen: None, booking: Booking) -> None:
        in_place(booking)
        [office] = [what for what in rows(booking) if "office" in what]

        assert rows(booking, money=True)[office].url
        assert rows(booking, money=False)[office].url == ""

    def test_no_mail_is_a_link_for_who_may_read_none(self, frozen: None, booking: Booking) -> None:
        in_place(booking)

        found = ledger_of(booking, [], at=NOW, money=True, mails=False)

        assert {row.url for row in found if row.what.startswith("Mail")} == {""}


@pytest.mark.django_db
class TestThePage:
    def section(self, client: Client, booking: Booking) -> str:
        html = client.get(f"/admin/bookings/booking/{booking.pk}/change/").content.decode()
        return html[html.index('id="ledger"') : html.index("</section>", html.index('id="ledger"'))]

    def test_shows_light_difference_and_button(self, frozen: None, console: Client, booking: Booking) -> None:
        in_place(booking)
        differ("crew.event", found("table", "x", "starts_at", "16:30", "15:30"))

        html = self.section(console, booking)

        assert "<del>16:30</del>" in html
        assert "<ins>15:30</ins>" in html
        assert "Check and set right" in html

    def test_a_reader_is_offered_no_healing_and_refused_it(
        self, frozen: None, client: Client, booking: Booking
    ) -> None:
        in_place(booking)
        differ("crew.event", found("table", "x", "starts_at"))
        reader = User.objects.create_user("reader", is_staff=True)
        reader.user_permissions.set(Permission.objects.filter(codename__in=("view_booking", "view_effect")))
        client.force_login(reader)

        html = self.section(client, booking)

        assert "set right" not in html
        assert client.post(f"/admin/bookings/booking/{booking.pk}/check/", {"heal": "1"}).status_code == 403


@pytest.mark.django_db(transaction=True)
class TestCheckNow:
    """The button reads in a thread of its own, which sees committed rows only."""

    @pytest.fixture
    def live(self, brand: str, ops: User) -> Booking:
        from jada.outbox import host

        captain()
        made = a_booking(vessel=crewed_vessel(mates=0), given_code=CODE)
        for _ in range(5):
            host.drain()
            Effect.objects.filter(state=State.PENDING).update(run_at=NOW)
        return made

    def test_reads_everything_back_and_says_that_nothing_differs(
        self, live: Booking, client: Client, ops: User
    ) -> None:
        client.force_login(ops)

        answer = client.post(f"/admin/bookings/booking/{live.pk}/check/", follow=True).content.decode()

        assert "Everything was read back, and nothing differs." in answer
        assert Mirror.objects.get(topic="guests.page").checked_at is not None

    def test_finds_what_differs_and_sets_it_right_on_demand(self, live: Booking, client: Client, ops: User) -> None:
        from jada.aws import table

        client.force_login(ops)
        item = table.read_event(live.public_id)
        assert item is not None
        table.put_event(item | {"vessel": "Nautilus"}, version=99, digest="x")

        found = client.post(f"/admin/bookings/booking/{live.pk}/check/", follow=True).content.decode()
        healed = client.post(f"/admin/bookings/booking/{live.pk}/check/", {"heal": "1"}, follow=True).content.decode()

        assert "1 of its copies differs" in found
        assert "Nautilus" in found
        assert "being set right" in healed
        assert Event.objects.filter(act="outbox.copy.set-right", actor_name="ops").exists()

    def test_a_service_that_is_away_is_said(
        self, live: Booking, client: Client, ops: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from jada.aws import clients

        client.force_login(ops)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        clients.reset()

        answer = client.post(f"/admin/bookings/booking/{live.pk}/check/", follow=True).content.decode()

        monkeypatch.undo()
        clients.reset()
        assert "of its copies could not be read" in answer or "answers slowly" in answer
