"""What is kept of the preflights."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from jada.audit.actors import Actor
from jada.console.models import PreflightRun
from jada.console.preflight.report import Report
from jada.findings import Level

KEPT: Final = 60  # two months of daily runs
DAILY: Final = timedelta(hours=24)


@transaction.atomic
def keep_report(*, report: Report, by: Actor, at: datetime) -> PreflightRun:
    """Keep a run as the latest, and let go of those of long ago."""
    run = PreflightRun.objects.create(
        ran_at=at,
        ran_by=str(by),
        seconds=report.seconds,
        version=report.version,
        commit=report.commit,
        errors=len(report.at_level(Level.ERROR)),
        warnings=len(report.at_level(Level.WARNING)),
        findings=[asdict(finding) for finding in report.findings],
    )
    old = list(PreflightRun.objects.values_list("pk", flat=True)[KEPT:])
    PreflightRun.objects.filter(pk__in=old).delete()
    return run


def is_due(*, at: datetime) -> bool:
    """Whether a day has passed since the last run, whoever ran it."""
    return not PreflightRun.objects.filter(ran_at__gt=at - DAILY).exists()
