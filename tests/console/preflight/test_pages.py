"""The console's page of the preflight: who sees it, who may run it, what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from jada.audit.actors import SYSTEM
from jada.console.models import PreflightRun
from jada.console.preflight import pages
from jada.console.preflight.report import Report
from jada.console.preflight.services import keep_report
from jada.console.roles import make_roles
from jada.findings import error, ok, warning

pytestmark = pytest.mark.django_db

LIST = "/admin/console/preflightrun/"
PAGE, RUN = f"{LIST}latest/", f"{LIST}run/"
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
WRONG = error(
    "guest.origin", "Pages <come> from elsewhere.", mend='manage.py deploy_stack --revert-drift && echo "<ok>"'
)
ODD = warning("mail.from", "It is PENDING.", mend="aws sesv2 get-email-identity")
RIGHT = ok("host.worker", "The worker runs.")


def a_report(*findings: Any, at: datetime = AT) -> Report:
    return Report(at=at, seconds=2.4, version="0.1.0", commit="f" * 40, whole=True, findings=findings, jobs=())


def a_run(*findings: Any, at: datetime = AT) -> PreflightRun:
    return keep_report(report=a_report(*findings, at=at), by=SYSTEM, at=at)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "preflight", lambda clock: a_report(RIGHT, at=clock()))


def signed_in(role: str) -> Client:
    make_roles()
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


class TestWho:
    @pytest.mark.parametrize("role", ["Ops manager", "Coordinator", "Read-only"])
    def test_the_office_sees_it(self, role: str) -> None:
        page = signed_in(role).get(PAGE)

        assert page.status_code == 200
        assert PAGE in signed_in_menu(page)

    @pytest.mark.parametrize(("role", "status"), [("Ops manager", 302), ("Coordinator", 403), ("Read-only", 403)])
    @pytest.mark.usefixtures("looked")
    def test_only_an_ops_manager_runs_it(self, role: str, status: int) -> None:
        client = signed_in(role)

        assert client.post(RUN).status_code == status
        assert PreflightRun.objects.count() == (1 if status == 302 else 0)
        assert ("Look now" in client.get(PAGE).content.decode()) == (status == 302)

    def test_nobody_else_sees_it(self, stranger: User) -> None:
        stranger.is_staff = True
        stranger.save()
        client = Client()
        client.force_login(stranger)

        assert client.get(PAGE).status_code == 403

    @pytest.mark.usefixtures("looked")
    def test_looking_at_the_page_runs_nothing(self, client: Client, ops: User) -> None:
        client.force_login(ops)

        assert client.get(RUN).status_code == 405
        assert client.get(PAGE).status_code == 200
        assert not PreflightRun.objects.exists()


class TestPage:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, ops: User) -> None:
        client.force_login(ops)

    def test_is_the_one_that_deliveries_point_to(self) -> None:
        assert reverse("admin:preflight") == PAGE

    def test_says_that_nobody_has_looked(self, client: Client) -> None:
        assert "No preflight has run yet" in client.get(PAGE).content.decode()

    def test_shows_the_latest_run_what_is_wrong_first(self, client: Client) -> None:
        a_run(RIGHT, at=AT - timedelta(days=1))
        a_run(RIGHT, ODD, WRONG)

        page = client.get(PAGE).content.decode()

        assert (
            page.index("To mend now") < page.index("guest.origin") < page.index("To look at") < page.index("In order")
        )
        assert "1 error</strong> and 1 warning" in page
        assert "Pages &lt;come&gt; from elsewhere." in page
        assert "--revert-drift &amp;&amp; echo &quot;&lt;ok&gt;&quot;" in page

    def test_keeps_earlier_runs_within_reach(self, client: Client) -> None:
        earlier = a_run(WRONG, at=AT - timedelta(days=1))
        a_run(RIGHT)

        address = f"{LIST}{earlier.pk}/change/"
        assert address in client.get(PAGE).content.decode()
        assert "guest.origin" in client.get(address).content.decode()
        assert "The latest preflight" in client.get(address).content.decode()

    @pytest.mark.parametrize("number", ["4711", "x", "9" * 30])
    def test_a_run_that_is_gone_is_not_here(self, client: Client, number: str) -> None:
        assert client.get(f"{LIST}{number}/change/").status_code == 404

    def test_says_which_release_runs_and_which_jobs_when(self, client: Client, settings: Any) -> None:
        settings.COMMIT = "0123abc"

        page = client.get(PAGE).content.decode()

        assert "0.1.0" in page
        assert "0123abc" in page
        assert "guests.turn_pages" in page
        assert "never" in page

    def test_the_list_says_how_each_run_ended(self, client: Client) -> None:
        for number, found in enumerate(([WRONG, WRONG], [ODD, RIGHT], [RIGHT])):
            a_run(*found, at=AT + timedelta(days=number))

        page = client.get(LIST).content.decode()

        assert page.index("In order") < page.index("1 warning") < page.index("2 errors")

    @pytest.mark.usefixtures("looked")
    def test_running_it_shows_who_ran_it(self, client: Client) -> None:
        page = client.post(RUN, follow=True).content.decode()

        assert "by ops: 1 looks" in page
        assert "1 looks were taken" in page


def signed_in_menu(page: Any) -> list[str]:
    return [tab.url for tabs in (page.context["places"]["daily"], page.context["places"]["setup"]) for tab in tabs]
