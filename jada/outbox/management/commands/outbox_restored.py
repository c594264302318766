"""After the database was restored from a backup."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import now

from jada.outbox.models import Mirror
from jada.outbox.restored import outbox_restored


class Command(BaseCommand):
    help = (
        "After a restore from a backup: raise the versions of everything published above what stands outside, and write "
        "it all out again. Stop the workers first. Repeats no mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--yes", action="store_true", help="do it; without it the command only says what it would do"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        count = Mirror.objects.count()
        if not options["yes"]:
            raise CommandError(
                f"This raises the versions of {count} published objects and writes them all out again. "
                "If the database was restored from a backup and the workers are stopped, run it with --yes."
            )
        epoch, written = outbox_restored(at=now())
        self.stdout.write(f"Epoch {epoch} has begun: {written} objects will be written out as the database knows them.")
        self.stdout.write("Start the workers. What was booked after the backup is not here: look at the intake inbox.")
