"""The Deliveries page in a browser: no finding at either size in either scheme, and every act by keyboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jada.audit.models import Event
from jada.outbox.enums import Mode, State
from jada.outbox.models import Attempt, Effect

LIST = "/admin/outbox/effect/"


@pytest.fixture
def manager(transactional_db: None, settings: Any) -> User:
    settings.OUTBOX_HOST = "celery"  # whose worker never ran
    return User.objects.create_superuser("ana", "ana@sailjada.com", "correct horse battery")


def owed(name: str, **fields: Any) -> Effect:
    now = timezone.now()
    usual: dict[str, Any] = {
        "topic": "crew.event", "key": name, "mode": Mode.STATE, "lane": f"lane:{name}", "subject": f"booking:{name}",
        "created_at": now - timedelta(hours=3), "run_at": now,
    }  # fmt: skip
    return Effect.objects.create(**usual | fields)


@pytest.fixture
def put(manager: User) -> Effect:
    """A put that is stuck, in the middle of one of everything else that can be wrong."""
    now = timezone.now()
    said = (
        "The bucket refused the put: AccessDenied for s3:PutObject on arn:aws:s3:::queenofsandiego.com/g/xhqgmdh.html"
    )
    stuck = owed("7QK2M", topic="guests.page", state=State.DEAD, cause="configuration", attempts=3, last_error=said)
    for tries in range(3):
        Attempt.objects.create(effect=stuck, claim_no=tries + 1, at=now, outcome="retry", error=said)
    owed("9FJ3T", run_at=now - timedelta(minutes=20))
    owed("2WPXC", topic="gone.thing")
    owed("5HB8N", topic="mail.message", mode=Mode.MESSAGE, depends_on=stuck)
    owed("8ZR4D", topic="mail.message", mode=Mode.MESSAGE, state=State.IN_DOUBT, last_error="The worker died.")
    owed("3KT6V", cause="retry", last_error="Throttled by DynamoDB", run_at=now + timedelta(minutes=2), attempts=1)
    owed("6MY7G", state=State.DEAD, cause="refused", attempts=3, last_error="Item size exceeds 400 KB")
    owed("4LD9S", state=State.DEAD, cause="bug", attempts=5, last_error="KeyError: 'starts_at'")
    owed("1XV5A")
    return stuck


def test_no_page_of_it_has_a_finding_or_runs_over_its_width(
    page: Any, violations: Any, sign_in: Any, manager: User, put: Effect
) -> None:
    sign_in(page, manager)

    for address in (
        LIST,
        f"{LIST}?state__in=pending,running,sending,in_doubt,dead",
        f"{LIST}?why=configuration",
        f"{LIST}?why=gave_up",
        f"{LIST}{put.pk}/change/",
        "/admin/",
    ):
        assert page.goto(address).status == 200, address
        assert page.get_by_text("The worker has never run.").is_visible(), address
        assert violations(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_a_group_is_chosen_and_retried_by_keyboard(new_page: Any, sign_in: Any, manager: User, put: Effect) -> None:
    desk = new_page("desk")
    sign_in(desk, manager)
    desk.goto(LIST)

    desk.get_by_role("link", name="1 Configuration").press("Enter")
    desk.get_by_label("Select all objects on this page for an action").press("Space")
    desk.get_by_label("Action:").select_option("Try again now")
    desk.get_by_role("button", name="Go").press("Enter")

    desk.get_by_text("On their way again: 1.").wait_for()
    assert Effect.objects.get(pk=put.pk).state == State.PENDING


def test_one_is_dropped_on_a_phone_with_its_reason(
    phone: Any, violations: Any, sign_in: Any, manager: User, put: Effect
) -> None:
    sign_in(phone, manager)
    phone.goto(f"{LIST}{put.pk}/change/")

    phone.get_by_role("button", name="Drop…").click()
    phone.get_by_text("1 more delivery waits for it").wait_for()
    assert violations(phone) == []
    phone.get_by_label("Why, for the history").fill("The trip is over")
    phone.get_by_role("button", name="Drop it").click()

    phone.get_by_text("Dropped: 1.").wait_for()
    assert Effect.objects.get(pk=put.pk).state == State.CANCELLED
    assert Event.objects.get(act="outbox.delivery.dropped").detail["reason"] == "The trip is over"
