"""Write every mirrored object out again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jada.outbox.resync import resync


class Command(BaseCommand):
    help = "Mark every mirrored object (crew events, guest pages) to be written out again. Repeats no mail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--topic", default="", help="only this kind, such as guests.page")

    def handle(self, *args: Any, **options: Any) -> None:
        count = resync(topic=options["topic"])
        self.stdout.write(f"{count} objects will be written out again.")
