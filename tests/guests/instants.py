"""One table of instants for both sides: pytest asks `phase(trip, at)`, a browser with a fixed clock asks the script.

The trips meet a clock change, midnight, and a night on board. Times are those of a clock at the dock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from guests.phases import Phase, State, Trip

DOCK = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True)
class Instant:
    trip: str
    at: datetime
    phase: Phase

    def __str__(self) -> str:
        return f"{self.trip} at {self.at:%d %b %H:%M:%S} is {self.phase.value}"


def dock(text: str, *, fold: int = 0) -> datetime:
    """`2026-12-05 14:30` on the dock's clock; `fold=1` is the second of two equal times."""
    return datetime.fromisoformat(text).replace(tzinfo=DOCK, fold=fold)


TRIPS = {
    "plain": Trip(starts_at=dock("2026-12-05 14:30"), ends_at=dock("2026-12-05 17:30"), zone=DOCK),
    # The clock goes back on 1 November 2026 at 2 AM: that week is an hour longer than seven days of 24.
    "clock goes back": Trip(starts_at=dock("2026-11-02 09:00"), ends_at=dock("2026-11-02 12:00"), zone=DOCK),
    # It goes forward on 14 March 2027 at 2 AM: from midnight to departure there is an hour less than it seems.
    "clock goes forward": Trip(starts_at=dock("2027-03-14 10:00"), ends_at=dock("2027-03-14 13:00"), zone=DOCK),
    "after midnight": Trip(starts_at=dock("2026-12-06 00:30"), ends_at=dock("2026-12-06 03:00"), zone=DOCK),
    "overnight": Trip(starts_at=dock("2026-10-31 18:00"), ends_at=dock("2026-11-01 09:00"), zone=DOCK),
    "moved": Trip(
        starts_at=dock("2026-12-05 14:30"),
        ends_at=dock("2026-12-05 17:30"),
        zone=DOCK,
        moved_at=dock("2026-11-27 10:00"),
    ),
    "moved late": Trip(
        starts_at=dock("2026-12-05 14:30"),
        ends_at=dock("2026-12-05 17:30"),
        zone=DOCK,
        moved_at=dock("2026-12-03 10:00"),
    ),
}
OVERRIDDEN = {
    "held": Trip(
        starts_at=dock("2026-12-05 14:30"), ends_at=dock("2026-12-05 17:30"), zone=DOCK, state=State.HELD
    ),
    "cancelled": Trip(
        starts_at=dock("2026-12-05 14:30"), ends_at=dock("2026-12-05 17:30"), zone=DOCK, state=State.CANCELLED
    ),
}  # fmt: skip

INSTANTS = [
    Instant("plain", dock("2026-11-01 09:00"), Phase.BOOKED),
    Instant("plain", dock("2026-11-27 23:59:59"), Phase.BOOKED),
    Instant("plain", dock("2026-11-28 00:00"), Phase.WEEK),
    Instant("plain", dock("2026-12-03 23:59:59"), Phase.WEEK),
    Instant("plain", dock("2026-12-04 00:00"), Phase.DAY),
    Instant("plain", dock("2026-12-04 23:59:59"), Phase.DAY),
    Instant("plain", dock("2026-12-05 00:00"), Phase.TODAY),
    Instant("plain", dock("2026-12-05 14:29:59"), Phase.TODAY),
    Instant("plain", dock("2026-12-05 14:30"), Phase.UNDERWAY),
    Instant("plain", dock("2026-12-05 17:29:59"), Phase.UNDERWAY),
    Instant("plain", dock("2026-12-05 17:30"), Phase.AFTER),
    # Another day in London and Tokyo already, yet not at the dock.
    Instant("plain", datetime(2026, 12, 5, 7, 59, tzinfo=UTC), Phase.DAY),
    Instant("clock goes back", dock("2026-10-25 23:59:59"), Phase.BOOKED),
    Instant("clock goes back", dock("2026-10-26 00:00"), Phase.WEEK),
    Instant("clock goes back", dock("2026-11-01 00:00"), Phase.DAY),
    Instant("clock goes back", dock("2026-11-01 01:30"), Phase.DAY),
    Instant("clock goes back", dock("2026-11-01 01:30", fold=1), Phase.DAY),
    Instant("clock goes back", dock("2026-11-01 23:59:59"), Phase.DAY),
    Instant("clock goes back", dock("2026-11-02 00:00"), Phase.TODAY),
    Instant("clock goes forward", dock("2027-03-13 23:59:59"), Phase.DAY),
    Instant("clock goes forward", dock("2027-03-14 00:00"), Phase.TODAY),
    Instant("clock goes forward", dock("2027-03-14 03:30"), Phase.TODAY),
    Instant("clock goes forward", dock("2027-03-14 10:00"), Phase.UNDERWAY),
    Instant("after midnight", dock("2026-12-04 23:59:59"), Phase.WEEK),
    Instant("after midnight", dock("2026-12-05 00:00"), Phase.DAY),
    Instant("after midnight", dock("2026-12-05 23:59:59"), Phase.DAY),
    Instant("after midnight", dock("2026-12-06 00:00"), Phase.TODAY),
    Instant("after midnight", dock("2026-12-06 00:30"), Phase.UNDERWAY),
    Instant("overnight", dock("2026-10-31 17:59:59"), Phase.TODAY),
    Instant("overnight", dock("2026-11-01 00:00"), Phase.UNDERWAY),
    Instant("overnight", dock("2026-11-01 01:30", fold=1), Phase.UNDERWAY),
    Instant("overnight", dock("2026-11-01 08:59:59"), Phase.UNDERWAY),
    Instant("overnight", dock("2026-11-01 09:00"), Phase.AFTER),
    Instant("moved", dock("2026-11-27 10:00"), Phase.MOVED),
    Instant("moved", dock("2026-11-30 09:59:59"), Phase.MOVED),
    Instant("moved", dock("2026-11-30 10:00"), Phase.WEEK),
    Instant("moved late", dock("2026-12-03 23:59:59"), Phase.MOVED),
    Instant("moved late", dock("2026-12-04 00:00"), Phase.DAY),
    Instant("moved late", dock("2026-12-05 08:00"), Phase.TODAY),
]

# What only the server knows: holds, cancellations and the end. The page's script has no say in them.
SERVER_ONLY = [
    Instant("plain", dock("2026-12-12 17:29:59"), Phase.AFTER),
    Instant("plain", dock("2026-12-12 17:30"), Phase.EXPIRED),
    Instant("overnight", dock("2026-11-08 09:00"), Phase.EXPIRED),
    Instant("held", dock("2026-11-01 09:00"), Phase.HELD),
    Instant("held", dock("2026-12-05 15:00"), Phase.HELD),
    Instant("held", dock("2026-12-12 17:30"), Phase.EXPIRED),
    Instant("cancelled", dock("2026-11-01 09:00"), Phase.CANCELLED),
    Instant("cancelled", dock("2026-12-12 17:29:59"), Phase.CANCELLED),
    Instant("cancelled", dock("2026-12-12 17:30"), Phase.EXPIRED),
]
