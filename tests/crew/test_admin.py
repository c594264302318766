"""The console's pages of the crew side, as the ops manager uses them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crew.models import (
    Assignment,
    ChecklistTemplate,
    CrewEvent,
    CrewLinkGrant,
    CrewMember,
    CrewRequirement,
    CrewSession,
)
from jada.mail.models import Message
from jada.modeladmin import ConsoleAdmin
from tests.factories.crew import (
    a_crew_event,
    accepted,
    assignment_of,
    captain,
    crew_of,
    crewed_vessel,
    day_checklist,
    grant_of,
    host,
    mate,
    token_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

OURS = [model for model in admin.site._registry if model._meta.app_label == "crew"]


@pytest.fixture
def console(ops: User) -> Client:
    browser = Client()
    browser.force_login(ops)
    return browser


@pytest.fixture
def event() -> CrewEvent:
    captain("ines")
    mate("juno")
    day_checklist()
    return a_crew_event()


def act(console: Client, model: str, action: str, *pks: int) -> str:
    """Press an action on some rows; answers the page that follows."""
    body = {"action": action, "_selected_action": [str(pk) for pk in pks]}
    return console.post(reverse(f"admin:crew_{model}_changelist"), body, follow=True).content.decode()


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
class TestEveryPage:
    def test_is_under_the_consoles_own_base(self, model: Any) -> None:
        assert isinstance(admin.site._registry[model], ConsoleAdmin)

    def test_lists_and_shows_without_a_token(self, model: Any, console: Client, event: CrewEvent, enter: Any) -> None:
        accepted(event, "juno")
        enter(event, "juno")
        name = f"admin:crew_{model._meta.model_name}"
        pages = [console.get(reverse(f"{name}_changelist"))]
        row = model.objects.first()
        if row is not None:
            pages.append(console.get(reverse(f"{name}_change", args=[row.pk])))

        assert {page.status_code for page in pages} == {200}
        for page in pages:
            assert token_of(event, "juno") not in page.content.decode()
            assert grant_of(event, "juno").jti not in page.content.decode()


def test_the_lists_need_as_many_queries_however_long_they_are(
    console: Client, event: CrewEvent, django_assert_max_num_queries: Any
) -> None:
    host("noor")
    mate("silas")
    a_crew_event(vessel=crewed_vessel(), party_size=13)

    for model in ("crewmember", "crewevent", "assignment", "crewlinkgrant"):
        with django_assert_max_num_queries(11):
            console.get(reverse(f"admin:crew_{model}_changelist"))


class TestTheRoster:
    def form(self, **changes: Any) -> dict[str, Any]:
        empty = {
            f"{name}-{count}": "0" for name in ("credentials", "days_off") for count in ("TOTAL_FORMS", "INITIAL_FORMS")
        }
        usual = {"name": "Juno Park", "key": "juno", "role": "first_mate", "roles": ["deckhand"], "call_order": "1"}
        return {**empty, **usual, "active": "on", "email": "juno@crew.example", "languages": ["en", "es"], **changes}

    def test_a_member_is_added(self, console: Client) -> None:
        answer = console.post(reverse("admin:crew_crewmember_add"), self.form())

        juno = CrewMember.objects.get()
        assert answer.status_code == 302
        assert (juno.roles, juno.languages, juno.contact_by) == (["deckhand"], ["en", "es"], [])

    def test_somebody_set_inactive_is_replaced_at_once(self, console: Client, event: CrewEvent) -> None:
        mate("silas")
        juno = CrewMember.objects.get(key="juno")

        console.post(reverse("admin:crew_crewmember_change", args=[juno.pk]), self.form(active=""))

        assert crew_of(event) == {"ines": "invited", "juno": "withdrawn", "silas": "invited"}

    def test_a_new_address_gets_a_new_link(self, console: Client, event: CrewEvent) -> None:
        old = grant_of(event, "juno")

        console.post(reverse("admin:crew_crewmember_change", args=[old.member_id]), self.form(email="new@crew.example"))

        old.refresh_from_db()
        assert old.revoke_reason == "the address on file has changed"
        assert grant_of(event, "juno").revoked_at is None

    def test_nobody_is_deleted(self, console: Client, event: CrewEvent) -> None:
        juno = CrewMember.objects.get(key="juno")

        assert console.post(reverse("admin:crew_crewmember_delete", args=[juno.pk]), {"post": "yes"}).status_code == 403

    def test_is_searched_by_name_and_address(self, console: Client, event: CrewEvent) -> None:
        found = console.get(reverse("admin:crew_crewmember_changelist"), {"q": "juno@crew"}).content.decode()

        assert "Juno Park" in found
        assert "Ines Calloway" not in found

    def test_says_which_paper_ends_first(self, console: Client) -> None:
        from datetime import date

        captain("old", expires=date(2027, 5, 1))
        captain("soon", expires=date(2027, 6, 1))
        captain("far", expires=date(2029, 6, 1))

        page = console.get(reverse("admin:crew_crewmember_changelist")).content.decode()

        assert 'pill-bad">master 100gt ended 1 May 2027' in page
        assert 'pill-warn">master 100gt to 1 Jun 2027' in page
        assert 'pill-ok">master 100gt to 1 Jun 2029' in page


class TestATripsCrew:
    def test_somebody_is_put_aboard_by_hand(self, console: Client) -> None:
        event, juno = a_crew_event(), mate("juno")

        console.post(reverse("admin:crew_assignment_add"), {"event": event.pk, "member": juno.pk})

        made = Assignment.objects.get()
        assert (made.status, made.by_hand, str(made.place)) == ("invited", True, "Mate or deckhand")

    def test_a_second_captain_is_refused_on_the_form(self, console: Client, event: CrewEvent) -> None:
        tobias = captain("tobias")

        answer = console.post(reverse("admin:crew_assignment_add"), {"event": event.pk, "member": tobias.pk})

        assert answer.status_code == 200
        assert "Ines Calloway has that place: withdraw Ines Calloway first." in answer.content.decode()

    def test_no_state_can_be_typed(self, console: Client, event: CrewEvent) -> None:
        asked = assignment_of(event, "juno")

        console.post(reverse("admin:crew_assignment_change", args=[asked.pk]), {"status": "accepted"})

        assert crew_of(event)["juno"] == "invited"

    def test_withdrawing_calls_the_next(self, console: Client, event: CrewEvent) -> None:
        mate("silas")

        page = act(console, "assignment", "withdraw", assignment_of(event, "juno").pk)

        assert "1 withdrawn." in page
        assert crew_of(event) == {"ines": "invited", "juno": "withdrawn", "silas": "invited"}

    def test_inviting_again_says_who_cannot_be(self, console: Client, event: CrewEvent) -> None:
        accepted(event, "ines")

        page = act(
            console, "assignment", "invite_again", assignment_of(event, "ines").pk, assignment_of(event, "juno").pk
        )

        assert "Ines Calloway is confirmed already" in page
        assert "1 invited again." in page
        assert assignment_of(event, "juno").version == 2

    def test_a_new_link_is_sent(self, console: Client, event: CrewEvent) -> None:
        act(console, "assignment", "send_link", assignment_of(event, "juno").pk)

        assert Message.objects.filter(kind="crew.link").count() == 1

    def test_a_lost_telephone_ends_every_session(self, console: Client, event: CrewEvent, enter: Any) -> None:
        browser = enter(event, "juno")

        act(console, "assignment", "revoke_links", assignment_of(event, "juno").pk)

        assert browser.get(f"/crew/event/{event.public_id}").status_code == 404
        assert not CrewSession.objects.exists()

    def test_nothing_to_do_is_said(self, console: Client, event: CrewEvent) -> None:
        Assignment.objects.update(status="declined")

        assert "None of these could be" in act(console, "assignment", "withdraw", assignment_of(event, "juno").pk)

    def test_open_places_are_called_for(self, console: Client) -> None:
        event = a_crew_event()
        mate("juno")

        assert "Invited: Juno Park." in act(console, "crewevent", "call_open_places", event.pk)
        assert "Nobody was invited" in act(console, "crewevent", "call_open_places", event.pk)

    def test_the_list_says_how_many_are_confirmed(self, console: Client, event: CrewEvent) -> None:
        accepted(event, "ines")

        assert 'pill-warn">1 of 2' in console.get(reverse("admin:crew_crewevent_changelist")).content.decode()


def test_a_link_is_ended(console: Client, event: CrewEvent) -> None:
    page = act(console, "crewlinkgrant", "revoke", grant_of(event, "juno").pk)

    assert "Links ended: 1." in page
    assert CrewLinkGrant.objects.get(member__key="juno").revoke_reason == "ended in the console"


def test_requirements_and_lists_say_what_they_apply_to(console: Client) -> None:
    crewed_vessel()
    day_checklist()

    requirements = console.get(reverse("admin:crew_crewrequirement_changelist")).content.decode()
    lists = console.get(reverse("admin:crew_checklisttemplate_changelist")).content.decode()

    assert CrewRequirement.objects.count() == 3
    assert "adds when over 12" in requirements
    assert "Every other product" in requirements
    assert ChecklistTemplate.objects.get().name in lists


def test_somebody_faster_is_told_in_words(console: Client, event: CrewEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the form's question and the act another hand may fill the place."""
    tobias = captain("tobias")
    monkeypatch.setattr("crew.services.why_not", lambda **asked: "")

    page = console.post(reverse("admin:crew_assignment_add"), {"event": event.pk, "member": tobias.pk}, follow=True)

    assert "Ines Calloway has that place" in page.content.decode()
