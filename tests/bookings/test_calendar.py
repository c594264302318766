from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.calendar import day_bounds, elapsed, hours, later, occurrences, part_of_day

ZONE = ZoneInfo("America/Los_Angeles")


def test_the_night_the_clocks_go_back_has_an_hour_more() -> None:
    start = datetime(2026, 10, 31, 18, tzinfo=ZONE)
    end = datetime(2026, 11, 1, 9, tzinfo=ZONE)

    assert hours(start, end) == Decimal("16.00")
    assert later(start, timedelta(hours=16)) == end


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(1, 100))
def test_elapsed_time_added_is_elapsed_time_measured(moment: datetime, n: int) -> None:
    start = moment.replace(tzinfo=UTC).astimezone(ZONE)

    assert elapsed(start, later(start, timedelta(hours=n))) == timedelta(hours=n)


@pytest.mark.parametrize(("day", "length"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)])
def test_a_local_day_has_as_many_hours_as_it_has(day: date, length: int) -> None:
    assert elapsed(*day_bounds(day, ZONE)) == timedelta(hours=length)


def test_a_weekly_hold_keeps_its_local_time_over_the_clock_change_and_skips_its_exception() -> None:
    found = list(
        occurrences(
            "FREQ=WEEKLY;BYDAY=WE",
            first=date(2026, 10, 21),
            until=date(2026, 11, 18),
            at=(time(16), time(19)),
            zone=ZONE,
            skip=frozenset({date(2026, 11, 11)}),
        )
    )

    assert [start.isoformat() for start, _ in found] == [
        "2026-10-21T16:00:00-07:00",
        "2026-10-28T16:00:00-07:00",
        "2026-11-04T16:00:00-08:00",
        "2026-11-18T16:00:00-08:00",
    ]


def test_a_hold_over_midnight_ends_on_the_next_day() -> None:
    ((start, end),) = occurrences(
        "FREQ=DAILY", first=date(2026, 6, 1), until=date(2026, 6, 1), at=(time(22), time(2)), zone=ZONE
    )

    assert elapsed(start, end) == timedelta(hours=4)


@pytest.mark.parametrize(
    ("clock", "part"),
    [(time(11, 59), "morning"), (time(12), "afternoon"), (time(15, 59), "afternoon"), (time(16), "sunset")],
)
def test_parts_of_the_day_are_the_operators(clock: time, part: str) -> None:
    assert part_of_day(datetime.combine(date(2026, 6, 1), clock, ZONE)) == part
