"""One run of the preflight, whole or in part, and what it found."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError

from jada.console.preflight import here, release, schedule
from jada.console.preflight.schedule import Job
from jada.findings import PATIENCE, Check, Finding, Level, error, run


class UnknownCode(Exception):
    """Nothing has the code, or a code that begins so."""


@dataclass(frozen=True)
class Report:
    """`whole` says that nothing was left out: only then is it kept as the state of the installation."""

    at: datetime
    seconds: float
    version: str
    commit: str
    whole: bool
    findings: tuple[Finding, ...]
    jobs: tuple[Job, ...]

    def at_level(self, level: Level) -> list[Finding]:
        return [finding for finding in self.findings if finding.level is level]

    def as_json(self) -> dict[str, Any]:
        """For programs. `every` is in seconds, `last` null where a job never ran."""
        return {
            "version": self.version,
            "commit": self.commit,
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 2),
            "ok": not self.at_level(Level.ERROR),
            "findings": [asdict(finding) for finding in self.findings],
            "schedule": [
                {
                    "task": job.task,
                    "every": job.every.total_seconds(),
                    "last": job.last.isoformat() if job.last else None,
                }
                for job in self.jobs
            ],
        }


def preflight(
    *,
    clock: Callable[[], datetime],
    only: Collection[str] = (),
    offline: bool = False,
    patience: float = PATIENCE,
) -> Report:
    """Look, and say what was found; changes nothing. `only` names codes, or how they begin (`guest`).

    `offline` leaves out whatever asks the network. Raises UnknownCode for a code that nothing has.
    """
    at, began = clock(), time.monotonic()
    there = _checks(clock, offline=offline)
    if strange := [name for name in only if not any(_wanted(check.codes, [name]) for check in there)]:
        where = " without a network" if offline else ""
        raise UnknownCode(
            f"Nothing is called {', '.join(strange)}{where}: manage.py preflight --json names every code."
        )
    checks = [check for check in there if _wanted(check.codes, only)]
    found = tuple(f for f in run(checks, patience=patience) if _wanted((f.code,), only))
    return Report(
        at=at,
        seconds=time.monotonic() - began,
        version=release.version(),
        commit=release.commit(),
        whole=not only and not offline,
        findings=found,
        jobs=_jobs(),
    )


def _checks(clock: Callable[[], datetime], *, offline: bool) -> list[Check]:
    ours = here.checks(at=clock())
    if offline:
        return [check for check in ours if not check.far]
    from jada.console.preflight import sync  # late: the SDK takes half a second, and offline nobody needs it

    try:
        return [*ours, *sync.checks(clock=clock)]
    except DatabaseError:
        return [*ours, Check(("database.answers",), _no_database, "manage.py migrate", far=False)]


def _no_database() -> Iterator[Finding]:
    said = "The database does not say which pages are out: it is away, or lacks its migrations."
    yield error("database.answers", said, mend="manage.py migrate")


def _wanted(codes: Collection[str], only: Collection[str]) -> bool:
    return not only or any(code == name or code.startswith(f"{name}.") for code in codes for name in only)


def _jobs() -> tuple[Job, ...]:
    try:
        return tuple(schedule.jobs())
    except DatabaseError:
        return ()
