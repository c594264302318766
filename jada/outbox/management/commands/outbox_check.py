"""Do the rows of the outbox keep their promises?"""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from jada.outbox.invariants import INVARIANTS, violations


class Command(BaseCommand):
    help = "Ask the database whether the invariants of the outbox hold. Exit 1 and one sentence for each violation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines: holds, blind and violations of each")

    def handle(self, *args: Any, **options: Any) -> None:
        found = violations()
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(found), indent=2))
        else:
            for invariant in INVARIANTS.values():
                broken = [violation for violation in found if violation.invariant == invariant.name]
                self.stdout.write(f"{'BROKEN' if broken else 'ok':6} {invariant.name:3} {invariant.holds}")
                for violation in broken:
                    self.stdout.write(f"           {violation}")
        if found:
            sys.exit(1)


def _as_json(found: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": invariant.name,
            "holds": invariant.holds,
            "blind": invariant.blind,
            "violations": [asdict(violation) for violation in found if violation.invariant == invariant.name],
        }
        for invariant in INVARIANTS.values()
    ]
