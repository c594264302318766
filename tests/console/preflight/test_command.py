"""`manage.py preflight`: what it prints, what it keeps, and how it ends."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Model
from django.utils.timezone import now
from pytest_django import Settings

from guests.models import GuestPage
from jada.audit.actors import SYSTEM
from jada.console.models import PreflightRun
from jada.console.preflight import here, report, services
from jada.console.tasks import daily_preflight
from jada.findings import Check, error, ok
from jada.outbox.models import Heartbeat
from tests.emulator import Emulator

pytestmark = pytest.mark.django_db


def command(*options: str) -> tuple[int, str]:
    """The status it ends with, and what it printed."""
    out = io.StringIO()
    try:
        call_command("preflight", *options, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """Looks of the test's own, in place of those at AWS and here."""
    found = [Check(("host.worker",), lambda: [ok("host.worker", "The worker runs.")], "manage.py mend", far=False)]
    monkeypatch.setattr(report, "_checks", lambda clock, *, offline: [c for c in found if not (offline and c.far)])
    return found


BAD = Check(
    ("mail.sandbox",), lambda: [error("mail.sandbox", "SES is in its sandbox.", mend="aws sesv2 mend")], "aws", far=True
)


class TestEnd:
    def test_is_0_when_nothing_is_in_error(self, looks: list[Check]) -> None:
        assert command()[0] == 0

    def test_is_1_on_an_error(self, looks: list[Check]) -> None:
        looks.append(BAD)

        assert command()[0] == 1

    def test_an_unknown_code_says_so_beside_a_known_one(self, looks: list[Check]) -> None:
        looks.append(BAD)

        with pytest.raises(CommandError, match=r"Nothing is called nobody\.s"):
            call_command("preflight", "--only", BAD.codes[0], "nobody.s")


class TestWords:
    def test_name_the_code_the_level_the_fault_and_what_mends_it(self, looks: list[Check]) -> None:
        looks.append(BAD)

        _, said = command()

        assert "error    mail.sandbox           SES is in its sandbox." in said
        assert "$ aws sesv2 mend" in said
        assert "1 error, 0 warnings, 2 looks" in said

    def test_for_programs_hold_version_findings_and_schedule(self, looks: list[Check], settings: Settings) -> None:
        settings.COMMIT = "0123abc"
        ran = datetime(2026, 11, 24, 12, tzinfo=UTC)
        Heartbeat.objects.create(name="chore:guests.turn_pages", at=ran)

        _, said = command("--json")

        found = json.loads(said)
        assert (found["version"], found["commit"], found["ok"]) == ("0.1.0", "0123abc", True)
        assert found["findings"] == [
            {"code": "host.worker", "level": "ok", "said": "The worker runs.", "mend": ""},
        ]
        by_task = {job["task"]: job for job in found["schedule"]}
        assert by_task["guests.turn_pages"] == {"task": "guests.turn_pages", "every": 60.0, "last": ran.isoformat()}
        assert by_task["console.preflight"]["last"] is None
        assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} == set(by_task)


class TestChoice:
    @pytest.mark.parametrize("only", ["mail", "mail.sandbox"])
    def test_only_what_is_named_or_begins_so(self, looks: list[Check], only: str) -> None:
        looks.append(BAD)

        _, said = command("--json", "--only", only)

        assert [f["code"] for f in json.loads(said)["findings"]] == ["mail.sandbox"]

    def test_offline_asks_no_network(self, settings: Settings) -> None:
        settings.AWS_ENDPOINT_URL = "http://127.0.0.1:9"

        _, said = command("--json", "--offline")

        codes = {f["code"] for f in json.loads(said)["findings"]}
        assert {"settings.safe", "keys.service", "database.migrations", "disk.data"} <= codes
        assert not [code for code in codes if code.startswith(("aws.", "guest.", "ops.", "mail.", "host.broker"))]


