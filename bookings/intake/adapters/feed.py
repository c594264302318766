"""A channel's calendar feed (RFC 5545): it knows times and little else, so it never blanks or coarsens what a mail said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component
from icalendar.error import BrokenCalendarProperty

from bookings.intake.adapters import values
from bookings.intake.adapters.base import CERTAIN, RULE, Adapter, Feed, Meaning, Reading, Sheet, Source, Value
from bookings.intake.adapters.markup import tidy

MAX_ENTRIES = 2000


def is_feed(raw: bytes) -> bool:
    return raw[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").upper().startswith(b"BEGIN:VCALENDAR")


def read_feed(raw: bytes, adapters: Sequence[Adapter], *, zone: ZoneInfo) -> Sheet:
    """One reading an entry, in the feed's order. The channel is known by the entries' UIDs, which end in its domain."""
    try:
        calendar = Calendar.from_ical(_decoded(raw))
    except (ValueError, TypeError, KeyError, AttributeError):
        return _refused("The calendar cannot be read: it is damaged or not a calendar.")
    entries = [entry for entry in calendar.walk("VEVENT") if isinstance(entry, Component)][:MAX_ENTRIES]
    if not entries:
        return Sheet(source=Source.FEED, readings=(), many=True)
    owners = {
        adapter.channel: adapter for entry in entries for adapter in adapters if adapter.owns(_text(entry, "UID"))
    }
    if len(owners) != 1 or not (adapter := next(iter(owners.values()))).feed:
        return _refused("No channel that is known makes this calendar: its entries' UIDs name none, or several.")
    # The library leaves the escapes of non-standard properties as they are.
    name = re.sub(r"\\([,;\\])", r"\1", _text(calendar, "X-WR-CALNAME"))
    listing = name if adapter.feed.listing_from_name else ""
    readings = tuple(_read_entry(entry, adapter, adapter.feed, listing, zone) for entry in entries)
    return Sheet(source=Source.FEED, channel=adapter.channel, readings=readings, many=True)


def _refused(problem: str) -> Sheet:
    return Sheet(source=Source.FEED, readings=(Reading(problems=(problem,)),), many=True)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _text(component: Component, name: str) -> str:
    value = component.get(name)
    return tidy(str(value)) if isinstance(value, str) else ""


def _read_entry(entry: Component, adapter: Adapter, feed: Feed, listing: str, zone: ZoneInfo) -> Reading:
    problems: list[str] = []
    fields: dict[str, Value] = {}
    summary = _text(entry, "SUMMARY")
    kind = _kind(summary, _text(entry, "STATUS"), feed)
    if kind is None:
        problems.append(f"“{summary or '(no title)'}” is not known: a trip, or time that is only blocked?")
    period, all_day = _period(entry, zone, problems)
    for name, moment in zip(("start", "end"), period or (), strict=False):
        fields[name] = Value(value=moment, confidence=CERTAIN, evidence=_line(entry, name))
    if listing:
        fields["listing"] = Value(value=listing, confidence=CERTAIN, evidence=f"X-WR-CALNAME: {listing}")
    if kind != Meaning.NOT_A_BOOKING:
        _identify(entry, adapter, fields, problems)
        if all_day:
            problems.append("The entry has dates and no times.")
    elif problems:
        problems = []  # it blocks time and is no booking, whatever else it says
    stamp = _moment(entry, "DTSTAMP")
    return Reading(
        kind=kind,
        reason="block" if kind == Meaning.NOT_A_BOOKING else "",
        channel=adapter.channel,
        fields=fields,
        sent_at=stamp.replace(tzinfo=stamp.tzinfo or UTC) if isinstance(stamp, datetime) else None,
        problems=tuple(problems),
        all_day=all_day,
    )


def _kind(summary: str, status: str, feed: Feed) -> Meaning | None:
    if summary.casefold() in feed.blocked:
        return Meaning.NOT_A_BOOKING
    if summary.casefold() not in feed.booked:
        return None
    return Meaning.CANCELLATION if status.upper() == "CANCELLED" else Meaning.BOOKING


def _identify(entry: Component, adapter: Adapter, fields: dict[str, Value], problems: list[str]) -> None:
    """The id from the UID, and again from the description if it is there; the party from the description."""
    uid = _text(entry, "UID")
    external_id = uid.rpartition("@")[0]
    labels = {label: field for field, labels in adapter.labels.items() for label in labels}
    for line in re.split(r"[\r\n]+", str(entry.get("DESCRIPTION") or "")):
        label, _, said = (part.strip() for part in line.partition(":"))
        if label.casefold() in adapter.id.labels and said.casefold() != external_id.casefold():
            problems.append("The entry's UID and its description name different bookings.")
        elif labels.get(label.casefold()) == "party_size":
            party, whole = values.read_party(said)
            if party and whole:
                fields["party_size"] = Value(value=party, confidence=CERTAIN, evidence=tidy(line))
            else:
                problems.append(f"The number of guests cannot be read from “{tidy(said)}”.")
    if adapter.owns(uid) and adapter.id.accepts(external_id):
        fields["external_id"] = Value(value=external_id, confidence=RULE, evidence=f"UID: {uid}")
    else:
        problems.append("The entry's UID is not a booking's id of this channel.")


def _period(entry: Component, zone: ZoneInfo, problems: list[str]) -> tuple[tuple[datetime, datetime] | None, bool]:
    """((start, end) at the dock, all day?). Dates run from local midnight to local midnight, end excluded."""
    start, end, length = (_moment(entry, name) for name in ("DTSTART", "DTEND", "DURATION"))
    if entry.get("RRULE") is not None:
        problems.append("The entry repeats: enter its trips one by one.")
    all_day = isinstance(start, date) and not isinstance(start, datetime)
    if all_day and end is None and not isinstance(length, timedelta):
        length = timedelta(days=1)
    begins, ends = _instant(start, zone, problems), None
    if begins and end is None and isinstance(length, timedelta):
        # Days are wall-clock days, hours are elapsed time (RFC 5545 3.3.6).
        ends = begins + length if all_day else (begins.astimezone(UTC) + length).astimezone(zone)
    else:
        ends = _instant(end, zone, problems)
    if not begins or not ends or ends <= begins:
        problems.append("The entry has no start and end that make a time.")
        return None, all_day
    return (begins, ends), all_day


def _instant(moment: object, zone: ZoneInfo, problems: list[str]) -> datetime | None:
    """An instant at the dock: `Z` and TZID are converted, floating times are local, a date is its midnight."""
    if isinstance(moment, datetime):
        if moment.tzinfo:
            return moment.astimezone(zone)
        instant, why = values.local(moment, zone)
        problems += [why] if why else []
        return instant
    return datetime.combine(moment, time.min, zone) if isinstance(moment, date) else None


def _line(entry: Component, name: str) -> str:
    key = "DTSTART" if name == "start" else "DTEND"
    moment = _moment(entry, key)
    return f"{key}: {moment}" if moment is not None else f"DURATION: {_moment(entry, 'DURATION')}"


def _moment(entry: Component, name: str) -> object:
    """The value of a property with a date, a time or a length; None where there is none that can be read."""
    try:
        return getattr(entry.get(name), "dt", None)
    except BrokenCalendarProperty:
        return None
