"""Read every copy back, say what differs, set it right."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive, make_aware

from jada.outbox.copies import readable
from jada.outbox.reconcile import HEALING, NOT_CHECKED, ON_ITS_WAY, Finding, Report, everything, reconcile


class Command(BaseCommand):
    help = (
        "Compare every copy outside with the database: items, pages, calendar files, the public addresses, the calendar, "
        "the last mails. Exit 0: in step, on its way or healed; 1: something differs or could not be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--heal", action="store_true", help="owe anew what differs; mails are never repeated")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
        parser.add_argument("--topic", default="", help="only this kind, such as guests.page or calendar")
        parser.add_argument("--booking", default="", help="only what belongs to the booking of this public id")
        parser.add_argument(
            "--since", default="", help="only trips that start on this day or at this instant, or later"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        topic = options["topic"]
        if topic and topic not in readable():
            raise CommandError(f"Nothing is read back under the name {topic!r}: choose one of {', '.join(readable())}.")
        subject = f"booking:{options['booking'].strip().upper()}" if options["booking"] else ""
        objects = everything(topic=topic, subject=subject, since=_instant(options["since"]))
        report = reconcile(objects, heal=options["heal"])
        if subject and not report.in_step and not report.findings:
            kind = f" under {topic}" if topic else ""
            raise CommandError(
                f"Nothing outside belongs to a booking {options['booking']}{kind}: look at its public id."
            )
        self.stdout.write(json.dumps(_as_json(report), indent=2) if options["json"] else "\n".join(_lines(report)))
        if not report.clean:
            raise SystemExit(1)


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        day = parse_date(text)
        at = datetime.combine(day, time.min) if day else parse_datetime(text)
        if at is not None:
            return (make_aware(at) if is_naive(at) else at).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or none that every zone can hold
        pass
    raise CommandError(f"--since is {text!r}: give a day (2026-11-24) or an instant (2026-11-24T15:00-08:00).")


def _lines(report: Report) -> list[str]:
    lines = [line for finding in report.findings for line in _said(finding)]
    counts = {standing: len(report.of(standing)) for standing in ("differs", HEALING, ON_ITS_WAY, NOT_CHECKED)}
    rest = ", ".join(f"{count} {standing}" for standing, count in counts.items() if count)
    left = f", {report.left} not reached" if report.left else ""
    return [*lines, f"{report.in_step} in step{', ' if rest else ''}{rest}{left}."]


def _said(finding: Finding) -> list[str]:
    head = f"{finding.object.topic} {finding.object.key}: {finding.standing}"
    about = f" ({finding.object.subject})" if finding.object.subject else ""
    note = f". {finding.note}" if finding.note else ""
    return [f"{head}{about}{note}", *(f"  {difference}" for difference in finding.differences)]


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "clean": report.clean,
        "in_step": report.in_step,
        "not_reached": report.left,
        "findings": [
            {
                **asdict(finding.object),
                "standing": finding.standing,
                "note": finding.note,
                "differences": [asdict(difference) for difference in finding.differences],
            }
            for finding in report.findings
        ],
    }
