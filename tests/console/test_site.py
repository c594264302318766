import hashlib
import json
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from bookings.models import Booking
from guests.models import GuestPage
from jada.console.roles import make_roles
from tests.factories.bookings import a_booking

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def somebody(role: str, client: Client) -> User:
    make_roles()
    user = User.objects.create_user(role, "person@sailjada.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return user


def menu_of(client: Client) -> list[str]:
    page = client.get("/admin/").content.decode()
    deck = page[page.index('id="deck"') : page.index("</nav>", page.index('id="deck"'))]
    return [re.sub(r"<[^>]+>.*", "", part) for part in re.findall(r"</svg>([^<]+)<", deck)]


class TestSigningIn:
    @pytest.fixture(autouse=True)
    def shipped(self, settings: Any) -> None:
        settings.CONSOLE_REQUIRE_OTP = True

    def test_a_password_alone_opens_nothing(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        assert client.get("/admin/").status_code == 302
        assert client.get("/admin/calendar/").status_code == 302

    def test_the_form_asks_for_the_second_factor(self, client: Client) -> None:
        assert 'name="otp_token"' in client.get("/admin/login/").content.decode()

    def test_a_wrong_code_stays_out(self, client: Client, ops: User) -> None:
        TOTPDevice.objects.create(user=ops, name="phone")

        answer = client.post("/admin/login/", {"username": "ops", "password": PASSWORD, "otp_token": "000000"})

        assert answer.status_code == 200
        assert client.get("/admin/").status_code == 302

    def test_the_authenticators_code_opens_the_console(self, client: Client, ops: User) -> None:
        device = TOTPDevice.objects.create(user=ops, name="phone")
        code = f"{totp(device.bin_key):06d}"

        client.post("/admin/login/", {"username": "ops", "password": PASSWORD, "otp_token": code})

        assert client.get("/admin/").status_code == 200

    def test_a_recovery_code_opens_the_console_once(self, client: Client, ops: User) -> None:
        StaticDevice.objects.create(user=ops, name="paper").token_set.create(token="rescue-me")

        client.post("/admin/login/", {"username": "ops", "password": PASSWORD, "otp_token": "rescue-me"})

        assert client.get("/admin/").status_code == 200
        assert not StaticDevice.objects.get().token_set.exists()

    def test_without_the_rule_the_form_asks_for_no_code(self, client: Client, settings: Any) -> None:
        settings.CONSOLE_REQUIRE_OTP = False

        assert 'name="otp_token"' not in client.get("/admin/login/").content.decode()

    def test_too_many_tries_are_answered_by_a_page_that_says_what_to_do(
        self, client: Client, ops: User, settings: Any
    ) -> None:
        settings.AXES_ENABLED = True
        for _ in range(5):
            answer = client.post("/admin/login/", {"username": "ops", "password": "wrong", "otp_token": "1"})

        assert answer.status_code == 429
        assert "Too many tries" in answer.content.decode()

    def test_a_stranger_behind_our_cdn_shuts_nobody_else_out(self, client: Client, ops: User, settings: Any) -> None:
        settings.AXES_ENABLED, settings.ORIGIN_VERIFY = True, "only-the-cdn-knows"
        typed = {"username": "ops", "password": "wrong", "otp_token": "1"}

        def tries(viewer: str) -> int:
            headers = {"X-Origin-Verify": "only-the-cdn-knows", "CloudFront-Viewer-Address": f"{viewer}:443"}
            return client.post("/admin/login/", typed, headers=headers).status_code

        assert [tries("203.0.113.9") for _ in range(5)][-1] == 429
        assert tries("198.51.100.7") == 200


class TestTheMenu:
    def test_an_ops_manager_finds_every_place(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        menu = menu_of(client)

        wanted = [
            "Today",
            "Calendar",
            "Bookings",
            "Crew",
            "Deliveries",
            "Messages",
            "Intake inbox",
            "Guest pages",
            "Money",
        ]
        assert [place for place in wanted if place not in menu] == []
        assert {"Vessels", "Roster", "Pay rates", "Listings", "Staff users"} <= set(menu)

    def test_a_coordinator_finds_no_money(self, client: Client) -> None:
        somebody("Coordinator", client)

        menu = menu_of(client)

        assert "Bookings" in menu
        assert not {"Money", "Pay rates", "Intake inbox", "Staff users"} & set(menu)

    def test_a_list_opens_on_its_first_view(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        assert (
            "/admin/outbox/effect/?state__in=pending,running,sending,in_doubt,dead"
            in client.get("/admin/").content.decode()
        )

    def test_what_is_refused_is_a_page_with_the_menu(self, client: Client) -> None:
        somebody("Coordinator", client)

        answer = client.get("/admin/finance/bookingfinance/")

        assert answer.status_code == 403
        assert "Not for your role" in answer.content.decode()
        assert 'id="deck"' in answer.content.decode()

    def test_what_is_gone_is_a_page_with_the_menu(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        answer = client.get("/admin/bookings/booking/999/cancel/")

        assert answer.status_code == 404
        assert "It is not here" in answer.content.decode()

    def test_a_stranger_sees_nothing(self, client: Client, stranger: User) -> None:
        client.force_login(stranger)

        assert client.get("/admin/calendar/").status_code == 302


class TestFinding:
    def place(self, client: Client, asked: str) -> str:
        return client.get("/admin/find/", {"q": asked}).headers["Location"]

    def page_of(self, booking: Booking) -> str:
        return f"/admin/bookings/booking/{booking.pk}/change/"

    @pytest.fixture
    def booking(self, client: Client, ops: User) -> Booking:
        client.force_login(ops)
        return a_booking(external_id="kqvmztr", given_code="XHQGMDH", guest_name="Dana Whit")

    @pytest.mark.parametrize("asked", ["kqvmztr", "#KQVMZTR", "xhqgmdh", "Dana", " whit "])
    def test_a_booking_by_any_of_its_names(self, client: Client, booking: Booking, asked: str) -> None:
        assert self.place(client, asked) == self.page_of(booking)

    def test_a_booking_by_its_reference_and_its_event_id(self, client: Client, booking: Booking) -> None:
        assert self.place(client, booking.ref.lower()) == self.page_of(booking)
        assert self.place(client, booking.public_id) == self.page_of(booking)

    def test_a_booking_by_its_guest_pages_code_and_friendly_name(self, client: Client, booking: Booking) -> None:
        page = GuestPage.objects.get(booking=booking)

        assert self.place(client, page.code.lower()) == self.page_of(booking)
        assert self.place(client, page.slug) == self.page_of(booking)

    def test_two_guests_of_one_name_are_a_list(self, client: Client, booking: Booking) -> None:
        a_booking(guest_name="Dana Other")

        assert self.place(client, "Dana") == "/admin/bookings/booking/?q=Dana"

    def test_a_calendar_entry_by_its_id(self, client: Client, booking: Booking) -> None:
        assert self.place(client, booking.entry.public_id).startswith("/admin/bookings/calendarentry/")

    def test_nothing_asked_is_the_list(self, client: Client, booking: Booking) -> None:
        assert self.place(client, "  ") == "/admin/bookings/booking/"


def test_what_is_vendored_is_byte_for_byte_what_the_manifest_says() -> None:
    folder = django_settings.BASE_DIR / "jada" / "static" / "vendor"
    manifest = json.loads((folder / "manifest.json").read_text())

    there = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"}

    assert manifest["sha256"] == {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in there.items()}