class TestKept:
    def test_a_whole_run_is(self, looks: list[Check]) -> None:
        looks.append(BAD)

        command()

        run = PreflightRun.objects.get()
        assert (run.errors, run.warnings, run.ran_by) == (1, 0, "command line (system)")
        assert [f["code"] for f in run.findings] == ["host.worker", "mail.sandbox"]

    @pytest.mark.parametrize("options", [["--offline"], ["--only", "host"]])
    def test_a_part_is_not(self, looks: list[Check], options: list[str]) -> None:
        command(*options)

        assert not PreflightRun.objects.exists()

    def test_of_long_ago_goes(self, looks: list[Check], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "KEPT", 2)
        at = now()

        for hours in (3, 2, 1):
            found = report.preflight(clock=now)
            services.keep_report(report=found, by=SYSTEM, at=at - timedelta(hours=hours))

        assert [run.ran_at for run in PreflightRun.objects.all()] == [at - timedelta(hours=h) for h in (1, 2)]


class TestDaily:
    def test_runs_once_a_day_however_often_it_is_asked(self, looks: list[Check]) -> None:
        daily_preflight()
        daily_preflight()

        assert PreflightRun.objects.get().ran_by == "JADA (system)"

    def test_runs_again_the_next_day(self, looks: list[Check]) -> None:
        daily_preflight()
        PreflightRun.objects.update(ran_at=now() - timedelta(hours=25))

        daily_preflight()

        assert PreflightRun.objects.count() == 2


@pytest.mark.slow
class TestWhole:
    def test_every_code_is_one_that_its_check_has(self, stack: dict[str, str], settings: Settings) -> None:
        settings.CREW_BASE_URL = "http://127.0.0.1:9"

        _, said = command("--json")

        codes = [f["code"] for f in json.loads(said)["findings"]]
        assert len(codes) == len(set(codes))
        assert {"stack.standing", "guest.origin", "ops.echo", "page.served", "mail.queue", "host.delivers"} <= set(
            codes
        )

    def test_no_secret_is_said_or_kept(self, stack: dict[str, str], settings: Settings) -> None:
        settings.CREW_BASE_URL, settings.ORIGIN_VERIFY = "http://127.0.0.1:9", "swordfish-origin"

        _, said = command("--json")

        kept = json.dumps(PreflightRun.objects.get().findings)
        secrets = [settings.SECRET_KEY, settings.ORIGIN_VERIFY, *settings.SERVICE_KEY_HASHES.values()]
        secrets += [*settings.CREW_LINK_KEYS.values(), *settings.DASHBOARD_TOKEN_HASHES.values()]
        assert not [secret for secret in secrets if secret in said + kept]

    def test_without_an_answer_from_aws_everything_else_is_still_said(
        self, aws_server: Emulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from jada.aws import clients

        settings.CREW_BASE_URL = "http://127.0.0.1:9"
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        clients.reset()
        found = report.preflight(clock=now, patience=8)
        monkeypatch.undo()
        clients.reset()

        levels = {f.code: f.level.value for f in found.findings}
        assert levels["aws.credentials"] == levels["table.there"] == levels["guest.bucket"] == "error"
        assert levels["keys.service"] == levels["database.migrations"] == "ok"
        assert found.seconds < 12


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("model", "turned"), [(GuestPage, "database.answers"), (Heartbeat, "host.worker")])
def test_a_table_that_is_missing_is_a_finding_and_hides_no_other(
    settings: Settings, model: type[Model], turned: str
) -> None:
    settings.OUTBOX_HOST, settings.AWS_ENDPOINT_URL = "worker", "http://127.0.0.1:9"
    table = model._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(model, table, "elsewhere")
    try:
        status, said = command("--json")
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(model, "elsewhere", table)

    found = {f["code"]: f["level"] for f in json.loads(said)["findings"]}
    assert status == 1
    assert found[turned] == "error"
    assert found["keys.service"] == found["disk.data"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_kept_is_said_all_the_same(looks: list[Check]) -> None:
    table = PreflightRun._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(PreflightRun, table, "elsewhere")
    try:
        status, said = command()
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(PreflightRun, "elsewhere", table)

    assert status == 0
    assert "The worker runs." in said


def test_every_code_is_there_once() -> None:
    from jada.console.preflight import sync

    codes = [code for check in [*here.checks(at=now()), *sync.checks(clock=now)] for code in check.codes]

    assert len(codes) == len(set(codes))
