"""The preflight's page in a browser: readable, without a finding of axe, at both sizes and in both schemes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from jada.audit.actors import SYSTEM, Actor
from jada.console.preflight.report import Report
from jada.console.preflight.services import keep_report
from jada.findings import error, ok, warning

MEND = (
    "aws cloudfront publish-function --name jada-guest-rewrite "
    '--if-match "$(aws cloudfront describe-function --name jada-guest-rewrite --query ETag --output text)"'
)
FINDINGS = (
    error("guest.function-code", "The function jada-guest-rewrite is edited but not published.", mend=MEND),
    error(
        "host.worker", "The worker has never run: no page, crew event or mail goes out.", mend="manage.py outbox_worker"
    ),
    warning("mail.from", "The MAIL FROM domain of sailjada.com is PENDING.", mend="aws sesv2 get-email-identity"),
    *(ok(f"guest.{name}", f"The {name} is as it should be.") for name in ("bucket", "region", "origin", "policy")),
)


@pytest.fixture
def manager(transactional_db: None) -> User:
    return User.objects.create_superuser("ana", "ana@sailjada.com", "correct horse battery")


def keep(at: datetime, *, findings: Any = FINDINGS, by: Actor = SYSTEM) -> None:
    report = Report(at=at, seconds=2.4, version="0.1.0", commit="f" * 40, whole=True, findings=findings, jobs=())
    keep_report(report=report, by=by, at=at)


def test_the_page_has_no_finding_and_does_not_run_over_its_width(
    page: Any, violations: Any, sign_in: Any, manager: User
) -> None:
    sign_in(page, manager)

    page.goto("/admin/console/preflightrun/latest/")
    assert page.get_by_text("No preflight has run yet").is_visible()
    assert violations(page) == []
    keep(datetime(2026, 11, 23, 12, tzinfo=UTC), findings=FINDINGS[2:])
    keep(datetime(2026, 11, 24, 12, tzinfo=UTC), by=Actor("user", "ana"))
    page.goto("/admin/console/preflightrun/latest/")

    assert page.get_by_text("publish-function").is_visible()
    assert page.get_by_role("heading", name="Preflight").is_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("details.order > summary").click()
    assert page.get_by_text("The bucket is as it should be").is_visible()
    assert violations(page) == []
    page.goto("/admin/console/preflightrun/")
    assert page.get_by_text("2 errors").is_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
