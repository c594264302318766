"""The console's own jobs."""

from celery import shared_task
from django.utils.timezone import now

from jada.audit.actors import SYSTEM
from jada.console.preflight.report import preflight
from jada.console.preflight.services import is_due, keep_report


@shared_task(name="console.preflight", ignore_result=True)
def daily_preflight() -> None:
    """Asked often and done once a day: a schedule that counted from its own start would forget with each deployment."""
    if is_due(at=now()):
        report = preflight(clock=now)
        keep_report(report=report, by=SYSTEM, at=report.at)
