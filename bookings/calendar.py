"""Time on a vessel: local days, elapsed hours, recurring holds. Pure: no ORM, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import combinations
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr


def elapsed(start: datetime, end: datetime) -> timedelta:
    """Real time between two instants. Two aware times of one zone subtract as wall clocks, so go through UTC."""
    return end.astimezone(UTC) - start.astimezone(UTC)


def hours(start: datetime, end: datetime) -> Decimal:
    """Elapsed hours to the quarter hour's precision, such as 16.00 over the night the clocks go back."""
    return (Decimal(int(elapsed(start, end).total_seconds())) / 3600).quantize(Decimal("0.01"))


def later(instant: datetime, by: timedelta) -> datetime:
    """`instant` plus elapsed time, in its own zone."""
    return (instant.astimezone(UTC) + by).astimezone(instant.tzinfo)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Local midnight to local midnight, end excluded: 23, 24 or 25 hours."""
    start = datetime.combine(day, time.min, zone)
    return start, datetime.combine(day + timedelta(days=1), time.min, zone)


def occurrences(
    rule: str, *, first: date, until: date, at: tuple[time, time], zone: ZoneInfo, skip: frozenset[date] = frozenset()
) -> Iterator[tuple[datetime, datetime]]:
    """The periods of a recurring hold: an RRULE (RFC 5545 3.3.10) over local dates, so that a clock change moves nothing.

    `at` is (start, end) on the wall; an end before the start is on the next day.
    """
    starts = rrulestr(rule, dtstart=datetime.combine(first, time.min))
    for moment in starts.between(datetime.combine(first, time.min), datetime.combine(until, time.max), inc=True):
        day = moment.date()
        if day in skip:
            continue
        end_day = day if at[1] > at[0] else day + timedelta(days=1)
        yield datetime.combine(day, at[0], zone), datetime.combine(end_day, at[1], zone)


def part_of_day(local_start: datetime) -> str:
    """Morning before noon, afternoon before four, else sunset: the operator's own words for a slug."""
    if local_start.hour < 12:
        return "morning"
    return "afternoon" if local_start.hour < 16 else "sunset"


# --- conflicts: what stands in each other's way ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Time that somebody counts on: a trip with its crew, or a hold. A trip's `turnaround` keeps its vessel after it."""

    name: str
    vessel: str
    starts_at: datetime
    ends_at: datetime
    is_hold: bool = False
    turnaround: timedelta = timedelta()
    crew: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two that cannot both be. `kind` is overlap (two trips), hold, turnaround or crew; `who` the vessel or the member.

    `minutes` are those in common, or for a turnaround those that are left between the two.
    """

    kind: str
    who: str
    names: tuple[str, str]
    minutes: int


def conflicts(taken: Iterable[Taken]) -> list[Conflict]:
    """Every conflict, in order of the trips' starts. Two holds at once are the office's own business."""
    in_order = sorted(taken, key=lambda one: (one.starts_at, one.name))
    return [found for earlier, later_one in combinations(in_order, 2) for found in _between(earlier, later_one)]


def _between(earlier: Taken, following: Taken) -> Iterator[Conflict]:
    common = _minutes(following.starts_at, min(earlier.ends_at, following.ends_at))
    names = (earlier.name, following.name)
    if common > 0:
        for member in sorted(earlier.crew & following.crew):
            yield Conflict(kind="crew", who=member, names=names, minutes=common)
    if earlier.vessel != following.vessel or (earlier.is_hold and following.is_hold):
        return
    if common > 0:
        kind = "hold" if earlier.is_hold or following.is_hold else "overlap"
        yield Conflict(kind=kind, who=earlier.vessel, names=names, minutes=common)
    elif (gap := -common) * 60 < earlier.turnaround.total_seconds():
        yield Conflict(kind="turnaround", who=earlier.vessel, names=names, minutes=gap)


def _minutes(start: datetime, end: datetime) -> int:
    return int(elapsed(start, end).total_seconds()) // 60
