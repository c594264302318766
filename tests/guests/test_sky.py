from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guests.sky import HEIGHT, WIDTH, Sky, sky
from tests.guests.instants import DOCK, dock

LATITUDE, LONGITUDE = 32.7246, -117.2090


def over_the_dock(start: datetime, hours: float = 3) -> Sky:
    picture = sky(
        starts_at=start, ends_at=start + timedelta(hours=hours), zone=DOCK, latitude=LATITUDE, longitude=LONGITUDE
    )
    assert picture is not None
    return picture


def test_a_known_day_in_december() -> None:
    picture = over_the_dock(dock("2026-12-05 14:30"))

    assert f"{picture.sunset:%H:%M}" == "16:42"
    assert f"{picture.golden_from:%H:%M}" == "16:06"


def test_a_known_day_in_june() -> None:
    assert f"{over_the_dock(dock('2027-06-21 10:00')).sunset:%H:%M}" == "19:59"


@pytest.mark.parametrize(
    ("start", "light"),
    [
        ("2026-12-05 11:00", "day"),
        ("2026-12-05 16:00", "gold"),
        ("2026-12-05 19:00", "night"),
        ("2026-12-05 04:00", "night"),
    ],
)
def test_the_sun_at_departure_chooses_the_colours(start: str, light: str) -> None:
    assert over_the_dock(dock(start)).light == light


def test_there_is_no_picture_where_the_sun_does_not_set() -> None:
    zone = ZoneInfo("Arctic/Longyearbyen")
    start = datetime(2026, 6, 21, 12, tzinfo=zone)

    assert sky(starts_at=start, ends_at=start + timedelta(hours=3), zone=zone, latitude=78.2, longitude=15.6) is None


@settings(max_examples=60, deadline=None)
@given(st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.times(), st.floats(0.5, 30))
def test_every_line_stays_in_the_box_and_golden_hour_comes_before_sunset(day: date, hour: time, hours: float) -> None:
    picture = over_the_dock(datetime.combine(day, hour, tzinfo=DOCK), hours)

    points = [tuple(map(float, pair.split(","))) for pair in f"{picture.whole} {picture.trip}".split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert picture.golden_from < picture.sunset
    assert picture.golden_x[0] < picture.sunset_x < picture.golden_x[1]
