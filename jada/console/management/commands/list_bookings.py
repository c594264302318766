"""The bookings as a list, for people and for programs. Money is on it only when it is asked for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from bookings.enums import BookingStatus
from bookings.finance.models import BookingFinance
from bookings.models import Booking
from guests.models import GuestPage

MONEY = ("gross", "fees", "payout")
COLUMNS = ("start", "end", "vessel", "status", "party_size", "guest_name", "channel", "external_id", "code")
Line = dict[str, str | int | None]


class Command(BaseCommand):
    help = "Lists bookings by departure. Times are ISO 8601 at the dock; amounts are shown with --money only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON list; amounts are strings")
        parser.add_argument("--money", action="store_true", help="with gross, fees and payout, where they are known")
        parser.add_argument("--status", choices=BookingStatus.values, help="only bookings of this status")
        parser.add_argument("--from", dest="first", metavar="DATE", type=_day, help="first local day, YYYY-MM-DD")
        parser.add_argument("--to", dest="last", metavar="DATE", type=_day, help="last local day, included")

    def handle(self, *args: Any, **options: Any) -> None:
        bookings = _found(options["status"], options["first"], options["last"])
        lines = _lines(bookings, money=options["money"])
        if options["json"]:
            self.stdout.write(json.dumps(lines, ensure_ascii=False, indent=2))
        else:
            self._table(lines, (*COLUMNS, *(MONEY if options["money"] else ())))

    def _table(self, lines: list[Line], columns: tuple[str, ...]) -> None:
        if not lines:
            self.stdout.write("No bookings.")
            return
        rows = [[_cell(column, line[column]) for column in columns] for line in lines]
        heads = [column.replace("_", " ") for column in columns]
        widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(columns))]
        for row in (heads, *rows):
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write it as 2027-05-30.") from None


def _found(status: str | None, first: date | None, last: date | None) -> list[Booking]:
    """By each vessel's own days: the database narrows them to a day around, the dock's calendar decides."""
    found = Booking.objects.select_related("vessel").order_by("starts_at", "pk")
    if status:
        found = found.filter(status=status)
    if first:
        found = found.filter(starts_at__gte=_midnight(first) - timedelta(days=1))
    if last:
        found = found.filter(starts_at__lt=_midnight(last) + timedelta(days=2))
    return [b for b in found if (first or date.min) <= b.local_start.date() <= (last or date.max)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, timezone.get_default_timezone())


def _lines(bookings: Iterable[Booking], *, money: bool) -> list[Line]:
    bookings = list(bookings)
    numbers = [booking.pk for booking in bookings]
    codes = dict(GuestPage.objects.filter(booking__in=numbers).values_list("booking_id", "code"))
    amounts: dict[int, dict[str, Any]] = {}
    if money:
        rows = BookingFinance.objects.filter(booking_id__in=numbers).values("booking_id", *MONEY)
        amounts = {row["booking_id"]: row for row in rows}
    return [
        _line(booking, codes.get(booking.pk))
        | ({name: _text(amounts.get(booking.pk, {}).get(name)) for name in MONEY} if money else {})
        for booking in bookings
    ]


def _line(booking: Booking, code: str | None) -> Line:
    return {
        "ref": booking.ref,
        "channel": booking.channel,
        "external_id": booking.external_id,
        "code": code,
        "status": booking.status,
        "guest_name": booking.guest_name,
        "start": booking.local_start.isoformat(),
        "end": booking.local_end.isoformat(),
        "party_size": booking.party_size,
        "vessel": booking.vessel.name,
    }


def _text(amount: object) -> str | None:
    return None if amount is None else str(amount)


def _cell(column: str, value: str | int | None) -> str:
    """Minutes are enough for people; the machine form has all of it."""
    if column in {"start", "end"}:
        return datetime.fromisoformat(str(value)).isoformat(" ", "minutes")
    return "" if value is None else str(value)
