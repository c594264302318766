from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from bookings.intake.enums import MessageState
from bookings.intake.models import IntakeMessage, Listing
from bookings.models import Booking
from jada.audit.models import Event
from jada.console.roles import make_roles
from tests.bookings.intake.samples import edited
from tests.factories.bookings import VesselFactory
from tests.factories.intake import KETCH, arrives, fleet

pytestmark = pytest.mark.django_db

INSTANT = "01_boatsetter_instant.eml"


@pytest.fixture
def desk(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


@pytest.fixture
def coordinator(client: Client) -> Client:
    """On the staff, and may see trips, but neither money nor contacts."""
    user = User.objects.create_user("cora", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_booking"))
    client.force_login(user)
    return client


def page(message: IntakeMessage) -> str:
    return reverse("admin:intake_intakemessage_change", args=[message.pk])


class TestTheInbox:
    def test_it_lists_what_waits_with_its_reason(self, desk: Client) -> None:
        arrives(INSTANT)

        answer = desk.get(reverse("admin:intake_intakemessage_changelist"), {"state__exact": "quarantined"})

        assert "which vessel" in answer.content.decode()

    def test_a_coordinator_sees_nothing_of_it(self, coordinator: Client) -> None:
        message = arrives(INSTANT).message

        answers = [coordinator.get(url) for url in (reverse("admin:intake_intakemessage_changelist"), page(message))]

        assert [answer.status_code for answer in answers] == [403, 403]

    def test_the_list_takes_the_same_queries_however_long_it_is(
        self, desk: Client, django_assert_max_num_queries: object
    ) -> None:
        for number in range(12):
            arrives(f"noise {number}".encode())

        with django_assert_max_num_queries(25):  # type: ignore[operator]  # the fixture's own type is private
            desk.get(reverse("admin:intake_intakemessage_changelist"))


class TestAMessage:
    def test_it_shows_the_text_and_what_was_read_where(self, desk: Client) -> None:
        message = arrives(INSTANT).message

        shown = desk.get(page(message)).content.decode()

        assert "<mark>Booking ID: kqvmztr</mark>" in shown
        assert "It is our anniversary" in shown
        assert "840.75" in shown

    @pytest.mark.parametrize(
        "name", ["21_boatsetter_calendar.ics", "04_boatsetter_cancelled.eml", "19_boatsetter_lookalike.eml"]
    )
    def test_every_kind_of_message_can_be_looked_at(self, desk: Client, name: str) -> None:
        assert desk.get(page(arrives(name).message)).status_code == 200

    def test_noise_can_be_looked_at(self, desk: Client) -> None:
        assert desk.get(page(arrives(b"\xff\x00 noise").message)).status_code == 200

    def test_markup_that_a_guest_wrote_is_text(self, desk: Client) -> None:
        raw = edited(INSTANT, ("It is our anniversary", "<img src=x onerror=alert(1)>"))

        shown = desk.get(page(arrives(raw).message)).content.decode()

        assert "<img src=x" not in shown
        assert "&lt;img src=x" in shown

    def test_looking_changes_nothing(self, desk: Client) -> None:
        message = arrives(INSTANT).message

        for name in ("reread", "dismiss"):
            assert desk.get(reverse(f"admin:intake_{name}", args=[message.pk])).status_code == 405

    def test_an_unknown_label_is_shown(self, desk: Client) -> None:
        raw = edited(INSTANT, ("Rental price", "Hire charge"))

        assert "Labels that are not known: Hire charge" in desk.get(page(arrives(raw).message)).content.decode()


class TestDeciding:
    def test_the_listing_is_mapped_from_the_message_and_the_booking_follows(self, desk: Client) -> None:
        message = arrives(INSTANT).message
        vessel = VesselFactory()
        asked = parse_qs(urlsplit(desk.get(page(message)).context["map_url"]).query)

        answer = desk.post(
            reverse("admin:intake_listing_add"),
            {"channel": asked["channel"][0], "title": asked["title"][0], "vessel": vessel.pk, "product": ""},
            follow=True,
        )

        assert Booking.objects.get().ref in answer.content.decode()
        assert Listing.objects.get().title == KETCH

    def test_mapping_shows_nothing_of_the_messages_to_those_who_may_not_read_them(self, client: Client) -> None:
        message = arrives(INSTANT).message
        make_roles()
        cora = User.objects.create_user("cora", is_staff=True)
        cora.groups.add(Group.objects.get(name="Coordinator"))
        client.force_login(cora)

        answer = client.post(
            reverse("admin:intake_listing_add"),
            {"channel": message.channel, "title": message.listing, "vessel": VesselFactory().pk, "product": ""},
            follow=True,
        )

        said = [str(one) for one in answer.context["messages"]]
        assert "Of the messages that waited for this listing, read: 1, still waiting: 0." in said
        assert not any(message.subject in one for one in said)

    def test_another_vessel_for_a_listing_is_set_on_its_page(self, desk: Client) -> None:
        fleet()
        listing, other = Listing.objects.get(title=KETCH), VesselFactory()

        desk.post(reverse("admin:intake_listing_change", args=[listing.pk]), {"vessel": other.pk, "product": ""})

        listing.refresh_from_db()
        assert listing.vessel == other
        assert Event.objects.filter(act="intake.listing.mapped", actor_name="ops").exists()

    def test_reading_again_says_what_still_waits(self, desk: Client) -> None:
        message = arrives(INSTANT).message

        answer = desk.post(reverse("admin:intake_reread", args=[message.pk]), follow=True)

        assert "still waits" in answer.content.decode()

    def test_several_are_read_again_from_the_list(self, desk: Client) -> None:
        message = arrives(INSTANT).message
        Listing.objects.create(channel="boatsetter", title=KETCH, vessel=VesselFactory())

        desk.post(
            reverse("admin:intake_intakemessage_changelist"),
            {"action": "read_again", "_selected_action": [message.pk]},
        )

        assert Booking.objects.count() == 1

    def test_dismissing_needs_a_reason(self, desk: Client) -> None:
        message = arrives(INSTANT).message

        desk.post(reverse("admin:intake_dismiss", args=[message.pk]), {"reason": " "})

        message.refresh_from_db()
        assert message.state == MessageState.QUARANTINED

    def test_a_dismissed_message_says_who_and_why(self, desk: Client) -> None:
        message = arrives(INSTANT).message

        answer = desk.post(
            reverse("admin:intake_dismiss", args=[message.pk]), {"reason": "Entered by hand"}, follow=True
        )

        assert "Entered by hand: ops" in answer.content.decode()

    @pytest.mark.parametrize("act", ["reread", "dismiss"])
    def test_what_waits_for_nobody_is_left_alone(self, desk: Client, act: str) -> None:
        message = arrives("07_boatsetter_reminder.eml").message

        answer = desk.post(reverse(f"admin:intake_{act}", args=[message.pk]), {"reason": "x"}, follow=True)

        assert "waits for nobody any more" in answer.content.decode()

    @pytest.mark.parametrize("act", ["reread", "dismiss"])
    def test_a_coordinator_decides_nothing(self, coordinator: Client, act: str) -> None:
        message = arrives(INSTANT).message

        answer = coordinator.post(reverse(f"admin:intake_{act}", args=[message.pk]), {"reason": "x"})

        assert answer.status_code == 403


def test_what_channels_said_can_be_read(desk: Client) -> None:
    fleet()
    arrives(INSTANT)

    assert "kqvmztr" in desk.get(reverse("admin:intake_intakeevent_changelist")).content.decode()
