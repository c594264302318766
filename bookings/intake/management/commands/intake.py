"""Messages from files into bookings, or into the inbox where a person decides."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from bookings.enums import Channel
from bookings.intake import services
from bookings.intake.adapters.base import Reading, Sheet
from bookings.intake.adapters.record import Json, sheet_as_json
from bookings.intake.adapters.registry import read
from bookings.intake.enums import Arrival
from bookings.intake.services import Accepted
from jada.audit.actors import Actor

STANDARD_INPUT = "-"


class Command(BaseCommand):
    help = (
        "Takes in messages of booking channels: a mail (.eml) or a calendar feed (.ics) a FILE, - for standard input. "
        "What is certain becomes a booking; the rest is kept and waits in the intake inbox. "
        "With --json: one record for a message, {channel, records} for a feed, a list of these for several files, "
        "in their order; every amount is a string and null means that the message does not say."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a file, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="read, show, and write nothing")
        parser.add_argument(
            "--json", action="store_true", help="for programs; without --dry-run, with what became of it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        files = [(name, _bytes_of(name)) for name in options["files"]]  # all of them, before anything is done
        if options["dry_run"]:
            sheets = [(name, _preview(raw, name)) for name, raw in files]
            records = [sheet_as_json(sheet) for _, sheet in sheets]
            lines = [line for name, sheet in sheets for line in _seen(name, sheet)]
        else:
            taken = self._taken(files)
            records = [_with_outcome(accepted) for _, accepted in taken]
            lines = [line for name, accepted in taken for line in _done(name, accepted)]
        if options["json"]:
            answer: object = records[0] if len(records) == 1 else records
            lines = [json.dumps(answer, ensure_ascii=False, indent=2)]
        for line in lines:
            self.stdout.write(line)

    def _taken(self, files: list[tuple[str, bytes]]) -> list[tuple[str, Accepted]]:
        at, by = timezone.now(), Actor("system", "manage.py intake")
        try:
            return [(name, self._accept(raw, name, by, at)) for name, raw in files]
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                f"The database cannot be used ({error}): is it there, and has `manage.py migrate` been run?"
            ) from error

    def _accept(self, raw: bytes, name: str, by: Actor, at: datetime) -> Accepted:
        return services.accept_message(raw=raw, name=Path(name).name, source=Arrival.COMMAND, by=by, at=at)


def _bytes_of(name: str) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except IsADirectoryError:
        raise CommandError(f"{name} is a folder: name the files in it.", returncode=2) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no path"
        raise CommandError(
            f"{name} cannot be read ({reason.lower()}): check the path. Nothing was done.", returncode=2
        ) from None


def _preview(raw: bytes, name: str) -> Sheet:
    try:
        return services.preview(raw=raw, name=Path(name).name)
    except (OperationalError, ProgrammingError):  # no database yet, so no listings either: the office's clock will do
        office = ZoneInfo(settings.TIME_ZONE)
        return read(raw, name=Path(name).name, zone=office, staff_domains=settings.STAFF_DOMAINS)


def _with_outcome(accepted: Accepted) -> Json:
    """The record as it is kept, and what became of it."""
    records = [
        {key: value for key, value in record.items() if key not in ("evidence", "unknown_labels")}
        for record in accepted.message.reading
    ]
    many = accepted.many
    record: Json = {"channel": accepted.message.channel or None, "records": records} if many else records[0]
    outcome = {
        "state": accepted.message.state,
        "bookings": [booking.ref for booking in accepted.bookings],
        "problems": list(accepted.problems),
        "new": accepted.fresh,
    }
    return record | {"outcome": outcome}


# --- for people: no amounts, no contacts, so that a terminal's history and a log may hold it -----------------------------


def _seen(name: str, sheet: Sheet) -> Iterator[str]:
    for reading in sheet.readings:
        yield f"{name}: {_summary(reading)}"
        yield from _sentences(reading.problems)
    if not sheet.readings:
        yield f"{name}: nothing in it."


def _done(name: str, accepted: Accepted) -> Iterator[str]:
    refs = ", ".join(f"{booking.ref} {booking.get_status_display().lower()}" for booking in accepted.bookings)
    if not accepted.fresh:
        yield f"{name}: came before, nothing was done. {refs}".rstrip()
        return
    yield f"{name}: {accepted.message.get_state_display().lower()}{f': {refs}' if refs else ''}."
    if accepted.quarantined:
        yield "  It is kept, and waits in the intake inbox because:"
        yield from _sentences(accepted.problems)


def _sentences(problems: tuple[str, ...]) -> Iterator[str]:
    yield from (f"  - {problem}" for problem in problems)


def _summary(reading: Reading) -> str:
    if reading.kind is None:
        return "waits for a person: not known what it is."
    channel = Channel(reading.channel).label
    if reading.reason:
        return f"no booking ({reading.reason.replace('_', ' ')}), {channel}."
    start, end = reading.get("start"), reading.get("end")
    when = ""
    if isinstance(start, datetime) and isinstance(end, datetime):
        when = f", {start:%a %-d %b %Y, %-I:%M %p} to {end:%-I:%M %p}"
    party = f", {reading.get('party_size')} guests" if reading.get("party_size") else ""
    name = f", {reading.get('guest_name')}" if reading.get("guest_name") else ""
    waits = "; waits for a person" if reading.quarantined else ""
    return f"{reading.kind} {reading.external_id or 'without an id'}, {channel}{name}{when}{party}{waits}."
