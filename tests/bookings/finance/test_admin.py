from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bookings.enums import PaymentState
from bookings.finance import services
from bookings.finance.models import BookingFinance, Payment, PortFee
from bookings.models import Booking
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from tests.factories.bookings import NOW, BerthFactory, a_booking
from tests.factories.finance import house_rates

pytestmark = pytest.mark.django_db
D = Decimal
MODELS = ("bookingfinance", "payment", "portfee", "payrate", "paypolicy", "productprice")


@pytest.fixture
def desk(ops: User, client: Client) -> Client:
    client.force_login(ops)
    return client


@pytest.fixture
def booking() -> Booking:
    booking = a_booking(tell=False)
    services.record_amounts(booking_id=booking.pk, gross=D("840.75"), fees=D("105.09"), by=SYSTEM, at=NOW)
    return booking


def recorded(booking: Booking) -> BookingFinance:
    return BookingFinance.objects.get(booking_id=booking.pk)


def amounts_form(**changes: str) -> dict[str, str]:
    shown = {"guest_price": "", "fees": "105.09", "gross": "840.75", "payout": "", "currency": "USD"}
    return shown | {"private_note": ""} | changes


def payment_form(booking: Booking, **changes: str) -> dict[str, str]:
    line = {"kind": "deposit", "method": "zelle", "amount": "500.00", "at": "2027-05-20T09:00", "note": ""}
    return line | {"booking_id": str(booking.pk)} | changes


def change_amounts(desk: Client, booking: Booking, **changes: str) -> Any:
    row = BookingFinance.objects.get(booking_id=booking.pk)
    return desk.post(reverse("admin:finance_bookingfinance_change", args=[row.pk]), amounts_form(**changes))


def add_payment(desk: Client, booking: Booking, **changes: str) -> Any:
    return desk.post(reverse("admin:finance_payment_add"), payment_form(booking, **changes))


class TestAmounts:
    def test_are_found_by_booking_and_guest(self, desk: Client, booking: Booking) -> None:
        page = desk.get(reverse("admin:finance_bookingfinance_changelist"), {"q": booking.guest_name})

        assert booking.ref in page.content.decode()

    def test_are_changed_by_the_service_with_history(self, desk: Client, booking: Booking) -> None:
        assert change_amounts(desk, booking, payout="735.66").status_code == 302

        assert recorded(booking).payout == D("735.66")
        newest = Event.objects.filter(act="finance.amounts.recorded").latest("pk")
        assert (newest.actor_name, newest.detail) == ("ops", {"fields": ["payout"]})

    def test_that_are_emptied_are_unknown_and_not_zero(self, desk: Client, booking: Booking) -> None:
        change_amounts(desk, booking, fees="")

        assert recorded(booking).fees is None

    def test_keep_a_private_note(self, desk: Client, booking: Booking) -> None:
        change_amounts(desk, booking, private_note="invoice by mail")

        assert recorded(booking).private_note == "invoice by mail"

    def test_change_their_currency_together(self, desk: Client, booking: Booking) -> None:
        change_amounts(desk, booking, currency="EUR")

        row = recorded(booking)
        assert (row.currency, row.gross) == ("EUR", D("840.75"))

    @pytest.mark.parametrize("amount", ["-1.00", "840.755", "99999999999.00", "eight", "NaN"])
    def test_that_cannot_be_are_refused_at_their_field(self, desk: Client, booking: Booking, amount: str) -> None:
        page = change_amounts(desk, booking, gross=amount)

        assert page.status_code == 200
        assert "errorlist" in page.content.decode()
        assert recorded(booking).gross == D("840.75")

    def test_are_neither_added_nor_deleted_here(self, desk: Client, booking: Booking) -> None:
        row = BookingFinance.objects.get(booking_id=booking.pk)

        assert desk.get(reverse("admin:finance_bookingfinance_add")).status_code == 403
        assert desk.post(reverse("admin:finance_bookingfinance_delete", args=[row.pk])).status_code == 403


class TestTheLedger:
    def test_takes_a_line_and_moves_the_payment_state(self, desk: Client, booking: Booking) -> None:
        assert add_payment(desk, booking).status_code == 302

        booking.refresh_from_db()
        assert booking.payment_state == PaymentState.DEPOSIT_RECEIVED
        assert Payment.objects.get().recorded_by == "ops"

    def test_asks_for_a_negative_refund(self, desk: Client, booking: Booking) -> None:
        page = add_payment(desk, booking, kind="refund")

        assert "A refund or a transfer out is negative" in page.content.decode()
        assert not Payment.objects.exists()

    def test_refuses_a_booking_that_is_not_there(self, desk: Client, booking: Booking) -> None:
        assert add_payment(desk, booking, booking_id="999").status_code == 200
        assert not Payment.objects.exists()

    def test_comes_filled_in_from_a_bookings_page(self, desk: Client, booking: Booking) -> None:
        page = desk.get(reverse("admin:finance_payment_add"), {"booking_id": booking.pk})

        assert f'<option value="{booking.pk}" selected>' in page.content.decode()

    def test_shows_a_line_that_nobody_can_change(self, desk: Client, booking: Booking) -> None:
        add_payment(desk, booking)
        address = reverse("admin:finance_payment_change", args=[Payment.objects.get().pk])

        page = desk.get(address)

        assert booking.ref in page.content.decode()
        assert desk.post(address, payment_form(booking, amount="1.00")).status_code == 403
        assert Payment.objects.get().amount == D("500.00")

    def test_is_listed_at_the_same_cost_for_any_number_of_lines(self, desk: Client, booking: Booking) -> None:
        address = reverse("admin:finance_payment_changelist")
        costs = []

        for _ in range(2):
            add_payment(desk, booking)
            with CaptureQueriesContext(connection) as queries:
                page = desk.get(address)
            costs.append(len(queries))

        assert page.content.decode().count(f"{booking.ref} ") == 2
        assert costs[0] == costs[1]


class TestRates:
    def test_every_list_opens(self, desk: Client, booking: Booking) -> None:
        house_rates()

        pages = [desk.get(reverse(f"admin:finance_{model}_changelist")) for model in MODELS]

        assert [page.status_code for page in pages] == [200] * len(MODELS)

    def test_a_port_fee_is_set_for_a_berth_by_its_name(self, desk: Client) -> None:
        berth = BerthFactory()
        form = {"berth_id": str(berth.pk), "rate": "0.18", "valid_from": "2027-01-01"}

        desk.post(reverse("admin:finance_portfee_add"), form)

        assert PortFee.objects.get().berth_id == berth.pk
        assert berth.name in desk.get(reverse("admin:finance_portfee_changelist")).content.decode()

    def test_a_port_fee_of_a_berth_that_is_gone_can_still_be_read(self, desk: Client) -> None:
        house_rates()
        PortFee.objects.update(berth_id=999)

        assert "a berth that is gone" in desk.get(reverse("admin:finance_portfee_changelist")).content.decode()


class TestWhoeverMayNotSeeMoney:
    @pytest.fixture
    def coordinator(self, stranger: User, client: Client) -> Client:
        stranger.is_staff = True
        stranger.save()
        stranger.user_permissions.set(Permission.objects.exclude(content_type__app_label="finance"))
        client.force_login(stranger)
        return client

    @pytest.mark.parametrize("model", MODELS)
    def test_is_refused_every_page_of_it(self, coordinator: Client, model: str) -> None:
        assert coordinator.get(reverse(f"admin:finance_{model}_changelist")).status_code == 403
        assert coordinator.get(reverse(f"admin:finance_{model}_add")).status_code == 403
