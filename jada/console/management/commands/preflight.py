import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils.timezone import now

from jada.audit.actors import Actor
from jada.console.preflight.report import Report, UnknownCode, preflight
from jada.console.preflight.services import keep_report
from jada.findings import Level


class Command(BaseCommand):
    help = (
        "Looks at the configuration that runs, at AWS and here, and says what is wrong and which command mends it. "
        "Changes nothing. Ends with 1 on an error."
    )
    requires_system_checks = ()  # what they would refuse is among the findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs: version, findings, schedule")
        parser.add_argument(
            "--only", nargs="+", metavar="CODE", default=[], help="these codes, or how they begin: guest"
        )
        parser.add_argument("--offline", action="store_true", help="leave out whatever asks the network")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = preflight(clock=now, only=options["only"], offline=options["offline"])
        except UnknownCode as unknown:
            raise CommandError(str(unknown)) from unknown
        self.stdout.write(json.dumps(report.as_json(), indent=2) if options["json"] else _for_people(report))
        if report.whole:
            self._keep(report)
        if report.at_level(Level.ERROR):
            raise SystemExit(1)

    def _keep(self, report: Report) -> None:
        """For the console's page; where there is no database to keep it in, what was said on the screen is enough."""
        try:
            keep_report(report=report, by=Actor("system", "command line"), at=report.at)
        except DatabaseError:
            self.stderr.write("The result is not kept for the console: the database does not take it.")


def _for_people(report: Report) -> str:
    wrong = [*report.at_level(Level.ERROR), *report.at_level(Level.WARNING)]
    lines = [f"JADA {report.version} {report.commit[:12]}".rstrip(), ""]
    for finding in [*report.at_level(Level.OK), *reversed(wrong)]:  # what matters last, where the eye is
        lines.append(f"{finding.level:<8} {finding.code:<22} {finding.said}")
        lines += [f"{'':<8} {'':<22} $ {finding.mend}"] if finding.mend else []
    lines += ["", "scheduled jobs:"]
    for job in report.jobs:
        last = f"last ran {job.last:%Y-%m-%d %H:%M:%S} UTC" if job.last else "never ran"
        lines.append(f"  {job.task:<32} every {job.every.total_seconds():g} s, {last}")
    counts = ", ".join(_counted(report, level) for level in (Level.ERROR, Level.WARNING))
    return "\n".join([*lines, "", f"{counts}, {len(report.findings)} looks in {report.seconds:.1f} s"])


def _counted(report: Report, level: Level) -> str:
    count = len(report.at_level(level))
    return f"{count} {level}{'' if count == 1 else 's'}"
