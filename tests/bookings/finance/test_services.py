from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection

from bookings.enums import PaymentState
from bookings.finance import services
from bookings.finance.enums import PaymentKind, PaymentMethod
from bookings.finance.models import BookingFinance, Payment, PayPolicy
from bookings.finance.pricing import Statement
from bookings.finance.services import FinanceWriteError
from bookings.models import Booking
from jada.audit.actors import SYSTEM
from jada.audit.models import Event
from tests.factories.bookings import NOW, a_booking
from tests.factories.finance import PayRateFactory, PortFeeFactory, house_rates

pytestmark = pytest.mark.django_db
D = Decimal
SAN_DIEGO = ZoneInfo("America/Los_Angeles")
CREW = [("ines", "captain", 180), ("juno", "first_mate", 180), ("petra", "second_mate", 180)]


def record(booking: Booking, **amounts: Any) -> None:
    services.record_amounts(booking_id=booking.pk, by=SYSTEM, at=NOW, **amounts)


def recorded(booking: Booking) -> BookingFinance:
    row = services.amounts_of(booking_id=booking.pk)
    assert row is not None
    return row


def pay(booking: Booking, kind: PaymentKind, amount: str) -> Payment:
    return services.log_payment(
        booking=booking, kind=kind, method=PaymentMethod.CARD, amount=D(amount), by=SYSTEM, at=NOW
    )


def acts(booking: Booking, act: str) -> list[Event]:
    return list(Event.objects.filter(subject=booking.subject, act=act))


class TestRecordAmounts:
    def test_changes_the_given_amounts_only(self) -> None:
        booking = a_booking()
        record(booking, gross=D("840.75"), fees=D("105.09"))

        record(booking, payout=D("735.66"))

        row = recorded(booking)
        assert (row.gross, row.fees, row.payout, row.guest_price) == (D("840.75"), D("105.09"), D("735.66"), None)

    def test_rounds_half_up_to_the_cent(self) -> None:
        booking = a_booking()

        record(booking, gross=D("151.335"))

        assert recorded(booking).gross == D("151.34")

    def test_of_zero_is_known_and_not_unknown(self) -> None:
        booking = a_booking()

        record(booking, gross=D("0.00"))

        assert recorded(booking).gross == D("0.00")

    def test_writes_history_that_names_the_fields_and_never_the_amounts(self) -> None:
        booking = a_booking()

        record(booking, gross=D("840.75"), payout=D("735.66"))

        (event,) = acts(booking, "finance.amounts.recorded")
        assert event.detail == {"fields": ["gross", "payout"]}

    def test_of_the_same_again_changes_nothing(self) -> None:
        booking = a_booking()
        record(booking, gross=D("840.75"))

        record(booking, gross=D("840.75"))

        assert len(acts(booking, "finance.amounts.recorded")) == 1

    def test_keeps_another_currency(self) -> None:
        booking = a_booking()

        record(booking, gross=D("840.75"), currency="EUR")

        assert recorded(booking).currency == "EUR"

    def test_of_an_unknown_trip_is_refused(self) -> None:
        with pytest.raises(Booking.DoesNotExist):
            services.record_amounts(booking_id=999, gross=D("1.00"), by=SYSTEM, at=NOW)

    def test_runs_before_a_booking_is_announced(self) -> None:
        booking = a_booking(also=lambda booking: record(booking, gross=D("840.75")))

        assert recorded(booking).gross == D("840.75")

    def test_of_a_lower_gross_lets_a_trip_leave_that_is_paid_by_it(self) -> None:
        booking = a_booking()
        record(booking, gross=D("1575.00"))
        pay(booking, PaymentKind.DEPOSIT, "1475.00")

        record(booking, gross=D("1475.00"))

        booking.refresh_from_db()
        assert booking.payment_state == PaymentState.PAID_IN_FULL


class TestRefusedMoney:
    @pytest.mark.parametrize("amount", ["-777.77", "777777777777.77", "NaN", "Infinity", "1E+30"])
    def test_is_told_without_its_amount(self, amount: str, caplog: pytest.LogCaptureFixture) -> None:
        booking = a_booking()

        with pytest.raises(FinanceWriteError) as refusal:
            record(booking, gross=D(amount))

        assert "777" not in str(refusal.value) + caplog.text

    def test_names_the_rule_in_error_and_log(self, caplog: pytest.LogCaptureFixture) -> None:
        booking = a_booking()

        with pytest.raises(FinanceWriteError) as refusal:
            record(booking, gross=D("-1.00"))

        assert refusal.value.code == "finance_gross_not_negative"
        assert "finance_gross_not_negative" in caplog.text

    def test_carries_no_cause_that_quotes_the_row(self) -> None:
        booking = a_booking()

        with pytest.raises(FinanceWriteError) as refusal:
            record(booking, gross=D("-1.00"))

        assert refusal.value.__suppress_context__
        assert refusal.value.__cause__ is None

    def test_leaves_what_was_recorded(self) -> None:
        booking = a_booking()
        record(booking, gross=D("840.75"))

        with pytest.raises(FinanceWriteError):
            record(booking, gross=D("-1.00"))

        assert recorded(booking).gross == D("840.75")

    def test_has_a_name_even_when_the_database_gives_none(self) -> None:
        assert services._constraint(IntegrityError("disk I/O error (1, 777.77)")) == "refused"

    def test_of_postgresql_is_named_by_its_diagnosis_alone(self) -> None:
        class Diagnosis:
            constraint_name = "finance_gross_not_negative"

        class Cause(Exception):
            diag = Diagnosis()

        refusal = IntegrityError("DETAIL: Failing row contains (2, 777.77, null)")
        refusal.__cause__ = Cause()

        assert services._constraint(refusal) == "finance_gross_not_negative"


