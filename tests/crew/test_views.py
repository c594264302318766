"""The portal through a browser's eyes: the two-step way in, and the attacks A01 to A10 on it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client

from bookings.models import Booking
from crew import services
from crew.models import Assignment, ChecklistItem, CheckOp, CrewEvent, CrewLinkGrant, CrewSession
from crew.tokens import AUDIENCE, ISSUER, REQUIRED, TYP
from jada.audit.actors import SYSTEM
from jada.mail.models import Message
from tests.crew.test_tokens import unsigned
from tests.factories.bookings import START
from tests.factories.crew import (
    DURING,
    a_crew_event,
    accepted,
    assignment_of,
    captain,
    crew_of,
    crewed_vessel,
    day_checklist,
    mate,
    token_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

Enter = Callable[..., Client]
CSRF = re.compile(rb'(?<=name="csrfmiddlewaretoken" value=")\w+')
ENDS = START + timedelta(hours=3)


@pytest.fixture
def event() -> CrewEvent:
    captain("ines")
    mate("juno")
    day_checklist()
    return a_crew_event(vessel=crewed_vessel(name="Queen of the Bay"))


def confirm(event: CrewEvent, token: str) -> str:
    return f"/crew/event/{event.public_id}/confirm?token={token}"


def page_of(event: CrewEvent) -> str:
    return f"/crew/event/{event.public_id}"


def cookie(browser: Client) -> str:
    held = browser.cookies.get(settings.CREW_COOKIE_NAME)
    return held.value if held else ""


def forged(event: CrewEvent, **changes: object) -> str:
    """A token like Juno's real one with the real key, one claim or header changed; None takes it away."""
    header_changes = {name: changes.pop(name) for name in ("typ", "kid") if name in changes}
    claims = jwt.decode(token_of(event, "juno"), options={"verify_signature": False}) | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    key = services.links._keys()[settings.CREW_LINK_ACTIVE_KID]
    header = {"typ": TYP, "kid": settings.CREW_LINK_ACTIVE_KID} | header_changes
    return jwt.encode(claims, key, algorithm="HS256", headers=header)


def refused(event: CrewEvent, token: str) -> bytes:
    """Both steps refuse, quietly, and set no session. Answers the page."""
    browser = Client()
    page = browser.get(confirm(event, token))
    posted = browser.post(page_of(event) + "/confirm", {"token": token})

    assert (page.status_code, posted.status_code) == (410, 410)
    assert cookie(browser) == ""
    assert b"Queen of the Bay" not in page.content + posted.content
    return CSRF.sub(b"", page.content)


