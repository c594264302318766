"""The console's page of the preflight: the latest run, what mends each finding, and which jobs run by the clock."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString

from jada.audit.actors import Actor
from jada.console.models import PreflightRun
from jada.console.preflight import release, schedule
from jada.console.preflight.report import preflight
from jada.console.preflight.services import keep_report
from jada.findings import Level
from jada.modeladmin import ReadOnlyAdmin, plain_pill

RUN = "console.run_preflight"
EARLIER = 14


@admin.register(PreflightRun)
class PreflightAdmin(ReadOnlyAdmin):
    """The menu leads to the latest run; the list has the others, and a page of the same kind shows each."""

    heading = "Preflights"
    list_display = ("ran_at", "verdict", "ran_by", "version", "took")
    empty_title = "No preflight has run yet"
    empty_text = "One runs every day by itself."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        ours = [
            path("latest/", view(self.latest_view), name="preflight"),
            path("run/", view(self.run_view), name="preflight_run"),
        ]
        return [*ours, *super().get_urls()]

    @admin.display(description="result")
    def verdict(self, run: PreflightRun) -> SafeString:
        if run.errors:
            return plain_pill("bad", f"{run.errors} error{'' if run.errors == 1 else 's'}")
        if run.warnings:
            return plain_pill("warn", f"{run.warnings} warning{'' if run.warnings == 1 else 's'}")
        return plain_pill("ok", "In order")

    @admin.display(description="took", ordering="seconds")
    def took(self, run: PreflightRun) -> str:
        return f"{run.seconds:.1f} s"

    def latest_view(self, request: HttpRequest) -> HttpResponse:
        return self._page(request, PreflightRun.objects.first())

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        number = int(object_id) if object_id.isdecimal() and len(object_id) < 19 else 0
        return self._page(request, get_object_or_404(PreflightRun, pk=number))

    def run_view(self, request: HttpRequest) -> HttpResponse:
        """Look now, while the person waits: a few seconds, and never longer than the looks' own deadline.

        A worker would do it as well, but whether there is a worker is one of the questions.
        """
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(RUN):
            raise PermissionDenied
        report = preflight(clock=timezone.now)
        keep_report(report=report, by=Actor.user(request.user), at=report.at)
        messages.success(request, f"{len(report.findings)} looks were taken in {report.seconds:.1f} seconds.")
        return redirect("admin:preflight")

    def _page(self, request: HttpRequest, run: PreflightRun | None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        at = timezone.now()
        context = {
            **self.admin_site.each_context(request),
            "title": "Preflight",
            "run": run,
            "groups": _groups(run) if run else [],
            "earlier": PreflightRun.objects.exclude(pk=run.pk)[:EARLIER] if run else [],
            "is_latest": run is None or run == PreflightRun.objects.first(),
            "jobs": [(job, job.is_late(at)) for job in schedule.jobs()],
            "facts": _facts(),
            "may_run": request.user.has_perm(RUN),
        }
        return render(request, "admin/console/preflight.html", context)


def _groups(run: PreflightRun) -> list[tuple[str, str, list[dict[str, str]]]]:
    """(level, what it is called, its findings), what must be mended first; a level without findings is left out."""
    names = {Level.ERROR: "To mend now", Level.WARNING: "To look at", Level.OK: "In order"}
    found = [(level.value, name, [f for f in run.findings if f["level"] == level]) for level, name in names.items()]
    return [group for group in found if group[2]]


def _facts() -> list[tuple[str, str]]:
    """What runs, as one would ask on the telephone. No address of the database: it may hold a password."""
    return [
        ("Version", release.version()),
        ("Commit", release.commit()[:12] or "not known"),
        ("Installation", settings.ENVIRONMENT),
        ("Database", {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, connection.vendor)),
        ("Deliveries by", settings.OUTBOX_HOST),
        ("AWS", f"{settings.AWS_REGION}, {'a local emulator' if settings.AWS_ENDPOINT_URL else 'the real one'}"),
    ]
