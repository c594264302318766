from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guests.phases import KEPT, Phase, State, Trip, next_turn, phase
from tests.guests.instants import INSTANTS, OVERRIDDEN, SERVER_ONLY, TRIPS, Instant, dock

ALL = TRIPS | OVERRIDDEN
ZONES = ["America/Los_Angeles", "Pacific/Apia", "Australia/Lord_Howe", "America/Santiago", "UTC"]

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.integers(0, 730 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))


@st.composite
def trips(draw: st.DrawFn) -> Trip:
    start = draw(instants)
    moved = draw(st.none() | st.integers(0, 60 * 24 * 30).map(lambda minutes: start - timedelta(minutes=minutes)))
    return Trip(
        starts_at=start,
        ends_at=start + timedelta(minutes=draw(st.integers(30, 60 * 40))),
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        state=draw(st.sampled_from(State)),
        moved_at=moved,
    )


@pytest.mark.parametrize("instant", INSTANTS + SERVER_ONLY, ids=str)
def test_the_phase_of_an_instant(instant: Instant) -> None:
    assert phase(ALL[instant.trip], instant.at) is instant.phase


def test_every_phase_stands_in_the_table() -> None:
    assert {instant.phase for instant in INSTANTS + SERVER_ONLY} == set(Phase)


def test_the_turns_of_a_trip_come_at_midnight_of_the_dock_departure_return_and_expiry() -> None:
    trip = TRIPS["plain"]

    turns = [dock("2026-11-01 09:00")]
    while turn := next_turn(trip, turns[-1]):
        turns.append(turn)

    assert turns[1:] == [
        dock("2026-11-28 00:00"),
        dock("2026-12-04 00:00"),
        dock("2026-12-05 00:00"),
        dock("2026-12-05 14:30"),
        dock("2026-12-05 17:30"),
        dock("2026-12-12 17:30"),
    ]


def test_a_moved_trip_turns_when_the_news_is_old() -> None:
    assert next_turn(TRIPS["moved"], dock("2026-11-27 12:00")) == dock("2026-11-30 10:00")


def test_a_move_that_lies_ahead_changes_nothing_yet() -> None:
    assert phase(TRIPS["moved late"], dock("2026-12-05 14:30")) is Phase.UNDERWAY


def test_a_cancelled_page_has_one_turn_left() -> None:
    trip = OVERRIDDEN["cancelled"]

    assert next_turn(trip, dock("2026-11-01 09:00")) == trip.expires_at


def test_an_expired_page_never_turns_again() -> None:
    assert next_turn(TRIPS["plain"], dock("2027-01-01 00:00")) is None


@given(trips(), instants)
def test_nothing_changes_before_the_next_turn_and_something_does_at_it(trip: Trip, at: datetime) -> None:
    turn, now = next_turn(trip, at), phase(trip, at)

    if turn is None:
        assert now is Phase.EXPIRED
        return
    assert turn > at
    assert phase(trip, turn) is not now
    assert phase(trip, at + (turn - at) / 2) is now
    assert phase(trip, turn - timedelta(microseconds=1)) is now


@given(trips(), instants)
def test_the_zone_an_instant_is_written_in_does_not_matter(trip: Trip, at: datetime) -> None:
    assert phase(trip, at) is phase(trip, at.astimezone(ZoneInfo("Asia/Tokyo")))


@given(trips())
def test_nothing_personal_is_shown_a_week_after_the_end(trip: Trip) -> None:
    assert phase(trip, trip.ends_at + KEPT) is Phase.EXPIRED
