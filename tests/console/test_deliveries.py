"""The Deliveries page: late first, grouped by cause, retried and dropped by people whom history names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client

from jada.audit.models import Event
from jada.console.roles import make_roles
from jada.mail.models import Message
from jada.outbox import heartbeats, registry, signs
from jada.outbox.enums import Mode, State
from jada.outbox.heartbeats import SCHEDULE, SWEEPER, WORKER
from jada.outbox.models import Attempt, Breaker, Effect, Mirror
from jada.outbox.troubles import Trouble
from tests.factories.bookings import a_booking

pytestmark = [pytest.mark.django_db]
NOW = datetime(2027, 5, 20, 16, 0, tzinfo=UTC)
LIST = "/admin/outbox/effect/"
UNDELIVERED = f"{LIST}?state__in=pending,running,sending,in_doubt,dead"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    heartbeats.forget()
    with time_machine.travel(NOW, tick=False):
        yield
    heartbeats.forget()


@pytest.fixture
def console(client: Client, ops: User) -> Client:
    client.force_login(ops)
    return client


def somebody(client: Client, role: str) -> Client:
    make_roles()
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def owed(name: str, **fields: Any) -> Effect:
    """A row of its own lane, owed an hour ago."""
    usual: dict[str, Any] = {
        "topic": "crew.event", "key": name, "mode": Mode.STATE, "lane": f"lane:{name}", "subject": f"booking:{name}",
        "created_at": NOW - timedelta(hours=1), "run_at": NOW - timedelta(seconds=5),
    }  # fmt: skip
    return Effect.objects.create(**usual | fields)


def dead(name: str, cause: str, **fields: Any) -> Effect:
    return owed(name, state=State.DEAD, cause=cause, last_error=f"{name} went wrong.", **fields)


def html(client: Client, address: str = UNDELIVERED) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def groups(page: str) -> dict[str, int]:
    """Label -> count, in the order of the page."""
    found = re.findall(r'<a href="\?why=\w+"[^>]*><b>(\d+)</b><span>([^<]+)</span>', page)
    return {label: int(count) for count, label in found}


def rows(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'name="_selected_action" value="(\d+)"', page)]


def act(client: Client, action: str, *effects: Effect, **fields: Any) -> Any:
    chosen = {"action": action, "_selected_action": [e.pk for e in effects]}
    return client.post(UNDELIVERED, chosen | fields, follow=True)


class TestGrouping:
    @pytest.mark.parametrize(
        ("cause", "label"),
        [
            ("configuration", "Configuration"),
            ("refused", "Refused"),
            ("bug", "Error of the program"),
            ("in_doubt", "In doubt"),
            ("retry", "No answer for three days"),
            ("restored", "Copies newer than the database"),
            ("", "Error of the program"),
        ],
    )
    def test_a_stuck_row_stands_under_its_cause(self, console: Client, cause: str, label: str) -> None:
        dead("a", cause)

        assert groups(html(console)) == {label: 1}

    def test_a_row_that_may_have_been_sent_is_in_doubt(self, console: Client) -> None:
        owed("a", state=State.IN_DOUBT)

        assert groups(html(console)) == {"In doubt": 1}

    def test_a_due_row_that_nobody_takes_is_late(self, console: Client) -> None:
        owed("a", run_at=NOW - timedelta(minutes=3))
        owed("b", run_at=NOW - timedelta(minutes=1))

        assert groups(html(console)) == {"Late": 1, "On its way": 1}

    def test_a_row_whose_worker_was_never_missed_is_late(self, console: Client) -> None:
        owed("a", state=State.RUNNING, lease_until=NOW - timedelta(minutes=3))

        assert groups(html(console)) == {"Late": 1}

    def test_a_row_behind_another_of_its_lane_is_not_late_by_itself(self, console: Client) -> None:
        owed("a", lane="one", run_at=NOW - timedelta(minutes=3))
        owed("b", lane="one", run_at=NOW - timedelta(minutes=3), topic="guests.page")

        assert groups(html(console)) == {"Late": 1, "On its way": 1}

    def test_a_topic_that_nobody_knows_says_so_and_is_never_late(self, console: Client) -> None:
        owed("a", topic="gone.thing", run_at=NOW - timedelta(days=1))

        assert groups(html(console)) == {"Topic unknown here": 1}

    def test_what_waits_for_a_stuck_one_is_blocked_however_far_back_it_is(self, console: Client) -> None:
        put = dead("put", "configuration")
        edge = owed("edge", depends_on=put)
        seen = owed("seen", depends_on=edge)
        mail = owed("mail", depends_on=seen, topic="mail.message", mode=Mode.MESSAGE)

        page = html(console)

        assert groups(page) == {"Configuration": 1, "Blocked": 3}
        assert f"#{put.pk} Crew: event" in html(console, f"{LIST}?why=blocked")
        assert rows(html(console, f"{LIST}?why=blocked")) == [edge.pk, seen.pk, mail.pk]

    def test_what_its_service_does_not_answer_waits_and_needs_nobody(self, console: Client) -> None:
        owed("a", cause="retry", last_error="Throttled.", run_at=NOW + timedelta(minutes=1), lane="one")
        owed("b", lane="one", topic="guests.page")

        assert groups(html(console)) == {"Waiting for its service": 2}

    def test_what_rests_because_its_service_is_away_is_not_the_workers_fault(self, console: Client) -> None:
        owed("a", run_at=NOW - timedelta(minutes=9))
        Breaker.objects.create(service=registry.topic("crew.event").service, failures=5)
        Breaker.objects.create(service=registry.topic("mail.message").service, failures=4)
        owed("b", run_at=NOW - timedelta(minutes=9), topic="mail.message", mode=Mode.MESSAGE)

        assert groups(html(console)) == {"Late": 1, "Waiting for its service": 1}

    def test_late_stands_first_and_the_oldest_leads_its_group(self, console: Client) -> None:
        on_its_way = owed("a")
        stuck = dead("b", "refused")
        late = owed("c", run_at=NOW - timedelta(minutes=9))
        later = owed("d", run_at=NOW - timedelta(minutes=10))

        page = html(console)

        assert list(groups(page)) == ["Late", "Refused", "On its way"]
        assert rows(page) == [later.pk, late.pk, stuck.pk, on_its_way.pk]

    def test_a_group_leads_to_exactly_its_rows(self, console: Client) -> None:
        wanted = dead("a", "refused")
        dead("b", "bug")

        assert rows(html(console, f"{LIST}?why=refused")) == [wanted.pk]

    def test_final_rows_belong_to_no_group(self, console: Client) -> None:
        owed("a", state=State.DONE)
        owed("b", state=State.CANCELLED)

        page = html(console, LIST)

        assert "Everything that is owed is delivered" in page
        assert rows(page) != []

    def test_each_group_says_what_to_do(self, console: Client) -> None:
        for trouble in Trouble:
            if trouble in ("configuration", "refused", "bug"):
                dead(trouble, str(trouble))

        page = html(console)

        assert "Mend it, then retry them all." in page
        assert re.search(r"Preflight says what is wrong|manage.py preflight", page)
        assert "Correct what it names, then retry it." in page

    def test_the_list_takes_the_same_queries_for_any_length(
        self, console: Client, django_assert_num_queries: Any
    ) -> None:
        def fill(first: int, last: int) -> None:
            for n in range(first, last):
                owed(f"wait{n}", depends_on=dead(f"stuck{n}", "refused"))

        fill(0, 1)
        with django_assert_num_queries(9):
            html(console)
        fill(1, 15)
        with django_assert_num_queries(9):
            html(console)


class TestRetrying:
    def test_many_are_due_again_and_history_says_who(self, console: Client) -> None:
        stuck = [dead(name, "configuration") for name in "abc"]

        answer = act(console, "retry_now", *stuck)

        assert {e.state for e in Effect.objects.all()} == {State.PENDING}
        assert sorted(e.subject for e in Event.objects.filter(act="outbox.delivery.retried", actor_name="ops")) == [
            "booking:a", "booking:b", "booking:c",
        ]  # fmt: skip
        assert "On their way again: 3." in answer.content.decode()

    def test_from_its_own_page_it_comes_back_there(self, console: Client) -> None:
        stuck = dead("a", "refused")

        answer = act(console, "retry_now", stuck, from_row="1")

        assert answer.redirect_chain[-1][0] == f"{LIST}{stuck.pk}/change/"

    def test_more_than_five_hundred_are_done_in_portions(self, console: Client, monkeypatch: Any) -> None:
        monkeypatch.setattr("jada.outbox.admin.AT_ONCE", 2)
        stuck = [dead(name, "configuration") for name in "abc"]

        answer = act(console, "retry_now", *stuck, select_across="1")

        assert Effect.objects.filter(state=State.PENDING).count() == 2
        assert "Only the first 2 of them" in answer.content.decode()


class TestDropping:
    def test_it_asks_first_and_says_what_happens_to_whom(self, console: Client) -> None:
        put = dead("a", "refused")
        owed("m", topic="mail.message", mode=Mode.MESSAGE, depends_on=put)

        page = act(console, "drop_with_reason", put).content.decode()

        assert "Drop 1 delivery?" in page
        assert "1 × Crew: event" in page
        assert "1 more delivery waits for it" in page
        assert Effect.objects.get(pk=put.pk).state == State.DEAD

    def test_without_a_reason_nothing_is_dropped(self, console: Client) -> None:
        stuck = dead("a", "refused")

        page = act(console, "drop_with_reason", stuck, reason="  ").content.decode()

        assert "Say why" in page
        assert Effect.objects.get().state == State.DEAD

    def test_it_ends_with_its_reason_and_history_says_by_whom(self, console: Client) -> None:
        stuck = [dead(name, "refused") for name in "ab"]

        answer = act(console, "drop_with_reason", *stuck, reason="The guest was called")

        told = Event.objects.filter(act="outbox.delivery.dropped")
        assert {e.state for e in Effect.objects.all()} == {State.CANCELLED}
        assert {(e.actor_name, e.detail["reason"]) for e in told} == {("ops", "The guest was called")}
        assert "Dropped: 2." in answer.content.decode()

    def test_what_is_under_way_is_left_alone_and_said(self, console: Client) -> None:
        done, stuck = owed("a", state=State.RUNNING), dead("b", "refused")

        page = act(console, "drop_with_reason", done, stuck).content.decode()
        act(console, "drop_with_reason", done, stuck, reason="Not needed")

        assert "1 of what you chose is under way or over" in page
        assert Effect.objects.get(pk=done.pk).state == State.RUNNING

    def test_the_list_comes_back_as_it_was_filtered(self, console: Client) -> None:
        stuck = dead("a", "refused")

        answer = act(console, "drop_with_reason", stuck, reason="No", back="why=refused")

        assert answer.redirect_chain[-1][0] == f"{LIST}?why=refused"


class TestOneDelivery:
    def page(self, client: Client, effect: Effect) -> str:
        return html(client, f"{LIST}{effect.pk}/change/")

    def test_it_says_what_is_the_matter_and_what_to_do(self, console: Client) -> None:
        stuck = dead("a", "refused")
        Attempt.objects.create(effect=stuck, claim_no=1, at=NOW, outcome="dead", error="AccessDenied of the table")

        page = self.page(console, stuck)

        assert "Correct what it names" in page
        assert "AccessDenied of the table" in page
        assert "Retry now" in page

    def test_it_leads_to_what_blocks_it_and_to_what_it_holds_up(self, console: Client) -> None:
        put = dead("put", "refused")
        mail = owed("mail", depends_on=put)

        assert f'href="{LIST}{put.pk}/change/"' in self.page(console, mail)
        assert f'href="{LIST}{mail.pk}/change/"' in self.page(console, put)

    def test_a_copy_shows_which_version_stands_outside(self, console: Client) -> None:
        put = owed("a", state=State.DONE)
        Mirror.objects.create(topic=put.topic, key="a", version=7, applied_version=7, applied_at=NOW)

        assert "Applied version 7, Thu 20 May, 9:00 AM." in self.page(console, put)

    def test_what_stands_nowhere_yet_says_so(self, console: Client) -> None:
        put, step, strange = owed("a"), owed("b", topic="guests.page_seen"), owed("c", topic="gone.thing")

        assert "Nothing of it stands outside yet." in self.page(console, put)
        assert "it writes nothing of its own" in self.page(console, step)
        assert "Nobody here knows what it writes" in self.page(console, strange)

    def test_a_mail_leads_to_the_mail_as_it_was_sent(self, console: Client) -> None:
        a_booking()
        message = Message.objects.select_related("effect").filter(effect__isnull=False)[0]

        assert f"/admin/mail/message/{message.pk}/change/" in self.page(console, message.effect)

    def test_a_mail_in_doubt_can_be_said_to_have_arrived(self, console: Client) -> None:
        a_booking(guest_email="dana@guest.example")
        message = Message.objects.filter(kind="guest.booked").get()
        doubt = Effect.objects.get(pk=message.effect_id)
        Effect.objects.filter(pk=doubt.pk).update(state=State.DEAD, cause="in_doubt", claim_no=1)

        assert ">It arrived</button>" in self.page(console, doubt)
        act(console, "it_arrived", doubt)

        assert Message.objects.get(pk=message.pk).state == State.DONE
        assert Event.objects.filter(act="mail.message.arrived", actor_name="ops").exists()

    def test_a_mail_that_shows_money_is_not_led_to(self, client: Client) -> None:
        a_booking()
        message = Message.objects.select_related("effect").filter(has_money=True)[0]

        page = self.page(somebody(client, "Coordinator"), message.effect)

        assert f"/admin/mail/message/{message.pk}/change/" not in page


@pytest.mark.parametrize("role", ["Coordinator", "Read-only"])
class TestOtherRoles:
    def test_they_see_and_have_no_buttons(self, client: Client, role: str) -> None:
        stuck = dead("a", "refused")

        client = somebody(client, role)

        assert groups(html(client)) == {"Refused": 1}
        for page in (html(client), html(client, f"{LIST}{stuck.pk}/change/")):
            assert not re.search(r"Retry now|Try again now|Drop…|Drop, with", page)

    @pytest.mark.parametrize("action", ["retry_now", "drop_with_reason"])
    def test_their_press_changes_nothing(self, client: Client, role: str, action: str) -> None:
        stuck = dead("a", "refused")

        act(somebody(client, role), action, stuck, reason="because")

        assert Effect.objects.get().state == State.DEAD


class TestAlarms:
    @pytest.fixture(autouse=True)
    def _celery(self, settings: Any) -> None:
        settings.OUTBOX_HOST = "celery"

    def alive(self) -> None:
        for part in (WORKER, SWEEPER, SCHEDULE):
            heartbeats.beat(part, at=NOW - timedelta(seconds=30))

    def test_a_house_that_never_ran_is_red_on_every_page(self, console: Client) -> None:
        for address in ("/admin/", LIST, "/admin/bookings/booking/", "/admin/calendar/"):
            page = html(console, address)

            assert "The worker has never run." in page
            assert "celery -A jada worker" in page
            assert "The sweeper and the schedule have never run." in page

    def test_one_that_stopped_says_since_when_and_what_starts_it(self, console: Client) -> None:
        self.alive()
        heartbeats.forget()
        heartbeats.beat(SCHEDULE, at=NOW - timedelta(minutes=6))

        page = html(console, "/admin/")

        assert "The schedule has not run since Thu 20 May, 8:54 AM." in page
        assert "celery -A jada beat" in page
        assert "The worker has" not in page

    def test_a_house_that_runs_is_quiet(self, console: Client) -> None:
        self.alive()

        assert 'class="alarms"' not in html(console, "/admin/")

    def test_where_nobody_is_to_deliver_nobody_is_missed(self, console: Client, settings: Any) -> None:
        settings.OUTBOX_HOST = "none"

        assert 'class="alarms"' not in html(console, "/admin/")

    def test_the_one_command_has_its_first_minutes(self, settings: Any, monkeypatch: Any) -> None:
        settings.OUTBOX_HOST = "thread"
        monkeypatch.setattr(signs, "_started", signs.time.monotonic() - 30)
        young = signs.silences(NOW)
        monkeypatch.setattr(signs, "_started", signs.time.monotonic() - 600)

        assert young == []
        assert [s.name for s in signs.silences(NOW)] == ["The worker, the sweeper and the schedule"]

    def test_a_restored_database_and_an_unknown_topic_are_said_on_every_page(self, console: Client) -> None:
        self.alive()
        dead("a", "restored")
        owed("b", topic="gone.thing")

        page = html(console, "/admin/")

        assert "Copies outside are newer than this database." in page
        assert "manage.py outbox_restored" in page
        assert "1 delivery has a topic that nobody here knows." in page
