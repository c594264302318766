from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from icalendar import Calendar

from guests.calendar import Entry, blank_file, calendar_file, google_link
from tests.guests.instants import DOCK, dock

ENTRY = Entry(
    uid="XHQGMDH@queenofsandiego.com",
    revision=2,
    stamp=datetime(2026, 11, 1, 12, tzinfo=UTC),
    starts_at=datetime(2026, 12, 5, 22, 30, tzinfo=UTC),
    ends_at=datetime(2026, 12, 6, 1, 30, tzinfo=UTC),
    zone=DOCK,
    summary="Sailing on JADA",
    location="Harbor Island; dock B, slip 12",
    description="Please be at the dock by 2:10 PM.\nUntil then!",
    url="https://queenofsandiego.com/g/XHQGMDH",
)


def event_of(body: bytes) -> dict[str, Any]:
    (event,) = Calendar.from_ical(body).walk("VEVENT")
    return dict(event)


def test_the_entry_says_when_in_the_vessels_zone() -> None:
    event = event_of(calendar_file(ENTRY, version=3))

    assert event["DTSTART"].dt == dock("2026-12-05 14:30")
    assert event["DTSTART"].params["TZID"] == "America/Los_Angeles"
    assert event["DTEND"].dt == dock("2026-12-05 17:30")


def test_text_is_escaped_and_comes_back_whole() -> None:
    event = event_of(calendar_file(ENTRY, version=3))

    assert event["LOCATION"] == ENTRY.location
    assert event["DESCRIPTION"] == ENTRY.description


def test_the_zones_rules_stand_in_the_file_but_not_those_since_1970() -> None:
    body = calendar_file(ENTRY, version=3)

    assert body.count(b"BEGIN:VTIMEZONE") == 1
    assert b"DTSTART:19" not in body


def test_a_change_raises_the_sequence_and_keeps_the_uid() -> None:
    before, after = (event_of(calendar_file(e, version=3)) for e in (ENTRY, replace(ENTRY, revision=3)))

    assert (before["UID"], after["UID"]) == (ENTRY.uid, ENTRY.uid)
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (2, 3)


def test_a_cancelled_trip_strikes_the_same_entry_without_an_alarm() -> None:
    body = calendar_file(replace(ENTRY, cancelled=True), version=3)

    assert event_of(body)["STATUS"] == "CANCELLED"
    assert event_of(body)["UID"] == ENTRY.uid
    assert b"VALARM" not in body


def test_the_same_entry_is_the_same_bytes() -> None:
    assert calendar_file(ENTRY, version=3) == calendar_file(ENTRY, version=3)


def test_two_versions_never_have_the_same_bytes() -> None:
    assert calendar_file(ENTRY, version=3) != calendar_file(ENTRY, version=4)


def test_lines_are_folded_for_old_readers() -> None:
    body = calendar_file(replace(ENTRY, description="ü" * 400), version=3)

    assert max(len(line) for line in body.split(b"\r\n")) <= 75


def test_what_stays_of_an_expired_page_holds_no_event() -> None:
    body = blank_file(DOCK, day=ENTRY.starts_at, version=9)

    assert b"VEVENT" not in body
    assert Calendar.from_ical(body).walk("VTIMEZONE")


def test_googles_link_carries_utc_and_the_place() -> None:
    query = parse_qs(urlsplit(google_link(ENTRY)).query)

    assert query["dates"] == ["20261205T223000Z/20261206T013000Z"]
    assert query["location"] == [ENTRY.location]
