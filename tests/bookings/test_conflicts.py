from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.calendar import Taken, conflicts

NOON = datetime(2027, 5, 30, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def taken(name: str, *, starts: float = 0, hours: float = 3, **changes: Any) -> Taken:
    """On the vessel “jada” from `starts` hours after noon, with an hour of turnaround."""
    start = NOON + starts * HOUR
    given: dict[str, Any] = {"vessel": "jada", "turnaround": HOUR} | changes
    return Taken(name=name, starts_at=start, ends_at=start + hours * HOUR, **given)


def found(*entries: Taken) -> list[tuple[str, str, tuple[str, str], int]]:
    return [(c.kind, c.who, c.names, c.minutes) for c in conflicts(entries)]


def test_two_trips_at_once_overlap_by_their_minutes_in_common() -> None:
    assert found(taken("A"), taken("B", starts=2.5)) == [("overlap", "jada", ("A", "B"), 30)]


def test_a_trip_inside_another_overlaps_by_its_own_length() -> None:
    assert found(taken("A", hours=6), taken("B", starts=1, hours=2)) == [("overlap", "jada", ("A", "B"), 120)]


def test_a_trip_in_a_hold_is_told_apart_from_two_trips() -> None:
    assert found(taken("A"), taken("scouts", starts=1, is_hold=True)) == [("hold", "jada", ("A", "scouts"), 120)]


def test_a_trip_too_close_behind_another_says_what_is_left_between_them() -> None:
    assert found(taken("A"), taken("B", starts=3.5)) == [("turnaround", "jada", ("A", "B"), 30)]


@pytest.mark.parametrize("starts", [4, 5])
def test_a_trip_after_the_turnaround_is_no_conflict(starts: int) -> None:
    assert not found(taken("A"), taken("B", starts=starts))


def test_a_hold_needs_no_turnaround_after_it() -> None:
    assert not found(taken("scouts", is_hold=True, turnaround=timedelta()), taken("B", starts=3))


def test_two_holds_at_once_are_no_conflict() -> None:
    assert not found(taken("scouts", is_hold=True), taken("yard", is_hold=True))


def test_two_vessels_never_meet() -> None:
    assert not found(taken("A"), taken("B", vessel="halcyon"))


def test_one_member_on_two_vessels_at_once_is_a_conflict() -> None:
    juno = frozenset({"juno"})

    assert found(taken("A", crew=juno), taken("B", vessel="halcyon", starts=2, crew=juno)) == [
        ("crew", "juno", ("A", "B"), 60)
    ]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=8), st.randoms())
def test_the_order_of_asking_changes_nothing(spans: list[tuple[int, int]], dice: object) -> None:
    entries = [taken(f"T{n}", starts=start, hours=hours) for n, (start, hours) in enumerate(spans)]
    shuffled = list(entries)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]

    assert conflicts(shuffled) == conflicts(entries)
