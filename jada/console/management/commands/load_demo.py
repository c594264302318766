from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bookings.services import BookingRefused
from jada.console import demo, season


class Command(BaseCommand):
    help = "Makes the demo company: fleet, crew, roles, rates and trips around today. A second run changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            season.refuse_in_production()
            added = demo.load(at=datetime.now(UTC))
        except (season.SeasonRefused, BookingRefused) as refusal:
            raise CommandError(f"Nothing was made. {refusal}") from None
        words = ", ".join(f"{kind} ({count})" for kind, count in added.items() if count)
        self.stdout.write(f"Added {words}." if words else "The demo company is there: nothing was changed.")
