"""The looks at AWS, and at the newest page that should be out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from django.conf import settings

from guests import codes
from guests.enums import PageState
from guests.models import GuestPage
from jada.aws.preflight import checks as aws
from jada.findings import Check, Finding, ok

PAGE_CODES = ("page.stored", "page.served", "page.lifetime")


def checks(*, clock: Callable[[], datetime]) -> list[Check]:
    return [*aws.checks(clock=clock), _page()]


def _page() -> Check:
    """Chosen now, in the thread that may use the database; looked at in one of its own."""
    newest = GuestPage.objects.in_state(PageState.LIVE).order_by("-revised_at", "-pk").first()
    if newest is None:
        return Check(PAGE_CODES, _none, "manage.py resync", far=False)
    return aws.page_check(codes.guest_key(newest.code), settings.GUEST_BASE_URL + codes.printed_path(newest.code))


def _none() -> Iterator[Finding]:
    yield ok("page.served", "No guest page is out yet, so none was fetched.")