class TestClearAmounts:
    def test_makes_an_amount_unknown_again(self) -> None:
        booking = a_booking()
        record(booking, gross=D("840.75"), fees=D("105.09"))

        services.clear_amounts(booking_id=booking.pk, names=["fees"], by=SYSTEM, at=NOW)

        row = recorded(booking)
        assert (row.gross, row.fees) == (D("840.75"), None)


class TestNotePrivately:
    def test_keeps_the_note_once(self) -> None:
        booking = a_booking()

        for _ in range(2):
            services.note_privately(booking_id=booking.pk, note="invoice by mail", by=SYSTEM, at=NOW)

        assert recorded(booking).private_note == "invoice by mail"
        assert len(acts(booking, "finance.note.written")) == 1


class TestLogPayment:
    def test_moves_the_payment_state_from_nothing_over_the_deposit_to_paid(self) -> None:
        booking = a_booking()
        record(booking, gross=D("1575.00"))
        states = []

        for kind, amount in ((PaymentKind.DEPOSIT, "500.00"), (PaymentKind.BALANCE, "1075.00")):
            pay(booking, kind, amount)
            booking.refresh_from_db()
            states.append(booking.payment_state)

        assert states == [PaymentState.DEPOSIT_RECEIVED, PaymentState.PAID_IN_FULL]

    def test_leaves_the_revision_alone(self) -> None:
        booking = a_booking()

        pay(booking, PaymentKind.DEPOSIT, "500.00")

        booking.refresh_from_db()
        assert booking.revision == 1

    def test_writes_history_without_the_amount(self) -> None:
        booking = a_booking()

        pay(booking, PaymentKind.DEPOSIT, "500.00")

        (event,) = acts(booking, "finance.payment.logged")
        assert event.detail == {"kind": "deposit", "method": "card"}

    def test_keeps_when_the_money_moved_beside_when_it_was_logged(self) -> None:
        received = NOW - timedelta(days=2)

        payment = services.log_payment(
            booking=a_booking(),
            kind=PaymentKind.DEPOSIT,
            method=PaymentMethod.ZELLE,
            amount=D("500.00"),
            by=SYSTEM,
            at=NOW,
            received_at=received,
        )

        assert (payment.at, payment.recorded_at) == (received, NOW)

    def test_refuses_a_refund_that_comes_in_and_changes_nothing(self) -> None:
        booking = a_booking()

        with pytest.raises(FinanceWriteError):
            pay(booking, PaymentKind.REFUND, "500.00")

        assert not Payment.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_payments_at_the_same_instant_are_both_counted() -> None:
    booking = a_booking()
    record(booking, gross=D("1575.00"))
    together = Barrier(2)

    def at_once(amount: str) -> None:
        try:
            together.wait()
            pay(booking, PaymentKind.DEPOSIT, amount)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        for paid in [people.submit(at_once, amount) for amount in ("500.00", "1075.00")]:
            paid.result()

    booking.refresh_from_db()
    assert booking.payment_state == PaymentState.PAID_IN_FULL


class TestPaymentState:
    @pytest.mark.parametrize(
        ("gross", "lines", "state"),
        [
            ("390.00", [], PaymentState.TENTATIVE),
            ("390.00", [("deposit", "250.00")], PaymentState.DEPOSIT_RECEIVED),
            ("390.00", [("deposit", "250.00"), ("balance", "140.00")], PaymentState.PAID_IN_FULL),
            (None, [("deposit", "250.00")], PaymentState.DEPOSIT_RECEIVED),
            ("840.75", [("channel_payout", "735.66")], PaymentState.PAID_IN_FULL),
            (None, [("channel_payout", "735.66")], PaymentState.PAID_IN_FULL),
            ("840.75", [("transfer_in", "840.75")], PaymentState.PAID_IN_FULL),
            ("390.00", [("deposit", "250.00"), ("refund", "-250.00")], PaymentState.REFUNDED),
            ("390.00", [("deposit", "250.00"), ("transfer_out", "-250.00")], PaymentState.CARRIED_OVER),
            ("390.00", [("deposit", "250.00"), ("refund", "-50.00")], PaymentState.DEPOSIT_RECEIVED),
        ],
    )
    def test_is_what_the_ledger_says(
        self, gross: str | None, lines: list[tuple[str, str]], state: PaymentState
    ) -> None:
        ledger = [(kind, D(amount)) for kind, amount in lines]

        assert services.payment_state(gross=None if gross is None else D(gross), lines=ledger) == state


