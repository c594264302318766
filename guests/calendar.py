"""The guest's calendar entry: one .ics file and one Google link, from the same few facts.

The bytes follow from the arguments alone. The time stamp is the trip's own, never the clock's, so that the same trip
gives the same file for ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, Timezone, vText

PRODUCT = "-//Queen of San Diego//Guest page//EN"
GOOGLE = "https://calendar.google.com/calendar/render?"
YEAR = timedelta(days=366)  # either side of the trip: Outlook wants the zone's rules, but not those since 1970


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One trip as a calendar entry. `revision` becomes SEQUENCE; `stamp` is when this revision came to be."""

    uid: str
    revision: int
    stamp: datetime
    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    summary: str
    location: str
    description: str
    url: str
    cancelled: bool = False


def calendar_file(entry: Entry, *, version: int) -> bytes:
    """The .ics. A cancelled trip keeps its UID, so that calendars strike the entry they already have."""
    calendar = _empty(version)
    calendar.add_component(_event(entry))
    local = entry.starts_at.astimezone(entry.zone), entry.ends_at.astimezone(entry.zone)
    calendar.add_missing_timezones(local[0].date() - YEAR, local[1].date() + YEAR)
    return bytes(calendar.to_ical())


def blank_file(zone: ZoneInfo, *, day: datetime, version: int) -> bytes:
    """What stays when the page has expired: a valid calendar that holds a time zone and no event."""
    calendar = _empty(version)
    local = day.astimezone(zone).date()
    calendar.add_component(Timezone.from_tzid(zone.key, first_date=local - YEAR, last_date=local + YEAR))
    return bytes(calendar.to_ical())


def google_link(entry: Entry) -> str:
    """Opens Google's own form, filled in; nothing is sent before the guest presses Save there."""
    dates = "/".join(f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}" for at in (entry.starts_at, entry.ends_at))
    query = {"action": "TEMPLATE", "text": entry.summary, "dates": dates, "location": entry.location}
    return GOOGLE + urlencode(query | {"details": entry.description})


def _empty(version: int) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar["X-PUBLISHED-VERSION"] = vText(str(version))  # two versions never have the same bytes
    return calendar


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", entry.stamp.astimezone(UTC))
    event.add("sequence", entry.revision)
    event.add("dtstart", entry.starts_at.astimezone(entry.zone))
    event.add("dtend", entry.ends_at.astimezone(entry.zone))
    event.add("summary", entry.summary)
    event.add("location", entry.location)
    event.add("description", entry.description)
    event.add("url", entry.url)
    event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
    if not entry.cancelled:
        event.add_component(_alarm(entry.summary))
    return event


def _alarm(summary: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", f"Tomorrow: {summary}")
    alarm.add("trigger", timedelta(days=-1))
    return alarm
