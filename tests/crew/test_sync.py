"""The crew event in the table outside, and the crew's letters as they are sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from bookings.services import cancel_booking
from crew import services
from crew.models import CrewEvent, CrewLinkGrant, CrewMember
from crew.sync import CrewEventItem, item_of
from jada.audit.actors import SYSTEM
from jada.aws import table
from jada.failures import Outcome
from jada.mail.models import Message
from jada.outbox import registry
from jada.outbox.enums import State
from jada.outbox.host import drain
from jada.outbox.models import Effect
from tests.factories.bookings import START
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
    token_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def event() -> CrewEvent:
    captain("ines", name="Inés Calloway")
    mate("juno", name="Juno Park")
    day_checklist()
    return a_crew_event(
        vessel=crewed_vessel(name="Queen of the Bay"), guest_name="Dana Whitlock", guest_email="dana@guests.example",
        guest_phone="+1 619 555 0117", private_note="Gross 840.75, paid by card", occasion="Birthday",
    )  # fmt: skip


class TestTheItem:
    def test_is_exactly_this(self, event: CrewEvent) -> None:
        accepted(event, "ines")

        assert item_of(services.event_view(event_of(event.booking))) == {
            "event_id": event.public_id,
            "status": "open",
            "vessel": "Queen of the Bay",
            "date": "2027-05-30",
            "call_time": "12:00 PM",
            "call_at": "2027-05-30T12:00:00-07:00",
            "starts_at": "2027-05-30T13:00:00-07:00",
            "ends_at": "2027-05-30T16:00:00-07:00",
            "time_zone": "America/Los_Angeles",
            "guest": "Dana",
            "party_size": 3,
            "dock": "Harbor Island Marina, dock B",
            "public_note": "",
            "occasion": "Birthday",
            "payment_state": "tentative",
            "banner": "Do not depart until the deposit is confirmed.",
            "ready": False,
            "crew": [
                {"role": "captain", "name": "Inés Calloway", "state": "accepted"},
                {"role": "first_mate", "name": "Juno Park", "state": "invited"},
            ],
            "checklist_done": 0,
            "checklist_total": 5,
        }

    @pytest.mark.usefixtures("stack")
    def test_is_written_read_back_and_left_alone_when_it_is_right(self, event: CrewEvent) -> None:
        item, view = CrewEventItem(), services.event_view(event_of(event.booking))

        assert item.write(event.public_id, view, 1) is Outcome.WRITTEN
        seen = item.read_back(event.public_id)

        assert seen is not None
        assert (seen.version, seen.digest, seen.fields) == (1, registry.digest(view), {"status": "open"})

    @pytest.mark.usefixtures("stack")
    def test_edited_by_hand_is_seen(self, event: CrewEvent) -> None:
        item, view = CrewEventItem(), services.event_view(event_of(event.booking))
        table.put_event(item_of(view) | {"public_note": "gross 840.75"}, version=1, digest=registry.digest(view))

        seen = item.read_back(event.public_id)

        assert seen is not None
        assert seen.digest != registry.digest(view)

    @pytest.mark.usefixtures("stack")
    def test_of_an_event_that_is_gone_becomes_a_tombstone(self) -> None:
        item = CrewEventItem()
        assert item.view("GONE") is None

        assert item.write("GONE", None, 3) is Outcome.WRITTEN

        seen = item.read_back("GONE")
        assert seen is not None
        assert (seen.version, seen.digest) == (3, registry.digest(None))

    @pytest.mark.usefixtures("stack")
    def test_that_never_was_is_nothing(self) -> None:
        assert CrewEventItem().read_back("NEVER") is None

    def test_follows_every_act(self, event: CrewEvent) -> None:
        rows = Effect.objects.filter(topic="crew.event", key=event.public_id, state=State.PENDING)
        first = rows.get().pk

        accepted(event, "ines")

        assert rows.get().pk > first


class TestTheLetters:
    @pytest.fixture(autouse=True)
    def only_mail(self, settings: Any) -> None:
        settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
        settings.MAILBOX_DIR = ""

    def deliver(self) -> dict[str, Any]:
        """{address: mail} of what leaves now; the projections are not what is looked at here."""
        others = Effect.objects.exclude(topic="mail.message", key__in=_crew_mails()).filter(state=State.PENDING)
        others.update(state=State.SUPERSEDED)
        mail.outbox.clear()
        drain()
        assert not Effect.objects.filter(topic="mail.message", state__in=(State.DEAD, State.IN_DOUBT)).exists()
        return {m.to[0]: m for m in mail.outbox}

    def test_invite_with_the_facts_and_a_link(self, event: CrewEvent) -> None:
        sent = self.deliver()

        letter = sent["Juno Park <juno@crew.example>"]
        html = letter.alternatives[0][0]
        link = f"https://sailjada.com/crew/event/{event.public_id}/confirm?token={token_of(event, 'juno')}"
        assert letter.subject == "Can you crew Queen of the Bay, Sun 30 May, call time 12:00 PM?"
        assert link in letter.body
        assert link in html
        for fact in (
            "12:00 PM",
            "Sunday 30 May 2027",
            "Harbor Island Marina, dock B",
            "Dana and 2 others",
            "First mate",
        ):
            assert fact in letter.body
            assert fact in html

    def test_keep_no_link_in_what_the_console_shows(self, event: CrewEvent) -> None:
        self.deliver()

        kept = Message.objects.get(recipient=CrewMember.objects.get(key="juno").recipient)
        assert "token=" not in kept.text + kept.html + str(kept.values)
        assert "[personal link]" in kept.text

    def test_name_nobody_elses_contact_and_no_amount(self, event: CrewEvent) -> None:
        for letter in self.deliver().values():
            text = letter.body + letter.alternatives[0][0]
            assert "Whitlock" not in text
            assert "guests.example" not in text
            assert "555 0117" not in text
            assert "840.75" not in text
            assert "$" not in text

    def test_tell_a_change_with_what_it_was(self, event: CrewEvent) -> None:
        from tests.crew.services.test_events import move

        self.deliver()
        move(event, timedelta(hours=1))

        letter = self.deliver()["Juno Park <juno@crew.example>"]
        assert letter.subject == "Changed: Queen of the Bay, Sun 30 May, call time now 1:00 PM"
        assert "- Call time: 1:00 PM (was 12:00 PM)" in letter.body

    def test_tell_a_cancellation_without_a_link(self, event: CrewEvent) -> None:
        self.deliver()
        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)

        letter = self.deliver()["Juno Park <juno@crew.example>"]
        assert letter.subject.startswith("Cancelled: Queen of the Bay")
        assert "token=" not in letter.body
        assert "You need not come." in letter.body

    def test_tell_somebody_who_is_let_go_that_the_trip_sails(self, event: CrewEvent) -> None:
        self.deliver()
        services.withdraw_member(assignment=assignment_of(event, "juno"), by=SYSTEM, at=DURING)

        letter = self.deliver()["Juno Park <juno@crew.example>"]
        assert letter.subject.startswith("You are not needed: Queen of the Bay")

    def test_send_a_new_link(self, event: CrewEvent) -> None:
        self.deliver()
        services.send_link(assignment=assignment_of(event, "juno"), by=SYSTEM, at=DURING)

        letter = self.deliver()["Juno Park <juno@crew.example>"]
        assert letter.subject.startswith("Your new link: Queen of the Bay")
        assert token_of(event, "juno") in letter.body

    @pytest.mark.parametrize(
        ("how", "reason"),
        [
            ("left", "Not on the active roster any more."),
            ("revoked", "Its link was revoked."),
            ("declined", "Not on this trip any more."),
            ("over", "The trip is over."),
            ("cancelled", "The trip is cancelled."),
        ],
    )
    def test_are_looked_at_once_more_before_they_leave(
        self, event: CrewEvent, clock: time_machine.Traveller, how: str, reason: str
    ) -> None:
        match how:
            case "left":
                CrewMember.objects.update(active=False)
            case "revoked":
                CrewLinkGrant.objects.update(revoked_at=DURING, revoked_by="ops")
            case "declined":
                event.assignments.update(status="declined")
            case "over":
                clock.move_to(START + timedelta(hours=4), tick=False)
            case "cancelled":
                CrewEvent.objects.update(status="cancelled", cancelled_at=DURING, cancelled_by="ops")

        assert self.deliver() == {}
        assert set(Effect.objects.filter(key__in=_crew_mails()).values_list("last_error", flat=True)) == {reason}

    def test_of_a_cancellation_are_withdrawn_when_the_member_is_called_again(self, event: CrewEvent) -> None:
        self.deliver()
        services.withdraw_member(assignment=assignment_of(event, "juno"), by=SYSTEM, at=DURING, call_next=False)
        services.assign_member(event=event, member=CrewMember.objects.get(key="juno"), by=SYSTEM, at=DURING)

        assert [m.subject[:8] for m in self.deliver().values()] == ["Can you "]


def _crew_mails() -> list[str]:
    return [str(pk) for pk in Message.objects.filter(kind__startswith="crew.").values_list("pk", flat=True)]
