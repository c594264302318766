from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.intake.adapters import values
from bookings.intake.adapters.values import Money

ZONE = ZoneInfo("America/Los_Angeles")


class TestMoments:
    @pytest.mark.parametrize(
        "text",
        [
            "May 30, 2024 • 1:00 PM",
            "Thu, May 30, 2024 at 1:00 p.m.",
            "Thursday, 30 May 2024, 13:00",
            "2024-05-30 13:00",
            "5/30/2024 1 PM",
            "1:00 PM Thu, May 30, 2024",
            "30 May 2024 - 13h00",
            "May 30, 2024 • 1:00 PM PST",
            "May 30th, 2024 1:00:00 PM",
        ],
    )
    def test_every_spelling_is_the_same_wall_clock(self, text: str) -> None:
        assert values.read_moment(text) == (datetime(2024, 5, 30, 13, 0), True)

    @pytest.mark.parametrize(
        "text",
        [
            "9",
            "3 hours",
            "May 30",
            "Fri, May 30, 2024 1:00 PM",
            "Feb 30, 2024 1:00 PM",
            "May 30, 2024 25:00",
            "13:60",
            "",
        ],
    )
    def test_what_is_no_moment_is_not_guessed(self, text: str) -> None:
        assert values.read_moment(text)[1] is False

    def test_something_left_over_is_said(self) -> None:
        moment, whole = values.read_moment("May 30, 2024 • 1:00 PM or later")

        assert (moment, whole) == (datetime(2024, 5, 30, 13, 0), False)

    @pytest.mark.parametrize(
        ("text", "clock"),
        [
            ("noon", time(12)),
            ("midnight", time(0)),
            ("12 AM", time(0)),
            ("12:30 pm", time(12, 30)),
            ("14h00", time(14)),
        ],
    )
    def test_clocks(self, text: str, clock: time) -> None:
        assert values.read_time(text) == (clock, True)

    @pytest.mark.parametrize("text", ["3", "13 PM", "0 AM", "24:00"])
    def test_no_clock_shows_this(self, text: str) -> None:
        assert values.read_time(text)[1] is False

    def test_a_wrong_weekday_is_no_date(self) -> None:
        assert values.read_date("Monday, May 30, 2024") == (None, False)

    def test_dates_in_a_sentence_come_with_their_clock(self) -> None:
        found = list(values.moments_in("Moved from Jun 8, 2024 • 10:00 AM to Jun 9, 2024"))

        assert found == [(date(2024, 6, 8), time(10)), (date(2024, 6, 9), None)]


class TestTheDockSClock:
    def test_an_ordinary_time_has_one_instant(self) -> None:
        instant, why = values.local(datetime(2024, 5, 30, 13, 0), ZONE)

        assert instant is not None
        assert (instant.isoformat(), why) == ("2024-05-30T13:00:00-07:00", "")

    def test_an_hour_that_is_skipped_does_not_exist(self) -> None:
        instant, why = values.local(datetime(2024, 3, 10, 2, 30), ZONE)

        assert instant is None
        assert "does not exist" in why

    def test_an_hour_that_comes_twice_is_not_chosen(self) -> None:
        instant, why = values.local(datetime(2024, 11, 3, 1, 30), ZONE)

        assert instant is None
        assert "comes twice" in why


class TestMoney:
    @pytest.mark.parametrize(
        ("text", "amount", "currency"),
        [
            ("$840.75", "840.75", "USD"),
            ("-$105.09", "-105.09", "USD"),
            ("$-96.60", "-96.60", "USD"),
            ("−$5", "-5.00", "USD"),
            ("($12.00)", "-12.00", "USD"),
            ("USD $1,234.56", "1234.56", "USD"),
            ("EUR €23,04", "23.04", "EUR"),
            ("1.234,56 €", "1234.56", "EUR"),
            ("USD 210.00", "210.00", "USD"),
            ("$1,900", "1900.00", "USD"),
        ],
    )
    def test_every_spelling_keeps_its_sign(self, text: str, amount: str, currency: str) -> None:
        assert values.read_money(text) == (Money(Decimal(amount), currency), True)

    @pytest.mark.parametrize(
        "text", ["840.75", "$", "$12.3", "$1,23", "C$40.00", "$40 each", "$40 €", "$(12", "-$-5", "$40.00.00", "12%"]
    )
    def test_what_is_not_plainly_an_amount_is_not_one(self, text: str) -> None:
        assert values.read_money(text) == (None, False)

    @given(cents=st.integers(-10_000_000, 10_000_000))
    def test_every_amount_comes_back(self, cents: int) -> None:
        amount = Decimal(cents).scaleb(-2)

        assert values.read_money(f"{'-' if cents < 0 else ''}${abs(amount):,.2f}") == (Money(amount, "USD"), True)


class TestPeople:
    @pytest.mark.parametrize(
        ("text", "party"),
        [
            ("3", 3),
            ("8 Guests", 8),
            ("Six guests (incl. two kids)", 6),
            ("2 Adults, 1 Child, 1 Infant", 4),
            ("2 adults and 1 child", 3),
            ("2 adults", 2),
            ("twenty people", 20),
        ],
    )
    def test_everyone_on_board_counts(self, text: str, party: int) -> None:
        assert values.read_party(text) == (party, True)

    @pytest.mark.parametrize("text", ["0", "many", "3 Pets", "2 or 3", "3 guests, 2 adults", "1000", ""])
    def test_what_is_no_number_of_people_is_none(self, text: str) -> None:
        assert values.read_party(text) == (None, False)

    @pytest.mark.parametrize(
        ("text", "phone"),
        [
            ("(619) 555-0117", "+16195550117"),
            ("619-555-0190 ext. 12", "+16195550190"),
            ("(Alternate Phone)US+1 6195550163", "+16195550163"),
            ("+44 20 7946 0958", "+442079460958"),
        ],
    )
    def test_phones_are_in_one_form(self, text: str, phone: str) -> None:
        assert values.read_phone(text) == (phone, True)

    @pytest.mark.parametrize("text", ["555", "call me", "619 555 0117 or 0118", "+999 12345678", "May 30, 2024"])
    def test_what_is_no_phone_is_none(self, text: str) -> None:
        assert values.read_phone(text) == (None, False)

    @pytest.mark.parametrize(
        "text", ["a@b", "two@a.example, b@c.example", "<a@b.example>", "a@b.example " * 40, "nobody"]
    )
    def test_what_is_no_address_is_none(self, text: str) -> None:
        assert values.read_email(text) == (None, False)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("3 hours", 180), ("2 hours 30 minutes", 150), ("1.5 h", 90), ("90 min", 90), ("1 hour and 15 mins", 75)],
)
def test_lengths(text: str, minutes: int) -> None:
    assert values.read_duration(text) == (timedelta(minutes=minutes), True)


@pytest.mark.parametrize("text", ["", "3", "3 days", "hours"])
def test_what_is_no_length_is_none(text: str) -> None:
    assert values.read_duration(text) == (None, False)
