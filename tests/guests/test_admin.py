from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from guests.models import GuestPage
from guests.phases import Phase
from jada.audit.models import Event
from jada.outbox.enums import State
from jada.outbox.models import Effect
from tests.factories.bookings import START, VesselFactory, a_booking

pytestmark = pytest.mark.django_db

LIST = "/admin/guests/guestpage/"


@pytest.fixture
def console(ops: User, client: Client) -> Client:
    client.force_login(ops)
    return client


@pytest.fixture
def page() -> GuestPage:
    a_booking(given_code="XHQGMDH", guest_name="Dana Whit", vessel=VesselFactory(name="JADA"))
    return GuestPage.objects.get()


def preview_of(page: GuestPage, phase: str = "") -> str:
    return reverse("admin:guests_guestpage_preview", args=[page.pk]) + (f"?phase={phase}" if phase else "")


def test_the_list_says_who_sails_when_and_where_the_page_stands(console: Client, page: GuestPage) -> None:
    html = console.get(LIST).content.decode()

    assert "Dana Whit" in html
    assert "Sun 30 May 2027, 1:00 PM" in html
    assert '<span class="pill pill-info">Waiting</span>' in html
    assert 'href="https://queenofsandiego.com/g/XHQGMDH"' in html


@pytest.mark.parametrize("words", ["xhqgmdh", "whit", "dana-afternoon"])
def test_a_page_is_found_by_code_guest_or_slug(console: Client, page: GuestPage, words: str) -> None:
    a_booking(guest_name="Omar Reyes")

    html = console.get(LIST, {"q": words}).content.decode()

    assert "Dana Whit" in html
    assert "Omar Reyes" not in html


def test_the_list_costs_no_query_a_row(console: Client, django_assert_max_num_queries: object) -> None:
    vessel = VesselFactory()
    for day in range(12):
        start = START + timedelta(days=day)
        a_booking(vessel=vessel, starts_at=start, ends_at=start + timedelta(hours=3))

    with django_assert_max_num_queries(14):  # type: ignore[operator]  # pytest-django's own
        console.get(LIST)


@pytest.mark.parametrize(("copy", "found"), [("failed", False), ("waiting", True), ("live", False), ("nonsense", True)])
def test_the_list_is_narrowed_by_where_the_copy_stands(
    console: Client, page: GuestPage, copy: str, found: bool
) -> None:
    assert ("Dana Whit" in console.get(LIST, {"copy": copy}).content.decode()) is found


def test_the_page_of_one_lists_its_names_and_its_faces(console: Client, page: GuestPage) -> None:
    html = console.get(f"{LIST}{page.pk}/change/").content.decode()

    assert "2027-05-30-dana-afternoon" in html
    assert preview_of(page, "underway") in html


def test_a_preview_is_the_page_with_its_own_policy(console: Client, page: GuestPage) -> None:
    answer = console.get(preview_of(page))

    assert b"Dana, you\xe2\x80\x99re sailing." in answer.content
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize("phase", Phase.values)
def test_every_face_can_be_previewed_and_nothing_is_changed(console: Client, page: GuestPage, phase: str) -> None:
    answer = console.get(preview_of(page, phase))

    assert f'data-phase="{phase}"'.encode() in answer.content
    page.refresh_from_db()
    assert page.phase == Phase.BOOKED


@pytest.mark.parametrize("phase", ["nonsense", "<script>"])
def test_a_face_that_does_not_exist_is_not_found(console: Client, page: GuestPage, phase: str) -> None:
    assert console.get(preview_of(page, phase)).status_code == 404


def test_a_page_that_does_not_exist_is_not_found(console: Client) -> None:
    assert console.get(reverse("admin:guests_guestpage_preview", args=[99])).status_code == 404


def test_a_stranger_sees_no_preview(client: Client, stranger: User, page: GuestPage) -> None:
    client.force_login(stranger)

    assert client.get(preview_of(page)).status_code == 302


def test_staff_without_the_permission_see_no_preview(client: Client, page: GuestPage) -> None:
    client.force_login(User.objects.create_user("bookkeeper", password="correct horse battery", is_staff=True))

    assert client.get(preview_of(page)).status_code == 403


def test_publish_again_owes_the_copy_and_says_who_asked(console: Client, page: GuestPage) -> None:
    Effect.objects.all().delete()

    console.post(LIST, {"action": "publish_again", "_selected_action": [page.pk]})

    assert Effect.objects.filter(topic="guests.page", key="XHQGMDH", state=State.PENDING).exists()
    assert Event.objects.get(act="guests.page.published-again").actor_name == "ops"


def test_who_may_only_look_may_not_publish(client: Client, page: GuestPage) -> None:
    reader = User.objects.create_user("reader", password="correct horse battery", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_guestpage"))
    client.force_login(reader)
    Effect.objects.all().delete()

    client.post(LIST, {"action": "publish_again", "_selected_action": [page.pk]})

    assert not Effect.objects.exists()


def test_nobody_edits_a_page_by_hand(console: Client, page: GuestPage) -> None:
    assert console.get(f"{LIST}add/").status_code == 403
    assert console.post(f"{LIST}{page.pk}/delete/").status_code == 403