class TestTheWayIn:
    def test_the_link_shows_the_boat_the_day_and_one_button(self, event: CrewEvent) -> None:
        page = Client().get(confirm(event, token_of(event, "juno")))

        assert page.status_code == 200
        assert b"Queen of the Bay" in page.content
        assert b"Sunday 30 May" in page.content
        assert page.content.count(b"<button") == 1
        assert b"Dana" not in page.content

    def test_the_button_opens_a_session_and_a_clean_address(self, event: CrewEvent) -> None:
        browser = Client()

        answer = browser.post(page_of(event) + "/confirm", {"token": token_of(event, "juno")})

        held = answer.cookies[settings.CREW_COOKIE_NAME]
        assert (answer.status_code, answer["Location"]) == (303, page_of(event))
        assert (held["secure"], held["httponly"], held["samesite"], held["path"]) == (True, True, "Lax", "/")
        assert held.key == "__Host-sjcrew"
        assert browser.get(page_of(event)).status_code == 200

    def test_only_a_fingerprint_of_the_cookie_is_kept(self, event: CrewEvent, enter: Enter) -> None:
        key = cookie(enter(event, "juno"))

        assert len(key) >= 43
        assert key not in str(CrewSession.objects.values().get())

    def test_the_button_needs_the_pages_own_token_against_forgery(self, event: CrewEvent) -> None:
        browser = Client(enforce_csrf_checks=True)
        token = token_of(event, "juno")
        assert browser.post(page_of(event) + "/confirm", {"token": token}).status_code == 403

        csrf = CSRF.search(browser.get(confirm(event, token)).content)[0].decode()
        answer = browser.post(page_of(event) + "/confirm", {"token": token, "csrfmiddlewaretoken": csrf})

        assert answer.status_code == 303

    def test_the_key_changes_each_time(self, event: CrewEvent, enter: Enter) -> None:
        browser = enter(event, "juno")
        first = cookie(browser)

        enter(event, "juno", browser)

        assert cookie(browser) != first
        assert CrewSession.objects.count() == 1

    def test_two_trips_share_a_browser(self, event: CrewEvent, enter: Enter) -> None:
        other = a_crew_event(vessel=crewed_vessel(name="Petrel"), starts_at=START + timedelta(days=1))
        browser = enter(other, "juno", enter(event, "juno"))

        page = browser.get("/crew/")

        assert page.content.index(b"Queen of the Bay") < page.content.index(b"Petrel")
        assert browser.get(page_of(event)).status_code == browser.get(page_of(other)).status_code == 200

    def test_somebody_elses_link_signs_the_one_before_out(self, event: CrewEvent, enter: Enter) -> None:
        other = a_crew_event(vessel=crewed_vessel(), starts_at=START + timedelta(days=1))
        browser = enter(other, "ines", enter(event, "juno"))

        assert browser.get(page_of(event)).status_code == 404
        assert b"Juno" not in browser.get("/crew/").content

    def test_signing_out_ends_every_trip_of_the_browser(self, event: CrewEvent, enter: Enter) -> None:
        browser = enter(event, "juno")

        answer = browser.post("/crew/leave")

        assert (answer.status_code, answer["Location"]) == (303, "/crew/")
        assert not CrewSession.objects.exists()

    def test_without_a_session_the_page_says_what_to_do(self, event: CrewEvent) -> None:
        page = Client().get(page_of(event))

        assert page.status_code == 404
        assert b"Open your link again" in page.content
        assert b"Send me a new link" in page.content

    @pytest.mark.parametrize(
        "agent", [("Mozilla/5.0 (iPhone; CPU iPhone OS 19) Safari/605", "Safari on iPhone"), ("", ""), ("curl", "")]
    )
    def test_the_office_sees_which_browser(self, event: CrewEvent, agent: tuple[str, str]) -> None:
        Client(headers={"User-Agent": agent[0]}).post(page_of(event) + "/confirm", {"token": token_of(event, "juno")})

        assert CrewSession.objects.get().browser == agent[1]

    @pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::9", "not an address"])
    def test_addresses_are_kept_as_fingerprints(self, event: CrewEvent, address: str) -> None:
        browser = Client(REMOTE_ADDR=address)
        browser.post(page_of(event) + "/confirm", {"token": token_of(event, "juno")})

        assert address not in str(list(services.links.LinkUse.objects.values()))


