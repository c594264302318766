"""A reading as the record that `samples/intake/README.md` describes: JSON, amounts as strings, null for what is not said."""

from __future__ import annotations

from datetime import datetime

from bookings.intake.adapters.base import Datum, Reading, Sheet

Json = dict[str, object]


def as_json(reading: Reading, *, stamped: bool = True) -> Json:
    """The record. With `quarantined` and `problems` if it must stand before a person.

    `stamped=False` leaves `sent_at` out, for the entries of a feed: a feed is made anew at each reading.
    """
    record: Json = {
        "kind": str(reading.kind) if reading.kind else None,
        "channel": reading.channel or None,
        "external_id": plain(reading.get("external_id")),
        "guest": {name: plain(reading.get(f"guest_{name}")) for name in ("name", "email", "phone")},
    }
    names = ("listing", "start", "end", "party_size", "gross", "fees", "payout", "currency", "notes")
    record |= {name: plain(reading.get(name)) for name in names}
    if stamped:
        record["sent_at"] = plain(reading.sent_at)
    optional: Json = {
        "reason": reading.reason,
        "all_day": reading.all_day,
        "alternate_ids": list(reading.alternate_ids),
        "supersedes": reading.supersedes,
        "quarantined": reading.quarantined,
        "problems": list(reading.problems),
    }
    return record | {name: value for name, value in optional.items() if value}


def sheet_as_json(sheet: Sheet) -> Json:
    """One record for a message; `{"channel": ..., "records": [...]}` for a feed, in its order."""
    if not sheet.many:
        return as_json(sheet.readings[0])
    records = [as_json(reading, stamped=False) for reading in sheet.readings]
    return {"channel": sheet.channel or None, "records": records}


def plain(value: Datum | None) -> str | int | None:
    """As JSON has it: a party is a number, everything else is text."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, int) else str(value)
