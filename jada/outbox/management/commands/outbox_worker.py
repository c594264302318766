"""A worker process: delivers what is owed until it is told to stop."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jada.outbox import host


class Command(BaseCommand):
    # Only our own: the others import every page and API, 20 MB that no delivery needs. The web process runs them all.
    requires_system_checks = ("jada",)
    help = "Deliver what the outbox owes, until SIGTERM. --once delivers what is due now and ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="deliver what is due now, then end")
        parser.add_argument("--threads", type=int, default=None)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"{host.drain()} delivered")
            return
        done = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: done.set())
        host.start_threads(count=options["threads"], far=True)
        self.stdout.write("Delivering. Ctrl-C ends it.")
        done.wait()
        host.finish()