class TestTheTrip:
    def test_shows_what_a_hand_needs_first(self, event: CrewEvent, enter: Enter) -> None:
        page = enter(event, "juno").get(page_of(event)).content.decode()

        order = [
            "Queen of the Bay",
            "Call time",
            "Guests",
            "Dock",
            "Do not depart",
            "Accept",
            "Crew",
            "Dana and 2 others",
            "Plan",
        ]
        places = [page.index(word) for word in order]
        assert places == sorted(places)

    def test_shows_the_list_and_telephones_once_accepted(self, event: CrewEvent, enter: Enter) -> None:
        browser = enter(event, "juno")
        before = browser.get(page_of(event)).content
        browser.post(page_of(event) + "/answer", {"answer": "accept"})
        after = browser.get(page_of(event)).content

        assert b"tel:" not in before
        assert b"Checklist" not in before
        assert b"tel:" in after
        assert b"0 of 5" in after

    def test_accepting_is_a_post_of_its_own(self, event: CrewEvent, enter: Enter) -> None:
        browser = enter(event, "juno")
        assert crew_of(event)["juno"] == "invited"

        answer = browser.post(page_of(event) + "/answer", {"answer": "accept"})

        assert (answer.status_code, answer["Location"]) == (303, page_of(event))
        assert crew_of(event)["juno"] == "accepted"

    def test_declining_thanks_asks_the_next_and_closes_the_page(self, event: CrewEvent, enter: Enter) -> None:
        mate("silas")
        browser = enter(event, "juno")

        answer = browser.post(page_of(event) + "/answer", {"answer": "decline"})

        assert (answer.status_code, answer["Location"]) == (303, "/crew/declined")
        assert crew_of(event) == {"ines": "invited", "juno": "declined", "silas": "invited"}
        assert browser.get(page_of(event)).status_code == 404
        assert b"Thank you" in browser.get("/crew/declined").content

    def test_an_answer_that_is_none_changes_nothing(self, event: CrewEvent, enter: Enter) -> None:
        answer = enter(event, "juno").post(page_of(event) + "/answer", {"answer": "perhaps"})

        assert answer.status_code == 400
        assert crew_of(event)["juno"] == "invited"

    def test_accepting_after_the_trip_is_told_kindly(
        self, event: CrewEvent, enter: Enter, clock: time_machine.Traveller
    ) -> None:
        browser = enter(event, "juno")
        clock.move_to(ENDS + timedelta(hours=1), tick=False)

        answer = browser.post(page_of(event) + "/answer", {"answer": "accept"})

        assert answer.status_code == 409
        assert b"not open to you any more" in answer.content

    def test_needs_as_many_queries_however_large_the_crew(
        self, event: CrewEvent, enter: Enter, django_assert_num_queries: Any
    ) -> None:
        browser = enter(event, "juno")
        accepted(event, "juno")
        with django_assert_num_queries(3):
            browser.get(page_of(event))

        services.assign_member(event=event, member=mate("silas"), by=SYSTEM, at=DURING)
        services.assign_member(event=event, member=mate("petra"), by=SYSTEM, at=DURING)
        with django_assert_num_queries(3):
            browser.get(page_of(event))

    def test_looking_changes_nothing(self, event: CrewEvent, enter: Enter) -> None:
        browser = enter(event, "juno")
        before = list(CrewSession.objects.values()), list(Assignment.objects.values())

        browser.get(page_of(event))
        browser.get("/crew/")

        assert (list(CrewSession.objects.values()), list(Assignment.objects.values())) == before


