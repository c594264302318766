"""The crew portal in a browser: a deckhand, one hand, bad coverage; then the gate over every page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils.timezone import now

from bookings.enums import PaymentState
from bookings.services import TripDetails, amend_booking, set_payment_state
from crew import services
from crew.models import ChecklistItem, CrewEvent
from jada.audit.actors import SYSTEM
from tests.browser.conftest import violations
from tests.factories.crew import (
    DURING,
    a_crew_event,
    accepted,
    assignment_of,
    captain,
    crewed_vessel,
    day_checklist,
    event_of,
    mate,
    token_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(DURING, tick=True) as traveller:
        yield traveller


@pytest.fixture
def event() -> CrewEvent:
    captain("ines", name="Inés Calloway")
    mate("juno", name="Juno Park")
    day_checklist()
    vessel = crewed_vessel(name="Queen of the Bay")
    found = a_crew_event(
        vessel=vessel, guest_name="Maya Okafor", party_size=6, occasion="Anniversary", public_note="One guest uses a cane.",
    )  # fmt: skip
    accepted(found, "ines")
    return found


def link(event: CrewEvent, key: str = "juno") -> str:
    return f"/crew/event/{event.public_id}/confirm?token={token_of(event, key)}"


def enter(page: Any, event: CrewEvent, key: str = "juno") -> None:
    page.goto(link(event, key))
    page.get_by_role("button", name="Open my trip").click()
    page.wait_for_url(f"**/crew/event/{event.public_id}")


def all_saved(page: Any) -> None:
    from playwright.sync_api import expect  # a laptop without the browser still collects this file

    expect(page.locator("#net")).to_have_text("")


def test_a_mate_opens_the_link_accepts_and_ticks_the_list(phone: Any, event: CrewEvent) -> None:
    enter(phone, event)
    phone.get_by_role("button", name="Accept").click()
    phone.get_by_text("You’re on.").wait_for()
    phone.get_by_role("button", name="Open the boat, shore power off").click()
    phone.get_by_text("1 of 5").wait_for()
    all_saved(phone)

    assert assignment_of(event, "juno").status == "accepted"
    assert ChecklistItem.objects.get(event=event, key="open").done_by == "Juno Park"


def test_a_tap_without_signal_waits_and_is_saved_once(phone: Any, event: CrewEvent) -> None:
    accepted(event, "juno")
    enter(phone, event)
    phone.context.set_offline(True)
    phone.get_by_role("button", name="Open the boat, shore power off").click()
    phone.get_by_text("1 waiting for signal").wait_for()
    assert not ChecklistItem.objects.get(event=event, key="open").is_done

    phone.context.set_offline(False)
    all_saved(phone)

    item = ChecklistItem.objects.get(event=event, key="open")
    assert item.is_done
    assert item.ops.count() == 1
    phone.problems.clear()  # the browser itself reports that there was no signal


def test_a_tap_whose_link_has_ended_stays_visible(new_page: Any, event: CrewEvent) -> None:
    page = new_page("phone")
    accepted(event, "juno")
    enter(page, event)
    services.withdraw_member(assignment=assignment_of(event, "juno"), by=SYSTEM, at=now())
    page.get_by_role("button", name="Open the boat, shore power off").click()
    page.get_by_text("Not saved: open your link again").wait_for()

    assert page.get_by_text("1 of 5").is_visible()
    page.problems.clear()  # the browser itself reports the refusal


def test_the_list_works_without_script(new_page: Any, event: CrewEvent) -> None:
    page = new_page("phone", java_script_enabled=False)
    accepted(event, "juno")
    enter(page, event)
    page.get_by_role("button", name="Open the boat, shore power off").click()
    page.get_by_text("1 of 5").wait_for()

    assert page.url.endswith("#list")


def test_targets_are_large_enough_for_wet_hands(new_page: Any, event: CrewEvent) -> None:
    page = new_page("phone")
    accepted(event, "juno")
    enter(page, event)
    boxes = page.evaluate(
        "[...document.querySelectorAll('main a, main button')].map(e => e.getBoundingClientRect().height)"
    )

    assert min(boxes) >= 48


def test_nothing_scrolls_sideways_on_a_narrow_telephone(new_page: Any, event: CrewEvent) -> None:
    page = new_page("phone", viewport={"width": 320, "height": 640})
    accepted(event, "juno")
    enter(page, event)

    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_every_page_is_accessible(page: Any, event: CrewEvent) -> None:
    found: dict[str, Any] = {}
    page.goto(link(event))
    found["link"] = violations(page)
    enter(page, event)
    found["asked"] = violations(page)
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("You’re on.").wait_for()
    found["on"] = violations(page)
    page.get_by_role("button", name="Count life jackets").click()
    page.get_by_text("1 of 5").wait_for()
    found["ticked"] = violations(page)
    for name in ("", "link/asked", "declined"):
        page.goto(f"/crew/{name}")
        found[name or "trips"] = violations(page)

    assert {name: problems for name, problems in found.items() if problems} == {}


def test_a_closed_link_is_accessible_too(page: Any, event: CrewEvent) -> None:
    page.goto("/crew/event/NOSUCHTRIP/confirm?token=x")
    gone = violations(page)
    page.goto("/crew/event/NOSUCHTRIP")
    page.problems.clear()  # 410 and 404 are what is expected here

    assert gone == []
    assert violations(page) == []


def test_a_moved_trip_shows_its_new_time(phone: Any, event: CrewEvent) -> None:
    booking = event_of(event.booking).booking
    later = timedelta(hours=2)
    trip = TripDetails.of(booking)
    trip = replace(trip, starts_at=trip.starts_at + later, ends_at=trip.ends_at + later)
    amend_booking(booking=booking, trip=trip, by=SYSTEM, at=now())
    set_payment_state(booking=booking, state=PaymentState.PAID_IN_FULL, by=SYSTEM, at=now())
    enter(phone, event)

    assert phone.get_by_text("2:00 PM", exact=True).first.is_visible()
    assert phone.get_by_text("Do not depart").count() == 0


def test_a_tap_that_reaches_nobody_says_so_and_is_tried_again(new_page: Any, event: CrewEvent) -> None:
    page = new_page("phone")
    accepted(event, "juno")
    enter(page, event)
    page.route("**/task/*", lambda route: route.abort())
    page.get_by_role("button", name="Open the boat, shore power off").click()
    page.get_by_text("1 waiting for signal").wait_for()

    page.unroute("**/task/*")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    all_saved(page)

    assert ChecklistItem.objects.get(event=event, key="open").is_done
    page.problems.clear()
