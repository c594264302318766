from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookings.services import BookingRefused
from jada.console import season

DEMO_SEASON = settings.BASE_DIR / "samples" / "season.yaml"


class Command(BaseCommand):
    help = "Loads a company and its season of bookings from a file; adds what is missing and tells nobody."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, default=DEMO_SEASON, help="default: samples/season.yaml")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loaded = season.load(season.read(options["path"]), at=datetime.now(UTC))
        except (season.SeasonRefused, BookingRefused) as refusal:
            raise CommandError(f"Nothing was loaded. {refusal}") from None
        added = ", ".join(f"{count} {kind}" for kind, count in loaded.added.items() if count)
        self.stdout.write(f"Added {added}." if added else "Everything is there already: nothing was changed.")
        if loaded.later:
            parts = ", ".join(part.replace("_", " ") for part in loaded.later)
            self.stdout.write(f"Not loaded, as nothing keeps them yet: {parts}.")
