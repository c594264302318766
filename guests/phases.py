"""Which face of the page is right at an instant, and when the next one is due. The page's script mirrors this.

Days are the vessel's calendar dates, never spans of 24 hours, so that a clock change moves no border.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db.models import TextChoices

KEPT = timedelta(days=7)  # after the end; then only a tombstone without personal data stays
MOVED_NOTICE = timedelta(days=3)  # how long a new time outranks the ordinary next step
WEEK_DAYS = 7


class Phase(TextChoices):
    """In the order in which a guest meets them; the last three are overrides and the end."""

    HELD = "held", "Held"
    BOOKED = "booked", "Booked"
    WEEK = "week", "The week before"
    DAY = "day", "The day before"
    TODAY = "today", "Today"
    UNDERWAY = "underway", "Under way"
    AFTER = "after", "Afterwards"
    MOVED = "moved", "Moved"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"


BY_CLOCK = (Phase.BOOKED, Phase.WEEK, Phase.DAY, Phase.TODAY, Phase.UNDERWAY, Phase.AFTER)  # the script may turn these
SECRETS_FROM = frozenset({Phase.DAY, Phase.TODAY})  # when a gate code may stand in the file


class State(StrEnum):
    """What the booking says, apart from the clock."""

    ON = "on"
    HELD = "held"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Trip:
    """What decides the phase. `moved_at` is the instant of the last change of time that the guest must notice."""

    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    state: State = State.ON
    moved_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        return self.ends_at.astimezone(UTC) + KEPT

    @property
    def moved_until(self) -> datetime | None:
        return self.moved_at.astimezone(UTC) + MOVED_NOTICE if self.moved_at else None


def phase(trip: Trip, at: datetime) -> Phase:
    """The one phase of a trip at an instant."""
    now = at.astimezone(UTC)
    if now >= trip.expires_at:
        return Phase.EXPIRED
    if trip.state is not State.ON:
        return Phase(trip.state.value)
    usual = _by_clock(trip, now)
    if usual in (Phase.BOOKED, Phase.WEEK) and trip.moved_until and now < trip.moved_until:
        return Phase.MOVED
    return usual


def next_turn(trip: Trip, at: datetime) -> datetime | None:
    """The first instant after `at` at which the phase is another; None when it is the last one."""
    now, current = at.astimezone(UTC), phase(trip, at)
    return next((border for border in _borders(trip) if border > now and phase(trip, border) != current), None)


def _by_clock(trip: Trip, now: datetime) -> Phase:
    if now >= trip.ends_at.astimezone(UTC):
        return Phase.AFTER
    if now >= trip.starts_at.astimezone(UTC):
        return Phase.UNDERWAY
    days = (trip.starts_at.astimezone(trip.zone).date() - now.astimezone(trip.zone).date()).days
    if days == 0:
        return Phase.TODAY
    if days == 1:
        return Phase.DAY
    return Phase.WEEK if days <= WEEK_DAYS else Phase.BOOKED


def _borders(trip: Trip) -> list[datetime]:
    day = trip.starts_at.astimezone(trip.zone).date()
    midnights = [
        datetime.combine(day - timedelta(days=before), time.min, tzinfo=trip.zone) for before in (WEEK_DAYS, 1, 0)
    ]
    instants = [*midnights, trip.starts_at, trip.ends_at, trip.expires_at]
    if trip.moved_until:
        instants.append(trip.moved_until)
    return sorted(instant.astimezone(UTC) for instant in instants)
