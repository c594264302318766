"""The picture of the page: the sun's path on the day of the trip, computed offline from place and date.

It is information, not decoration: the guest's own hours are drawn solid, golden hour is a band, the sunset lies on
the horizon.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from astral import Observer, SunDirection
from astral.sun import elevation, golden_hour, sun

WIDTH, HEIGHT, HORIZON, ZENITH = 420, 176, 138, 26  # of the drawing, in its own units
DEEPEST = HEIGHT - HORIZON - 12  # how far below the horizon a line may sink
NIGHT_BELOW, GOLD_BELOW = -3.0, 14.0  # degrees of elevation at departure that choose the hero's colours
BEFORE_SUNRISE, AFTER_SUNSET = timedelta(minutes=40), timedelta(minutes=60)


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Sky:
    """One day's sun as a drawing; instants are in the vessel's zone, lines are `points` of an SVG polyline."""

    light: str  # day, gold or night: the sky at departure
    golden_from: datetime
    sunset: datetime
    whole: str
    trip: str
    departure: Point
    sunset_x: float
    golden_x: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT
    horizon: int = HORIZON


def sky(*, starts_at: datetime, ends_at: datetime, zone: ZoneInfo, latitude: float, longitude: float) -> Sky | None:
    """The sun over the dock on the trip's local date; None where it does not rise and set that day."""
    observer, start, end = Observer(latitude, longitude), starts_at.astimezone(zone), ends_at.astimezone(UTC)
    try:
        times = sun(observer, date=start.date(), tzinfo=zone)
        golden = golden_hour(observer, date=start.date(), direction=SunDirection.SETTING, tzinfo=zone)
    except ValueError:  # above the polar circles
        return None
    drawing = _Drawing(observer, *_window(start, end, times["sunrise"], times["sunset"]))
    return Sky(
        light=_light(elevation(observer, start)),
        golden_from=golden[0],
        sunset=times["sunset"],
        whole=drawing.line(drawing.first, drawing.last, 32),
        trip=drawing.line(start, min(end, drawing.last), 12),
        departure=drawing.point(start),
        sunset_x=drawing.x(times["sunset"]),
        golden_x=(drawing.x(golden[0]), drawing.x(golden[1])),
    )


def _window(start: datetime, end: datetime, sunrise: datetime, sunset: datetime) -> tuple[datetime, datetime]:
    """The hours drawn: the light of the day, widened to an early departure or a late return, until midnight at most."""
    midnight = datetime.combine(start.date() + timedelta(days=1), time.min, tzinfo=start.tzinfo).astimezone(UTC)
    first = min(sunrise.astimezone(UTC) - BEFORE_SUNRISE, start.astimezone(UTC) - BEFORE_SUNRISE)
    return first, max(sunset.astimezone(UTC) + AFTER_SUNSET, min(end + BEFORE_SUNRISE, midnight))


def _light(height: float) -> str:
    if height < NIGHT_BELOW:
        return "night"
    return "gold" if height < GOLD_BELOW else "day"


class _Drawing:
    """Clock time to x, elevation to y."""

    def __init__(self, observer: Observer, first: datetime, last: datetime) -> None:
        self.observer, self.first, self.last = observer, first, last
        self.span = (last - first) / timedelta(seconds=1)
        self.highest = max(elevation(observer, first + i * (last - first) / 64) for i in range(65))

    def x(self, at: datetime) -> float:
        share = (at.astimezone(UTC) - self.first) / timedelta(seconds=1) / self.span
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)

    def y(self, at: datetime) -> float:
        height = elevation(self.observer, at)
        if height >= 0:
            return round(HORIZON - height / self.highest * (HORIZON - ZENITH), 1)
        return round(HORIZON + DEEPEST * (1 - math.exp(height / 12)), 1)  # sinks into the sea, never out of the box

    def point(self, at: datetime) -> Point:
        return Point(self.x(at), self.y(at))

    def line(self, start: datetime, end: datetime, steps: int) -> str:
        first, last = start.astimezone(UTC), end.astimezone(UTC)
        points = (self.point(first + i * (last - first) / steps) for i in range(steps + 1))
        return " ".join(f"{point.x:g},{point.y:g}" for point in points)