class TestMarginOf:
    def test_the_reference_charter(self) -> None:
        house_rates()
        booking = a_booking()
        record(booking, gross=D("840.75"))

        margin = services.margin_of(booking=booking, labour=CREW)

        assert (margin.crew_pay, margin.captain_pay, margin.port_fee, margin.net) == (
            D("250.00"),
            D("150.00"),
            D("151.34"),
            D("289.41"),
        )

    def test_of_a_trip_without_amounts_says_what_is_missing(self) -> None:
        house_rates()

        assert services.margin_of(booking=a_booking(), labour=CREW).missing == ("no gross recorded",)

    def test_follows_the_policy_for_hours(self) -> None:
        house_rates()
        PayPolicy.objects.create(role_group="captain", extra_minutes=60)

        margin = services.margin_of(booking=a_booking(), labour=CREW)

        assert margin.captain_pay == D("200.00")


class TestRateBook:
    DAY = date(2027, 5, 30)

    def test_prefers_the_members_own_rate_in_the_role(self) -> None:
        house_rates()
        PayRateFactory(member_key="juno", role="", hourly=D("27.00"))
        PayRateFactory(member_key="juno", role="host", hourly=D("29.00"))

        book = services.RateBook()

        assert [book.hourly("juno", role, self.DAY) for role in ("host", "first_mate")] == [D("29.00"), D("27.00")]

    def test_prefers_the_roles_default_to_the_groups(self) -> None:
        house_rates()
        PayRateFactory(role="host", hourly=D("20.00"))

        book = services.RateBook()

        assert [book.hourly("bea", role, self.DAY) for role in ("host", "deckhand")] == [D("20.00"), D("25.00")]

    def test_takes_the_rate_of_the_day_and_not_the_newest(self) -> None:
        PayRateFactory(member_key="juno", hourly=D("25.00"), valid_from=date(2027, 1, 1))
        PayRateFactory(member_key="juno", hourly=D("30.00"), valid_from=date(2027, 5, 31))

        assert services.RateBook().hourly("juno", "crew", self.DAY) == D("25.00")

    def test_knows_no_rate_before_the_first(self) -> None:
        PayRateFactory(member_key="juno", valid_from=date(2027, 5, 31))

        assert services.RateBook().hourly("juno", "crew", self.DAY) is None

    def test_takes_the_port_fee_of_the_local_day(self) -> None:
        booking = a_booking(starts_at=datetime(2027, 6, 1, 1, 0, tzinfo=UTC))  # 31 May, 6 PM at the dock
        PortFeeFactory(rate=D("0.18"))
        PortFeeFactory(rate=D("0.20"), valid_from=date(2027, 6, 1))

        margin = services.RateBook().margin(booking, D("100.00"), CREW)

        assert margin.port_fee == D("18.00")


class TestStatementOf:
    def state(self, *, until: datetime) -> Statement:
        return services.statement(year=2027, month=5, zone=SAN_DIEGO, until=until, labour_of=lambda booking: CREW)

    def test_has_a_trip_in_the_month_of_its_local_departure(self) -> None:
        house_rates()
        late = datetime(2027, 6, 1, 1, 0, tzinfo=UTC)  # 31 May, 6 PM at the dock
        a_booking(starts_at=late)
        a_booking(starts_at=late + timedelta(hours=12))

        statement = self.state(until=late + timedelta(days=30))

        assert [line.day for line in statement.lines] == [date(2027, 5, 31)]

    def test_has_only_trips_that_are_over(self) -> None:
        booking = a_booking()

        assert self.state(until=booking.ends_at - timedelta(seconds=1)).totals.trips == 0
        assert self.state(until=booking.ends_at).totals.trips == 1

    def test_leaves_out_what_was_cancelled(self) -> None:
        booking = a_booking(status="cancelled", past_ok=True)

        assert not self.state(until=booking.ends_at).lines

    def test_of_december_ends_with_the_year(self) -> None:
        nothing = services.statement(year=2027, month=12, zone=SAN_DIEGO, until=NOW, labour_of=lambda booking: [])

        assert not nothing.lines

    def test_costs_no_query_a_trip(self, django_assert_num_queries: Any) -> None:
        house_rates()
        for day in range(3):
            record(a_booking(starts_at=NOW + timedelta(days=day)), gross=D("840.75"))

        with django_assert_num_queries(5):
            statement = self.state(until=NOW + timedelta(days=9))

        assert statement.totals.net == 3 * D("289.41")


def test_money_is_found_by_plain_number_only() -> None:
    assert not BookingFinance._meta.get_field("booking_id").is_relation
