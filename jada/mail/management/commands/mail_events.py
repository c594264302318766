"""Hear what became of the mails: for a host without Celery's beat, and for a look by hand."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jada.failures import DeliveryFailure
from jada.mail import sync

LONG_POLL = 8  # seconds that SQS holds a question while it has nothing to say
PAUSE = 15  # seconds after a failure


class Command(BaseCommand):
    help = "Read the queue of mail events and apply what it says, until you end it; with --once, until it is empty."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when the queue is empty")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        while True:
            try:
                kept = sync.poll(wait=1 if once else LONG_POLL)
            except DeliveryFailure as failure:
                if once:
                    raise CommandError(failure.reason) from None
                self.stderr.write(failure.reason)
                time.sleep(PAUSE)
                continue
            sync.apply_events()
            if once:
                self.stdout.write(f"{kept} events of mails were read.")
                return
