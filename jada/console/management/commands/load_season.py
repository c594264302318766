from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookings.services import BookingRefused
from jada.console import season
from jada.console.conflicts import find_conflicts

WORDS = {
    "overlap": "{0} and {1} have {2.minutes} minutes in common on {2.who}",
    "hold": "{0} and {1} have {2.minutes} minutes in common on {2.who}",
    "turnaround": "{0} and {1} leave {2.minutes} minutes between them on {2.who}",
    "crew": "{0} and {1} both have {2.who} for {2.minutes} minutes",
}
DEMO_SEASON = settings.BASE_DIR / "samples" / "season.yaml"


class Command(BaseCommand):
    help = "Loads a company and its season of bookings from a file; adds what is missing and tells nobody."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, default=DEMO_SEASON, help="default: samples/season.yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            season.refuse_in_production()
            document = season.read(options["path"])
            loaded = season.load(document, at=datetime.now(UTC))
        except (season.SeasonRefused, BookingRefused) as refusal:
            raise CommandError(f"Nothing was loaded. {refusal}") from None
        added = ", ".join(f"{kind} ({count})" for kind, count in loaded.added.items() if count)
        self.stdout.write(f"Added {added}." if added else "Everything is there already: nothing was changed.")
        for conflict in find_conflicts(*season.window(document)):
            self.stdout.write(f"To settle: {WORDS[conflict.kind].format(*conflict.names, conflict)}.")
        if loaded.later:
            parts = ", ".join(part.replace("_", " ") for part in loaded.later)
            self.stdout.write(f"Not loaded, as nothing keeps them yet: {parts}.")
