"""Looks at this side, one fault at a time."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from jada.celery import app
from jada.console.preflight import here, release, schedule
from jada.findings import Finding, run
from jada.outbox.heartbeats import SCHEDULE, SWEEPER, WORKER
from jada.outbox.models import Heartbeat
from tests.services import ring_at

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _running(settings: Settings) -> None:
    """A production installation in which everything runs."""
    settings.OUTBOX_HOST, settings.DEBUG = "worker", True
    for part in (WORKER, SWEEPER, SCHEDULE):
        Heartbeat.objects.create(name=part, at=AT)
    for job in schedule.jobs():
        Heartbeat.objects.create(name=f"chore:{job.task}", at=AT)


def found(**kwargs: Any) -> dict[str, Finding]:
    # The tests' database does not wait for the disk, on purpose; its own test asks for it.
    looks = [check for check in here.checks(at=AT, **kwargs) if check.codes != ("database.durable",)]
    return {finding.code: finding for finding in run(looks)}


def wrong(**kwargs: Any) -> dict[str, str]:
    return {code: f.level.value for code, f in found(**kwargs).items() if f.level.value != "ok"}


def test_an_installation_in_order_has_nothing_to_find() -> None:
    assert wrong() == {}


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("SERVICE_KEY_HASHES", {}, "keys.service"),
            ("SERVICE_KEY_HASHES", {"k1": "5ecret"}, "keys.service"),
            ("DASHBOARD_TOKEN_HASHES", {}, "keys.dashboard"),
            ("CREW_LINK_KEYS", {}, "keys.crew-link"),
            ("CREW_LINK_KEYS", {"cl-test": "5ecret"}, "keys.crew-link"),
            ("CREW_LINK_ACTIVE_KID", "gone", "keys.crew-link"),
        ],
    )
    def test_a_key_that_is_missing_or_weak(self, settings: Settings, name: str, value: Any, code: str) -> None:
        setattr(settings, name, value)

        assert wrong() == {code: "error"}
        assert "5ecret" not in str(found()[code])
        assert found()[code].mend.startswith("manage.py new_key")

    def test_an_emulator_outside_debug(self, settings: Settings) -> None:
        settings.DEBUG, settings.AWS_ENDPOINT_URL, settings.CONSOLE_REQUIRE_OTP = False, "http://127.0.0.1:9", True

        assert wrong() == {"settings.safe": "error"}
        assert "AWS_ENDPOINT_URL" in found()["settings.safe"].said


class TestWorkers:
    @pytest.mark.parametrize("part", [WORKER, SWEEPER, SCHEDULE])
    def test_one_has_never_run(self, part: str) -> None:
        Heartbeat.objects.filter(name=part).delete()

        assert wrong() == {f"host.{part}": "error"}
        assert "never run" in found()[f"host.{part}"].said
        assert found()[f"host.{part}"].mend == "manage.py outbox_worker"

    def test_one_has_fallen_silent(self) -> None:
        Heartbeat.objects.filter(name=WORKER).update(at=AT - timedelta(minutes=3))

        assert wrong() == {"host.worker": "error"}
        assert "2026-11-24 11:57" in found()["host.worker"].said

    def test_a_job_has_not_run(self) -> None:
        Heartbeat.objects.filter(name="chore:guests.turn_pages").update(at=AT - timedelta(minutes=6))

        assert wrong() == {"host.jobs": "warning"}
        assert "guests.turn_pages" in found()["host.jobs"].said

    def test_the_sweeper_s_own_sign_shows_that_the_sweep_ran(self) -> None:
        Heartbeat.objects.filter(name="chore:outbox.sweep").delete()

        assert wrong() == {}

    def test_the_first_of_all_preflights_does_not_miss_itself(self) -> None:
        Heartbeat.objects.filter(name="chore:console.preflight").delete()

        assert wrong() == {}

    def test_nobody_delivers(self, settings: Settings) -> None:
        settings.OUTBOX_HOST = "none"

        assert wrong() == {"host.delivers": "error"}


class TestBroker:
    @pytest.fixture(autouse=True)
    def _celery(self, settings: Settings) -> None:
        settings.OUTBOX_HOST = "celery"

    def test_one_that_no_worker_hears(self, settings: Settings) -> None:
        settings.CELERY_BROKER_URL = "memory://"

        assert wrong() == {"host.broker": "error"}

    def test_one_that_is_away(self, broker_at: Any) -> None:
        broker_at("redis://127.0.0.1:9/0")

        assert wrong() == {"host.broker": "error"}
        assert "takes no ring" in found()["host.broker"].said

    @pytest.mark.redis
    def test_one_that_hears(self, broker_at: Any, redis_url: str) -> None:
        broker_at(redis_url)

        assert wrong() == {}

    @pytest.mark.redis
    def test_one_that_is_slow(self, broker_at: Any, redis_url: str) -> None:
        broker_at(redis_url)
        ticks = iter((0.0, 1.5))

        assert wrong(clock=lambda: next(ticks)) == {"host.broker": "warning"}


class TestDisk:
    @pytest.mark.parametrize(("free", "level"), [(499, "warning"), (99, "error")])
    def test_little_room(self, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
        usage = namedtuple("usage", "free")  # noqa: PYI024  a full disk cannot be had in a test
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(free * 1024 * 1024))

        assert wrong() == {"disk.data": level, "disk.temporary": level}

    def test_a_folder_that_is_not_there_yet(self, settings: Settings, tmp_path: Path) -> None:
        settings.VAR_DIR = tmp_path / "not" / "yet"

        assert wrong() == {}


class TestDatabase:
    @pytest.mark.django_db(transaction=True)
    def test_lacks_a_migration(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'console' AND name = '0001_preflight'")
        try:
            assert wrong() == {"database.migrations": "error"}
            assert "console.0001_preflight" in found()["database.migrations"].said
        finally:
            call_command("migrate", "console", fake=True, verbosity=0)

    def test_does_not_wait_for_the_disk(self) -> None:
        """The very setting that makes these tests fast."""
        if connection.vendor == "postgresql" and here._ask("SHOW fsync") == "on":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")

        assert durability() == "error"

    def test_waits_for_the_disk(self, safe_sqlite: Any) -> None:
        assert durability() == "ok"


def durability() -> str:
    [finding] = here.durable()
    return finding.level.value


@pytest.fixture
def safe_sqlite(transactional_db: None) -> Iterator[None]:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite alone can be told so on one connection")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
    yield
    connection.close()


@pytest.fixture
def broker_at(settings: Settings) -> Iterator[Any]:
    """Celery's one application, pointed elsewhere for a test."""
    before = app.conf.broker_url

    def point(url: str) -> None:
        settings.CELERY_BROKER_URL = url
        ring_at(url)

    yield point
    point(before)


class TestRelease:
    def test_the_version_is_the_project_s(self) -> None:
        assert release.version() == "0.1.0"

    def test_the_commit_is_what_the_environment_says(self, settings: Settings) -> None:
        settings.COMMIT = "0123abc"

        assert release.commit() == "0123abc"

    @pytest.mark.parametrize("packed", [True, False])
    def test_or_what_is_checked_out(self, settings: Settings, tmp_path: Path, packed: bool) -> None:
        settings.BASE_DIR = tmp_path
        git = tmp_path / ".git"
        (git / "refs" / "heads").mkdir(parents=True)
        (git / "HEAD").write_text("ref: refs/heads/main\n")
        if packed:
            (git / "packed-refs").write_text("# pack-refs\nf00d refs/heads/main\n")
        else:
            (git / "refs" / "heads" / "main").write_text("f00d\n")

        assert release.commit() == "f00d"

    def test_or_a_single_commit(self, settings: Settings, tmp_path: Path) -> None:
        settings.BASE_DIR = tmp_path
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "HEAD").write_text("f00d\n")

        assert release.commit() == "f00d"

    def test_or_is_not_known(self, settings: Settings, tmp_path: Path) -> None:
        settings.BASE_DIR = tmp_path

        assert release.commit() == ""
