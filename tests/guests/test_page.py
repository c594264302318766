import base64
import hashlib
import re
from dataclasses import fields, replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.utils import timezone, translation
from hypothesis import given, settings
from hypothesis import strategies as st

from guests.page import (
    LIVE,
    Dock,
    GuestPageView,
    SlugView,
    redact,
    render,
    render_calendar,
    render_gone,
    render_slug,
)
from guests.phases import Phase
from tests.guests.instants import dock
from tests.guests.views import FULL, START, full

KB = 1000  # bytes
FONT = django_settings.BASE_DIR / "infra" / "guest_assets" / "a" / "bricolage.woff2"


class Reader(HTMLParser):
    """Collects what a page loads, links to and hides."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def text_of(view: GuestPageView, version: int = 17) -> str:
    return render(view, version=version).decode()


class TestView:
    def test_has_no_field_for_money_surnames_or_contacts(self) -> None:
        assert {field.name for field in fields(GuestPageView)} == {
            "code", "base_url", "vessel", "zone", "starts_at", "ends_at", "arrive_at", "phase", "revision",
            "revised_at", "first_name", "party_size", "dock", "gate_code", "captain", "crew", "held_until",
            "moved_from", "moved_until",
        }  # fmt: skip

    def test_prints_its_code_in_capitals(self) -> None:
        assert full().url == "https://queenofsandiego.com/g/XHQGMDH"


class TestSecrets:
    @pytest.mark.parametrize("phase", [p for p in Phase if p not in (Phase.DAY, Phase.TODAY)])
    def test_the_gate_code_and_the_telephone_are_in_no_file_but_those_of_the_eve_and_the_day(
        self, phase: Phase
    ) -> None:
        html = text_of(full(phase))

        assert "4417#" not in html
        assert "555" not in html

    @pytest.mark.parametrize("phase", [Phase.DAY, Phase.TODAY])
    def test_they_are_published_from_the_eve_on(self, phase: Phase) -> None:
        assert "4417#" in text_of(full(phase))
        assert "tel:+16195550100" in text_of(full(phase))

    @pytest.mark.parametrize("phase", [Phase.HELD, Phase.CANCELLED, Phase.EXPIRED])
    def test_a_trip_that_is_not_on_shows_no_plan_and_no_address(self, phase: Phase) -> None:
        html = text_of(full(phase))

        for hidden in ("Harbor Island", "slip 12", "1880", 'class="plan"', "maps", "Ana", "Leo"):
            assert hidden not in html

    def test_afterwards_the_way_to_the_boat_is_gone(self) -> None:
        html = text_of(full(Phase.AFTER))

        assert "slip 12" not in html
        assert "1880" not in html

    def test_an_expired_page_knows_the_boat_and_the_month_only(self) -> None:
        html = text_of(full(Phase.EXPIRED))

        assert "JADA, December 2026" in html
        for personal in ("Maya", "XHQGMDH", "December 5", "2:30", "party"):
            assert personal not in html

    def test_its_calendar_file_is_empty(self) -> None:
        assert b"VEVENT" not in render_calendar(full(Phase.EXPIRED), version=1)

    def test_a_cancelled_pages_calendar_file_strikes_the_entry_and_names_no_place(self) -> None:
        body = render_calendar(full(Phase.CANCELLED), version=1)

        assert b"STATUS:CANCELLED" in body
        assert b"Harbor" not in body

    @pytest.mark.parametrize("phase", Phase)
    def test_a_preview_is_told_the_day_and_nothing_personal(self, phase: Phase) -> None:
        metas = [m for m in Reader(text_of(full(phase))).of("meta") if (m.get("property") or "").startswith("og:")]

        told = " ".join(m["content"] or "" for m in metas)
        assert "Maya" not in told
        assert "2:30" not in told

    @given(st.sampled_from(Phase))
    def test_redaction_is_done_once_and_for_all(self, phase: Phase) -> None:
        assert redact(redact(full(phase))) == redact(full(phase))


class TestBytes:
    def test_depend_on_the_view_and_the_version_alone(self) -> None:
        first = render(FULL, version=17)

        with timezone.override(ZoneInfo("Asia/Tokyo")), translation.override("de"):
            second = render(replace(FULL), version=17)

        assert first == second

    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from(Phase), st.text(max_size=20), st.text(max_size=8))
    def test_two_worlds_that_differ_only_in_what_is_redacted_give_the_same_bytes(
        self, phase: Phase, gate: str, phone: str
    ) -> None:
        one = full(phase)
        other = replace(one, gate_code=gate, dock=replace(one.dock, phone=phone))

        same = redact(one) == redact(other)
        assert (render(one, version=1) == render(other, version=1)) is same
        assert same or phase in (Phase.DAY, Phase.TODAY)

    def test_the_zone_in_which_an_instant_is_written_does_not_show(self) -> None:
        utc = ZoneInfo("UTC")
        elsewhere = replace(
            FULL,
            starts_at=FULL.starts_at.astimezone(utc),
            ends_at=FULL.ends_at.astimezone(utc),
            arrive_at=FULL.arrive_at.astimezone(utc),
        )

        assert render(elsewhere, version=17) == render(FULL, version=17)

    def test_two_versions_never_have_the_same_bytes(self) -> None:
        assert render(FULL, version=17) != render(FULL, version=18)
        assert "<!-- v=17 -->" in text_of(FULL)

    @pytest.mark.parametrize("phase", Phase)
    def test_a_page_fits_the_budget(self, phase: Phase) -> None:
        long = full(phase, first_name="Maximiliana-Alexandra", party_size=12, captain="Bartholomew")

        assert len(render(long, version=10**12 + 17)) <= 21 * KB
        assert len(render(full(phase), version=17)) <= 20 * KB

    def test_the_font_fits_the_budget(self) -> None:
        assert FONT.stat().st_size <= 35 * KB


class TestPolicy:
    @pytest.mark.parametrize("phase", Phase)
    def test_names_the_hashes_of_the_very_strings_that_are_inlined(self, phase: Phase) -> None:
        html = text_of(full(phase))

        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
        styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
        scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
        assert set(re.findall(r"sha256-[\w+/=]+", policy)) == {hashed(text) for text in styles + scripts}

    @pytest.mark.parametrize("phase", Phase)
    def test_no_style_is_written_on_an_element(self, phase: Phase) -> None:
        assert not re.search(
            r"\s(style|on\w+)=", re.sub(r"<(style|script)>.*?</\1>", "", text_of(full(phase)), flags=re.DOTALL)
        )

    @pytest.mark.parametrize("phase", [Phase.HELD, Phase.AFTER, Phase.CANCELLED, Phase.EXPIRED])
    def test_a_page_that_no_clock_turns_has_no_script(self, phase: Phase) -> None:
        html = text_of(full(phase))

        assert "<script" not in html
        assert "script-src 'none'" in html

    @pytest.mark.parametrize("phase", Phase)
    def test_nothing_is_loaded_but_the_font(self, phase: Phase) -> None:
        reader = Reader(text_of(full(phase)))

        loaded = [tag.get("href") for tag in reader.of("link")] + [tag.get("src") for tag in reader.of("img", "script")]
        assert [address for address in loaded if address and not address.startswith("data:")] == ["/a/bricolage.woff2"]

    def test_a_guests_name_is_text_whatever_it_says(self) -> None:
        html = text_of(full(first_name="<script>alert(1)</script>"))

        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


class TestFaces:
    @pytest.mark.parametrize("phase", LIVE)
    def test_a_file_holds_its_own_face_and_those_that_follow(self, phase: Phase) -> None:
        shown = {
            name for tag in Reader(text_of(full(phase))).of("div") for name in (tag.get("data-only") or "").split()
        }

        assert {p.value for p in LIVE[LIVE.index(phase) :]} <= shown | (
            {"booked", "moved"} if phase is Phase.MOVED else set()
        )
        assert "week" not in shown or phase in (Phase.MOVED, Phase.BOOKED, Phase.WEEK)

    @pytest.mark.parametrize("phase", Phase)
    def test_there_is_one_headline_and_one_place_to_skip_to(self, phase: Phase) -> None:
        reader = Reader(text_of(full(phase)))

        assert len(reader.of("h1")) == 1
        assert [tag for tag in reader.of("div") if tag.get("id") == "next"]

    def test_says_the_time_in_the_vessels_zone(self) -> None:
        assert "Saturday, December 5, 2:30 PM" in text_of(FULL)

    def test_a_moved_trip_strikes_the_old_time(self) -> None:
        html = text_of(full(Phase.MOVED))

        assert re.search(r"<s [^>]*>.*Saturday, December 5, 4:30 PM</s>", html)

    def test_the_plan_runs_from_arrival_to_return_with_the_sun_in_between(self) -> None:
        plan = re.findall(r'<time datetime="[^"]+">([^<]+)</time><div>([^<]+)', text_of(FULL))

        assert plan == [
            ("2:10 PM", "Arrive at Harbor Island, dock B"),
            ("2:30 PM", "Lines off"),
            ("4:06 PM", "Golden hour"),
            ("4:42 PM", "Sunset"),
            ("5:30 PM", "Back at the dock"),
        ]

    def test_a_night_on_board_ends_on_another_day(self) -> None:
        html = text_of(full(ends_at=START + timedelta(hours=20)))

        assert "<small>Sunday</small>" in html
        assert "20 hours aboard" in html.lower()

    def test_hours_are_elapsed_time_across_a_clock_change(self) -> None:
        view = full(starts_at=dock("2026-10-31 18:00"), ends_at=dock("2026-11-01 09:00"))

        assert "16 hours aboard" in text_of(view)

    def test_a_trip_without_position_has_a_calm_sea_and_directions_by_address(self) -> None:
        html = text_of(full(dock=Dock(name="Pier 1", address="1 Pier Way, San Diego")))

        assert "daddr=1+Pier+Way,+San+Diego" in html
        assert "sun’s path" not in html

    def test_a_trip_that_knows_next_to_nothing_still_has_a_page(self) -> None:
        bare = full(first_name="", party_size=None, dock=Dock(name=""), captain="", crew=())

        for phase in Phase:
            assert "<h1>" in text_of(replace(bare, phase=phase))
        assert "You’re sailing." in text_of(bare)

    def test_a_hold_without_a_date_waits_for_the_confirmation(self) -> None:
        assert "Waiting for your confirmation" in text_of(full(Phase.HELD, held_until=None))

    def test_a_single_guest_is_not_called_a_party(self) -> None:
        assert "one guest" in text_of(full(party_size=1))


class TestSmallPages:
    def test_a_slug_tells_the_boat_and_the_day_and_never_the_code(self) -> None:
        view = SlugView(
            slug="2026-12-05-maya-afternoon", base_url=FULL.base_url, vessel="JADA", day="Saturday, December 5"
        )

        html = render_slug(view, version=2).decode()

        assert "JADA" in html
        assert "Saturday, December 5" in html
        assert "refresh" not in html

    def test_a_retired_slug_sends_the_reader_on(self) -> None:
        view = SlugView(slug="2026-12-05-maya-sunset", base_url=FULL.base_url, current="2026-12-05-maya-afternoon")

        html = render_slug(view, version=2).decode()

        assert 'content="0; url=/g/2026-12-05-maya-afternoon.html"' in html
        assert 'href="/g/2026-12-05-maya-afternoon.html"' in html

    def test_the_slug_of_a_past_trip_tells_nothing(self) -> None:
        view = SlugView(slug="x", base_url=FULL.base_url, vessel="JADA", day="Saturday, December 5", over=True)

        html = render_slug(view, version=2).decode()

        assert "JADA" not in html
        assert "December" not in html

    def test_a_page_without_a_booking_has_a_last_word(self) -> None:
        html = render_gone(base_url=FULL.base_url, version=3).decode()

        assert "<!-- v=3 -->" in html
        assert 'href="https://queenofsandiego.com/"' in html


def hashed(text: str) -> Any:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