class TestTheList:
    @pytest.fixture
    def browser(self, event: CrewEvent, enter: Enter) -> Client:
        accepted(event, "juno")
        return enter(event, "juno")

    def url(self, event: CrewEvent) -> str:
        return f"{page_of(event)}/task/{ChecklistItem.objects.get(event=event, key='open').pk}"

    def test_a_form_ticks_and_returns_to_the_list(self, event: CrewEvent, browser: Client) -> None:
        answer = browser.post(self.url(event), {"to": "1"})

        assert (answer.status_code, answer["Location"]) == (303, page_of(event) + "#list")
        assert ChecklistItem.objects.get(event=event, key="open").done_by == "Juno Park"

    def test_the_queue_gets_json(self, event: CrewEvent, browser: Client) -> None:
        answer = browser.post(self.url(event), {"to": "1", "op": "tap-1"}, headers={"Accept": "application/json"})

        assert answer.json() == {"done": 1}

    def test_a_tap_that_is_repeated_counts_once(self, event: CrewEvent, browser: Client) -> None:
        browser.post(self.url(event), {"to": "1", "op": "tap-1"})
        browser.post(self.url(event), {"to": "0", "op": "tap-2"})
        browser.post(self.url(event), {"to": "1", "op": "tap-1"})

        assert not ChecklistItem.objects.get(event=event, key="open").is_done
        assert CheckOp.objects.count() == 2

    def test_whoever_has_not_accepted_ticks_nothing(self, event: CrewEvent, enter: Enter) -> None:
        answer = enter(event, "ines").post(self.url(event), {"to": "1"}, headers={"Accept": "application/json"})

        assert answer.status_code == 409
        assert not ChecklistItem.objects.get(event=event, key="open").is_done

    def test_nonsense_is_refused(self, event: CrewEvent, browser: Client) -> None:
        assert browser.post(self.url(event), {"to": "2"}).status_code == 409
        assert browser.post(f"{page_of(event)}/task/999999", {"to": "1"}).status_code == 404
        assert browser.post(f"{page_of(event)}/task/{10**30}", {"to": "1"}).status_code == 404
        assert browser.post(self.url(event), {"to": "1", "op": "a\0b" * 99}).status_code == 303

    def test_that_closes_between_two_looks_at_the_clock_is_told(
        self, event: CrewEvent, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def closed(**tap: object) -> None:
            raise services.ChecklistClosed("This checklist is closed: tell the captain what is still open.")

        monkeypatch.setattr("crew.services.tick", closed)

        answer = browser.post(self.url(event), {"to": "1"}, headers={"Accept": "application/json"})

        assert answer.status_code == 409
        assert "closed" in answer.json()["message"]

    def test_a_day_after_the_trip_it_is_closed(
        self, event: CrewEvent, browser: Client, clock: time_machine.Traveller
    ) -> None:
        clock.move_to(ENDS + timedelta(hours=25), tick=False)

        assert browser.post(self.url(event), {"to": "1"}).status_code == 404


class TestANewLink:
    def ask(self, browser: Client | None = None, **form: str) -> Any:
        return (browser or Client()).post("/crew/link", form)

    def mails(self) -> int:
        return Message.objects.filter(kind="crew.link").count()

    @pytest.mark.usefixtures("event")
    def test_goes_to_the_address_on_file(self) -> None:
        self.ask(email=" Juno@Crew.example ")

        assert [m.recipient for m in Message.objects.filter(kind="crew.link")] == [
            services.calling.CrewMember.objects.get(key="juno").recipient
        ]

    @pytest.mark.usefixtures("event")
    def test_is_answered_alike_whoever_asks(self) -> None:
        known, unknown = self.ask(email="juno@crew.example"), self.ask(email="nobody@crew.example")
        forged_one, empty = self.ask(token="x"), self.ask(email="\0")

        answers = {(a.status_code, a["Location"], a.content) for a in (known, unknown, forged_one, empty)}
        assert len(answers) == 1
        assert self.mails() == 1

    @pytest.mark.usefixtures("event")
    def test_is_sent_three_times_an_hour_at_most(self, clock: time_machine.Traveller) -> None:
        for _ in range(5):
            self.ask(email="juno@crew.example")
        assert self.mails() == 3

        clock.shift(timedelta(minutes=61))
        self.ask(email="juno@crew.example")
        assert self.mails() == 4

    @pytest.mark.usefixtures("event")
    def test_a_client_may_ask_ten_times_an_hour(self) -> None:
        for number in range(10):
            self.ask(email=f"nobody-{number}@crew.example")

        self.ask(email="juno@crew.example")
        assert self.mails() == 0

        self.ask(Client(REMOTE_ADDR="198.51.100.7"), email="juno@crew.example")
        assert self.mails() == 1

    def test_of_a_genuine_link_needs_no_address(self, event: CrewEvent) -> None:
        token = token_of(event, "juno")
        services.revoke_grant(grant=CrewLinkGrant.objects.get(member__key="juno"), reason="lost", by=SYSTEM, at=DURING)

        page = Client().get(confirm(event, token))
        assert b'type="email"' not in page.content

        self.ask(token=token)
        assert self.mails() == 1

    def test_is_built_from_the_setting_whatever_the_host_header_says(self, event: CrewEvent, settings: Any) -> None:
        settings.ALLOWED_HOSTS = ["*"]
        Client(SERVER_NAME="evil.example").post("/crew/link", {"email": "juno@crew.example"})

        assert services.link_of(CrewLinkGrant.objects.latest("pk")).startswith("https://sailjada.com/crew/event/")

    def test_goes_to_nobody_who_has_left(self, event: CrewEvent) -> None:
        token = token_of(event, "juno")
        services.calling.CrewMember.objects.filter(key="juno").update(active=False)

        self.ask(email="juno@crew.example")
        self.ask(token=token)

        assert self.mails() == 0


class TestAttacks:
    @pytest.mark.parametrize("alg", ["none", "None", "nOnE"])
    def test_a01_no_signature(self, event: CrewEvent, alg: str) -> None:
        refused(event, unsigned(alg))

    @pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
    @pytest.mark.parametrize("key", ["\0", "secret", settings.SECRET_KEY, "A" * 32])
    def test_a02_another_key(self, event: CrewEvent, key: str) -> None:
        claims = jwt.decode(token_of(event, "juno"), options={"verify_signature": False})

        refused(event, jwt.encode(claims, key, headers={"typ": TYP, "kid": settings.CREW_LINK_ACTIVE_KID}))

    def test_a03_the_token_of_another_trip(self, event: CrewEvent) -> None:
        other = a_crew_event(vessel=crewed_vessel(name="Petrel"), starts_at=START + timedelta(days=1))

        page = refused(event, token_of(other, "juno"))

        assert b"Petrel" not in page

    def test_a04_a_member_who_was_taken_off(self, event: CrewEvent, enter: Enter) -> None:
        token, browser, other = token_of(event, "juno"), enter(event, "juno"), enter(event, "ines")

        services.withdraw_member(assignment=assignment_of(event, "juno"), by=SYSTEM, at=DURING)

        refused(event, token)
        assert browser.get(page_of(event)).status_code == 404
        assert browser.post(page_of(event) + "/answer", {"answer": "accept"}).status_code == 404
        assert b"Queen of the Bay" not in browser.get("/crew/").content
        assert other.get(page_of(event)).status_code == 200

    @pytest.mark.parametrize("change", [{"active": False}, {"email": "new@crew.example"}])
    def test_a04_a_member_whose_row_was_edited_by_any_way(
        self, event: CrewEvent, enter: Enter, change: dict[str, object]
    ) -> None:
        browser, token = enter(event, "juno"), token_of(event, "juno")

        services.calling.CrewMember.objects.filter(key="juno").update(**change)

        assert browser.get(page_of(event)).status_code == 404
        refused(event, token)

    def test_a04_a_trip_that_was_cancelled(self, event: CrewEvent, enter: Enter) -> None:
        from bookings.services import cancel_booking

        browser, token = enter(event, "juno"), token_of(event, "juno")

        cancel_booking(booking=event.booking, reason="Storm", by=SYSTEM, at=DURING)

        assert browser.get(page_of(event)).status_code == 404
        refused(event, token)

    def test_a05_a_scanner_looks_first(self, event: CrewEvent, enter: Enter) -> None:
        link = confirm(event, token_of(event, "juno"))
        scanner = Client()
        assert scanner.head(link).status_code == 200
        for _ in range(5):
            assert settings.CREW_COOKIE_NAME not in Client().get(link).cookies
        scanner.post(page_of(event) + "/confirm", {"token": token_of(event, "juno")})

        grant = CrewLinkGrant.objects.get(member__key="juno")
        assert (grant.opens, grant.first_opened_at, grant.revoked_at) == (6, DURING, None)
        assert crew_of(event)["juno"] == "invited"

        human = enter(event, "juno")
        human.post(page_of(event) + "/answer", {"answer": "accept"})
        assert crew_of(event)["juno"] == "accepted"

    @pytest.mark.parametrize(("late", "status"), [(29, 200), (31, 410)])
    def test_a06_around_the_end_of_a_token(
        self, event: CrewEvent, clock: time_machine.Traveller, late: int, status: int
    ) -> None:
        soon = int((DURING + timedelta(minutes=5)).timestamp())
        clock.move_to(DURING + timedelta(minutes=5, seconds=late), tick=False)

        assert Client().get(confirm(event, forged(event, exp=soon))).status_code == status

    def test_a06_a_day_after_the_trip(self, event: CrewEvent, enter: Enter, clock: time_machine.Traveller) -> None:
        browser = enter(event, "juno")
        clock.move_to(ENDS + timedelta(hours=23), tick=False)
        assert browser.get(page_of(event)).status_code == 200

        clock.move_to(ENDS + timedelta(hours=25), tick=False)
        assert browser.get(page_of(event)).status_code == 404
        refused(event, token_of(event, "juno"))
        assert TestANewLink().ask(token=token_of(event, "juno")).status_code == 303
        assert TestANewLink().mails() == 0

    def test_a06_a_trip_that_moved_moves_the_window(self, event: CrewEvent, clock: time_machine.Traveller) -> None:
        from dataclasses import replace

        from bookings.services import TripDetails, amend_booking

        token = token_of(event, "juno")
        booking = Booking.objects.get(pk=event.booking_id)
        earlier = timedelta(days=7)
        trip = TripDetails.of(booking)
        trip = replace(trip, starts_at=trip.starts_at - earlier, ends_at=trip.ends_at - earlier)
        amend_booking(booking=booking, trip=trip, by=SYSTEM, at=DURING)

        clock.move_to(ENDS - earlier + timedelta(hours=25), tick=False)

        refused(event, token)

    def test_a07_every_wrong_token_gets_one_and_the_same_page(self, event: CrewEvent) -> None:
        wrong = [forged(event, **{name: None}) for name in REQUIRED]
        wrong += [
            forged(event, aud="sailjada:ics"),
            forged(event, aud=[AUDIENCE]),
            forged(event, iss="https://evil.example"),
        ]
        wrong += [forged(event, typ="JWT"), forged(event, kid="cl-2"), "", "x", ISSUER]

        assert len({refused(event, token) for token in wrong}) == 1

    @pytest.mark.parametrize("wrong", [{"jti": "another"}, {"av": 2}, {"sub": "SOMEBODY"}], ids=str)
    def test_a07_a_genuine_token_that_points_to_no_grant(self, event: CrewEvent, wrong: dict[str, object]) -> None:
        refused(event, forged(event, **wrong))

    def test_a08_no_token_travels_on(self, event: CrewEvent, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        token, browser = token_of(event, "juno"), Client()

        page = browser.get(confirm(event, token))
        answer = browser.post(page_of(event) + "/confirm", {"token": token})
        trip = browser.get(answer["Location"])

        assert token not in answer["Location"] + answer.content.decode() + trip.content.decode() + caplog.text
        for response in (page, answer, trip):
            assert response["Cache-Control"] == "no-store"
            assert response["Referrer-Policy"] == "strict-origin"
            assert "noindex" in response["X-Robots-Tag"]
        policy = {part.strip() for part in page["Content-Security-Policy"].split(";")}
        assert policy == {
            "default-src 'none'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        }  # fmt: skip
        assert b"<script" not in page.content
        assert not re.findall(rb'(?:src|href)="(?!/static/)', page.content)

    @pytest.mark.parametrize("field", ["gross", "notes", "crew", "is_staff", "public_note", "status"])
    def test_a09_a_member_writes_what_is_not_theirs(self, event: CrewEvent, enter: Enter, field: str) -> None:
        browser = enter(event, "juno")
        before = Booking.objects.values().get(), Assignment.objects.filter(member__key="ines").values().get()

        answers = [
            browser.patch(page_of(event), {field: "1"}, content_type="application/json"),
            browser.post(page_of(event), {field: "1"}),
            browser.post(page_of(event) + "/answer", {field: "1"}),
            browser.patch(f"/api/events/{event.public_id}", {field: "1"}, content_type="application/json"),
        ]

        assert [a.status_code for a in answers] == [405, 405, 400, 401]
        after = Booking.objects.values().get(), Assignment.objects.filter(member__key="ines").values().get()
        assert after == before

    def test_a10_another_trips_id_is_an_unknown_one(self, event: CrewEvent, enter: Enter) -> None:
        other = a_crew_event(vessel=crewed_vessel(), starts_at=START + timedelta(days=1))
        browser = enter(event, "juno")
        item = ChecklistItem.objects.filter(event=other).first()

        def seen(event_id: str) -> list[tuple[int, bytes]]:
            here = f"/crew/event/{event_id}"
            answers = [
                browser.get(here),
                browser.post(here + "/answer", {"answer": "accept"}),
                browser.post(f"{here}/task/{item.pk}", {"to": "1"}),
            ]
            return [(a.status_code, CSRF.sub(b"", a.content)) for a in answers]

        assert seen(other.public_id) == seen("N0SUCHTR1P")
        assert {status for status, _ in seen(other.public_id)} == {404}

    def test_a10_a_task_of_another_trip_on_my_own(self, event: CrewEvent, enter: Enter) -> None:
        other = a_crew_event(vessel=crewed_vessel(), starts_at=START + timedelta(days=1))
        accepted(event, "juno")
        item = ChecklistItem.objects.filter(event=other).first()

        answer = enter(event, "juno").post(f"{page_of(event)}/task/{item.pk}", {"to": "1"})

        assert answer.status_code == 404
        assert not ChecklistItem.objects.get(pk=item.pk).is_done

    @pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
    def test_a20_a_hostile_guest_name_stays_text(self, enter: Enter, name: str) -> None:
        mate("juno")
        event = a_crew_event(guest_name=name, occasion=name, public_note=name)

        page = enter(event, "juno").get(page_of(event)).content

        assert b"<script>alert" not in page
        assert b"<img" not in page
