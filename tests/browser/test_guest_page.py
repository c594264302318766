"""The guest page in a browser: its script agrees with `guests.phases`, and every face is accessible and self-contained.

The files are served as the edge does, under the same addresses, with nothing beside them but the font.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from guests.page import GuestPageView, SlugView, render, render_gone, render_slug
from guests.phases import BY_CLOCK, Phase, phase
from tests.guests.instants import INSTANTS, TRIPS, dock
from tests.guests.views import FULL, full

ADDRESS = "/g/XHQGMDH"
FONT = (settings.BASE_DIR / "infra" / "guest_assets" / "a" / "bricolage.woff2").read_bytes()
EARLY = dock("2026-11-22 09:00")
# A moment of each face that the clock turns, and what the countdown says then.
MOMENTS = {
    Phase.MOVED: (dock("2026-11-30 09:00"), "In 5 days"),
    Phase.BOOKED: (dock("2026-11-22 09:00"), "In 13 days"),
    Phase.WEEK: (dock("2026-12-01 09:00"), "In 4 days"),
    Phase.DAY: (dock("2026-12-04 18:00"), "Tomorrow"),
    Phase.TODAY: (dock("2026-12-05 08:30"), "Today, in 6 hours"),
    Phase.UNDERWAY: (dock("2026-12-05 16:30"), "Back at the dock in about 60 minutes"),
    Phase.AFTER: (dock("2026-12-05 18:00"), "Thank you for sailing with us"),
}

Show = Callable[..., Any]


@pytest.fixture
def show(live_server: Any) -> Iterator[Show]:
    """`show(page, body, at=…)` opens these bytes at the printed address, with the browser's clock standing still."""

    def open_it(page: Any, body: bytes, at: datetime = EARLY) -> Any:
        html = {"content_type": "text/html; charset=utf-8"}
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url.removeprefix(live_server.url)))
        page.route(f"**{ADDRESS}", lambda route: route.fulfill(body=body, **html))
        page.route("**/a/bricolage.woff2", lambda route: route.fulfill(body=FONT, content_type="font/woff2"))
        page.clock.set_fixed_time(at)
        page.goto(live_server.url + ADDRESS)
        return page

    yield open_it


def published(name: str, at: datetime) -> GuestPageView:
    """The view of a trip of the table, as the server would publish it at an instant."""
    trip = TRIPS[name]
    return replace(
        FULL,
        starts_at=trip.starts_at,
        ends_at=trip.ends_at,
        arrive_at=trip.starts_at - timedelta(minutes=20),
        phase=phase(trip, at),
        moved_from=trip.starts_at - timedelta(hours=2) if trip.moved_at else None,
        moved_until=trip.moved_until,
    )


def shown(page: Any) -> str:
    return str(page.evaluate("document.documentElement.dataset.phase"))


@pytest.fixture
def abroad(new_page: Callable[..., Any]) -> Any:
    """A visitor in Tokyo, whose calendar is a day ahead of the dock's for most of it."""
    return new_page("phone", timezone_id="Asia/Tokyo")


@pytest.fixture
def at_the_dock(new_page: Callable[..., Any]) -> Any:
    return new_page("phone")


class TestClock:
    def test_the_script_agrees_with_the_table_wherever_the_visitor_is(
        self, at_the_dock: Any, abroad: Any, show: Show
    ) -> None:
        """Each file is published long before the instant: what the script then shows is its own doing."""
        said: dict[str, tuple[str, str]] = {}
        for instant in INSTANTS:
            early = TRIPS[instant.trip].moved_at or dock("2026-09-01 09:00")
            body = render(published(instant.trip, early), version=1)
            said[str(instant)] = tuple(shown(show(page, body, instant.at)) for page in (at_the_dock, abroad))  # type: ignore[assignment]  # a pair

        assert said == {str(i): (i.phase.value, i.phase.value) for i in INSTANTS}

    @pytest.mark.parametrize("face", MOMENTS)
    def test_the_countdown_says_it_in_words(self, at_the_dock: Any, show: Show, face: Phase) -> None:
        at, words = MOMENTS[face]
        earlier = Phase.MOVED if face is Phase.MOVED else Phase.BOOKED

        page = show(at_the_dock, render(full(earlier, moved_until=dock("2026-12-01 10:00")), version=1), at)

        assert page.locator(".count").inner_text() == words

    def test_the_last_hour_counts_minutes(self, at_the_dock: Any, show: Show) -> None:
        page = show(at_the_dock, render(full(Phase.TODAY), version=1), dock("2026-12-05 13:50"))

        assert page.locator(".count").inner_text() == "Departing in 40 minutes"

    def test_a_visitors_clock_that_is_behind_never_turns_a_page_back(self, at_the_dock: Any, show: Show) -> None:
        page = show(at_the_dock, render(full(Phase.UNDERWAY), version=1), dock("2026-11-01 09:00"))

        assert shown(page) == "underway"
        assert page.locator(".next h2:visible").count() == 1

    @pytest.mark.parametrize("face", [Phase.HELD, Phase.CANCELLED, Phase.EXPIRED, Phase.AFTER])
    def test_what_the_server_decided_no_clock_turns(self, at_the_dock: Any, show: Show, face: Phase) -> None:
        page = show(at_the_dock, render(full(face), version=1), dock("2026-12-05 15:00"))

        assert shown(page) == face.value

    def test_the_step_of_now_is_marked(self, at_the_dock: Any, show: Show) -> None:
        page = show(at_the_dock, render(full(Phase.TODAY), version=1), dock("2026-12-05 16:20"))

        assert page.locator("[aria-current=step]").all_inner_texts() == [
            "4:06 PM\nGolden hour\nThe best light for pictures"
        ]

    def test_a_visitor_in_another_zone_is_told_whose_time_it_is(
        self, abroad: Any, at_the_dock: Any, show: Show
    ) -> None:
        body = render(full(), version=1)

        assert show(abroad, body).get_by_text("(time at the dock)").is_visible()
        assert not show(at_the_dock, body).get_by_text("(time at the dock)").is_visible()

    def test_a_page_left_open_turns_by_itself(self, at_the_dock: Any, show: Show) -> None:
        page = show(at_the_dock, render(full(Phase.TODAY), version=1), dock("2026-12-05 14:29:45"))

        page.clock.set_fixed_time(dock("2026-12-05 14:30:15"))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

        assert shown(page) == "underway"


