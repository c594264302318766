from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from bookings.finance.models import BookingFinance, NeverRewritten, Payment, PayPolicy, PayRate, PortFee, ProductPrice
from tests.factories.bookings import NOW
from tests.factories.finance import PayRateFactory, PortFeeFactory

pytestmark = pytest.mark.django_db
DAY = date(2027, 1, 1)


def payment(**changes: object) -> Payment:
    line = {"kind": "deposit", "method": "zelle", "amount": Decimal("500.00"), "recorded_by": "ops"}
    return Payment(booking_id=1, at=NOW, recorded_at=NOW, **(line | changes))


class TestTheDatabaseRefuses:
    @pytest.mark.parametrize("field", ["guest_price", "fees", "gross", "payout"])
    def test_a_negative_amount(self, field: str) -> None:
        row = BookingFinance(booking_id=1, updated_at=NOW, **{field: Decimal("-0.01")})

        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()

    def test_two_rows_for_one_booking(self) -> None:
        BookingFinance.objects.create(booking_id=1, updated_at=NOW)

        with pytest.raises(IntegrityError), transaction.atomic():
            BookingFinance.objects.create(booking_id=1, updated_at=NOW)

    @pytest.mark.parametrize(("kind", "amount"), [("refund", "5.00"), ("deposit", "-5.00"), ("transfer_out", "0.00")])
    def test_a_payment_whose_sign_is_not_its_kinds(self, kind: str, amount: str) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            payment(kind=kind, amount=Decimal(amount)).save()

    def test_a_port_fee_above_everything(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            PortFeeFactory(rate=Decimal("1.01"))

    def test_two_port_fees_from_one_day(self) -> None:
        PortFeeFactory(berth_id=1)

        with pytest.raises(IntegrityError), transaction.atomic():
            PortFeeFactory(berth_id=1)

    def test_two_rates_from_one_day(self) -> None:
        PayRateFactory()

        with pytest.raises(IntegrityError), transaction.atomic():
            PayRateFactory()

    def test_a_rate_of_nobody(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            PayRateFactory(role="")

    def test_a_negative_rate(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            PayRateFactory(hourly=Decimal("-1.00"))

    def test_a_negative_price(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            ProductPrice.objects.create(product_key="private-3h", vessel_key="jada", price=Decimal("-1.00"))

    def test_extra_guests_that_are_counted_and_not_priced(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            ProductPrice.objects.create(product_key="p", vessel_key="v", price=Decimal("1.00"), guests_included=12)


class TestTheLedgerIsAppendOnly:
    @pytest.fixture
    def line(self) -> Payment:
        line = payment()
        line.save()
        return line

    def test_a_line_is_not_changed(self, line: Payment) -> None:
        with pytest.raises(NeverRewritten):
            line.save()

    def test_a_line_is_not_deleted(self, line: Payment) -> None:
        with pytest.raises(NeverRewritten):
            line.delete()

    def test_lines_are_not_updated_at_once(self, line: Payment) -> None:
        with pytest.raises(NeverRewritten):
            Payment.objects.update(amount=Decimal("1.00"))

    def test_lines_are_not_updated_in_bulk(self, line: Payment) -> None:
        with pytest.raises(NeverRewritten):
            Payment.objects.bulk_update([line], ["amount"])

    def test_lines_are_not_deleted_at_once(self, line: Payment) -> None:
        with pytest.raises(NeverRewritten):
            Payment.objects.all().delete()


class TestPrice:
    def test_is_flat(self) -> None:
        assert ProductPrice(price=Decimal("750.00")).for_party(6) == Decimal("750.00")

    @pytest.mark.parametrize(("party", "price"), [(8, "1575.00"), (12, "1575.00"), (15, "1890.00")])
    def test_grows_with_each_guest_above_the_number_included(self, party: int, price: str) -> None:
        listed = ProductPrice(price=Decimal("1575.00"), guests_included=12, per_extra_guest=Decimal("105.00"))

        assert listed.for_party(party) == Decimal(price)


def test_no_name_of_a_row_holds_an_amount() -> None:
    amount = Decimal("840.75")
    rows = [
        BookingFinance(booking_id=1, gross=amount),
        payment(amount=amount),
        PortFee(berth_id=1, rate=Decimal("0.84"), valid_from=DAY),
        PayRate(member_key="ines", hourly=amount, valid_from=DAY),
        PayRate(member_key="ines", role="host", hourly=amount, valid_from=DAY),
        PayRate(role="captain", hourly=amount, valid_from=DAY),
        PayPolicy(role_group="crew"),
        ProductPrice(product_key="private-3h", vessel_key="jada", price=amount),
    ]

    assert not [name for name in map(str, rows) if "84" in name]
