from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.finance.pricing import CENT, Margin, Shift, Statement, StatementLine, margin, pay, planned_hours, port_fee

D = Decimal
PORT = D("0.18")
FIFTY, TWENTY_FIVE = D("50.00"), D("25.00")
amounts = st.decimals(min_value=0, max_value=1_000_000, places=2)
rates = st.decimals(min_value=0, max_value=1, places=4)
hourlies = st.decimals(min_value=0, max_value=500, places=2)
minutes = st.integers(min_value=15, max_value=48 * 60)


def captain(hours: str = "3.00", rate: Decimal | None = FIFTY) -> Shift:
    return Shift("ines", "captain", is_captain=True, hours=D(hours), rate=rate)


def mate(hours: str = "5.00", rate: Decimal | None = TWENTY_FIVE, key: str = "juno") -> Shift:
    return Shift(key, "first_mate", is_captain=False, hours=D(hours), rate=rate)


class TestPortFee:
    @pytest.mark.parametrize(
        ("gross", "fee"), [("840.75", "151.34"), ("1234.25", "222.17"), ("0.00", "0.00"), ("0.03", "0.01")]
    )
    def test_rounds_half_up_on_the_cent(self, gross: str, fee: str) -> None:
        assert port_fee(D(gross), PORT) == D(fee)

    @given(gross=amounts, rate=rates)
    def test_is_within_half_a_cent_of_the_share_and_never_below_it_by_more(self, gross: Decimal, rate: Decimal) -> None:
        off = port_fee(gross, rate) - gross * rate

        assert -CENT / 2 < off <= CENT / 2

    @given(gross=amounts, rate=rates)
    def test_is_whole_cents_between_nothing_and_everything(self, gross: Decimal, rate: Decimal) -> None:
        fee = port_fee(gross, rate)

        assert fee == fee.quantize(CENT)
        assert 0 <= fee <= gross

    @given(first=amounts, second=amounts, rate=rates)
    def test_of_more_is_never_less(self, first: Decimal, second: Decimal, rate: Decimal) -> None:
        less, more = sorted((first, second))

        assert port_fee(less, rate) <= port_fee(more, rate)


class TestPay:
    def test_of_crew_is_for_the_charter_and_two_hours_more(self) -> None:
        assert planned_hours(180, 120) == D("5.00")

    def test_of_an_uneven_charter_is_for_the_hours_that_are_printed(self) -> None:
        hours = planned_hours(100, 0)

        assert (hours, pay(hours, D("25.00"))) == (D("1.67"), D("41.75"))

    @given(charter=minutes, extra=st.integers(min_value=0, max_value=600), hourly=hourlies)
    def test_is_printed_hours_times_printed_rate(self, charter: int, extra: int, hourly: Decimal) -> None:
        hours = planned_hours(charter, extra)

        assert hours == hours.quantize(CENT)
        assert abs(pay(hours, hourly) - hours * hourly) <= CENT / 2


class TestMargin:
    def test_of_the_reference_charter(self) -> None:
        shifts = [captain(), mate(), mate(key="petra")]

        assert margin(gross=D("840.75"), port_rate=PORT, shifts=shifts) == Margin(
            D("840.75"), D("250.00"), D("150.00"), D("151.34"), D("289.41")
        )

    @given(gross=amounts, rate=rates, hourly=hourlies, charter=minutes)
    def test_adds_up_to_the_gross_again(self, gross: Decimal, rate: Decimal, hourly: Decimal, charter: int) -> None:
        hours = str(planned_hours(charter, 0))

        made = margin(gross=gross, port_rate=rate, shifts=[captain(hours, hourly), mate(hours, hourly)])

        parts = [made.net, made.crew_pay, made.captain_pay, made.port_fee]
        assert sum(part for part in parts if part is not None) == gross
        assert None not in parts

    def test_without_a_gross_has_pay_but_neither_fee_nor_net(self) -> None:
        made = margin(gross=None, port_rate=PORT, shifts=[captain()])

        assert made == Margin(None, D("0.00"), D("150.00"), None, None, ("no gross recorded",))

    def test_without_a_port_fee_has_no_net(self) -> None:
        made = margin(gross=D("840.75"), port_rate=None, shifts=[captain()])

        assert (made.port_fee, made.net) == (None, None)
        assert made.missing == ("no port fee set for the berth on the day of the trip",)

    def test_leaves_nobody_out_whose_rate_is_unknown(self) -> None:
        made = margin(gross=D("840.75"), port_rate=PORT, shifts=[captain(), mate(rate=None)])

        assert (made.crew_pay, made.net) == (None, None)
        assert made.missing == ("no rate for juno as first mate on the day of the trip",)

    def test_of_a_trip_without_crew_says_so(self) -> None:
        made = margin(gross=D("840.75"), port_rate=PORT, shifts=[])

        assert made.net == D("689.41")
        assert made.missing == ("nobody planned on board yet",)


class TestStatement:
    def line(self, gross: str | None, *, channel: str = "direct") -> StatementLine:
        shifts = (captain(), mate())
        made = margin(gross=None if gross is None else D(gross), port_rate=PORT, shifts=shifts)
        return StatementLine(1, "J-0001", channel, date(2027, 5, 30), made, shifts)

    def test_sums_the_rounded_fees_instead_of_rounding_the_sum(self) -> None:
        statement = Statement(2027, 5, (self.line("840.75"), self.line("840.75")))

        assert statement.totals.port_fee == D("302.68")
        assert port_fee(D("1681.50"), PORT) == D("302.67")

    def test_counts_a_trip_without_a_gross_and_names_it(self) -> None:
        statement = Statement(2027, 5, (self.line("840.75"), self.line(None)))

        assert (statement.totals.trips, statement.totals.gross) == (2, D("840.75"))
        assert statement.missing == ("J-0001: no gross recorded",)

    def test_splits_by_channel_without_losing_a_trip(self) -> None:
        statement = Statement(2027, 5, (self.line("100.00"), self.line("50.00", channel="viator")))

        assert {channel: totals.trips for channel, totals in statement.by_channel.items()} == {"direct": 1, "viator": 1}

    def test_pays_each_member_for_all_their_trips(self) -> None:
        statement = Statement(2027, 5, (self.line("100.00"), self.line("50.00")))

        assert [(pay.member_key, pay.hours, pay.pay) for pay in statement.pay] == [
            ("ines", D("6.00"), D("300.00")),
            ("juno", D("10.00"), D("250.00")),
        ]