class TestFaces:
    @pytest.mark.parametrize("face", Phase)
    def test_every_face_is_accessible_and_fits(self, page: Any, show: Show, violations: Any, face: Phase) -> None:
        at, _ = MOMENTS.get(face, (EARLY, ""))

        show(page, render(full(face), version=1), at)

        assert shown(page) == face.value
        assert page.locator("h1").inner_text().strip()
        assert page.locator(".next h2:visible").count() == 1
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    @pytest.mark.parametrize("face", Phase)
    def test_a_page_costs_two_requests(self, at_the_dock: Any, show: Show, face: Phase) -> None:
        page = show(at_the_dock, render(full(face), version=1))
        page.wait_for_load_state("networkidle")

        assert sorted(page.requested) == ["/a/bricolage.woff2", ADDRESS]

    @pytest.mark.parametrize("face", BY_CLOCK)
    def test_without_a_script_the_published_face_is_whole(self, new_page: Any, show: Show, face: Phase) -> None:
        page = show(new_page("phone", java_script_enabled=False), render(full(face), version=1), MOMENTS[face][0])

        assert page.locator(".next h2:visible").count() == 1
        assert page.locator("time:visible").first.inner_text() == "Saturday, December 5, 2:30 PM"

    @pytest.mark.parametrize("face", [Phase.BOOKED, Phase.TODAY, Phase.CANCELLED])
    def test_text_reflows_on_a_narrow_screen(self, new_page: Any, show: Show, face: Phase) -> None:
        narrow = {"viewport": {"width": 320, "height": 640}}

        page = show(new_page("phone", **narrow), render(full(face, first_name="Maximiliana-Alexandra"), version=1))

        assert page.evaluate("document.documentElement.scrollWidth") <= 320

    def test_a_finger_hits_every_button(self, at_the_dock: Any, show: Show) -> None:
        page = show(at_the_dock, render(full(Phase.TODAY), version=1), MOMENTS[Phase.TODAY][0])

        targets = page.locator(".btn:visible, summary:visible").all()
        assert len(targets) > 5
        assert min(target.bounding_box()["height"] for target in targets) >= 52

    def test_the_keyboard_skips_to_what_is_next(self, at_the_dock: Any, show: Show) -> None:
        page = show(at_the_dock, render(full(), version=1))

        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")

        assert page.evaluate("document.activeElement.id") == "next"

    def test_on_paper_it_is_at_most_two_pages(self, desk: Any, show: Show) -> None:
        page = show(desk, render(full(Phase.WEEK), version=1), MOMENTS[Phase.WEEK][0])

        printed = page.pdf(format="Letter")

        assert printed.count(b"/Type /Page\n") in (1, 2)

    def test_the_small_pages_are_accessible(self, page: Any, show: Show, violations: Any) -> None:
        current = SlugView(slug="s", base_url=FULL.base_url, vessel="JADA", day="Saturday, December 5")

        for body in (
            render_slug(current, version=1),
            render_slug(replace(current, over=True), version=1),
            render_gone(base_url=FULL.base_url, version=1),
        ):
            show(page, body)
            assert violations(page) == []

    def test_a_retired_name_arrives_at_the_new_one(self, at_the_dock: Any, show: Show, live_server: Any) -> None:
        current = "2026-12-05-maya-afternoon"
        view = SlugView(slug=current, base_url=FULL.base_url, vessel="JADA", day="Saturday, December 5")
        at_the_dock.route(
            f"**/g/{current}.html",
            lambda route: route.fulfill(body=render_slug(view, version=1), content_type="text/html; charset=utf-8"),
        )

        retired = SlugView(slug="2026-12-05-maya-sunset", base_url=FULL.base_url, current=current)
        page = show(at_the_dock, render_slug(retired, version=1))
        page.wait_for_url(f"**/g/{current}.html")

        assert page.locator("h1").inner_text() == "Sailing on JADA."
