"""Where no beat runs, the host keeps the same schedule."""

import threading
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection

from jada.outbox import heartbeats, schedule
from jada.outbox.models import Heartbeat
from jada.outbox.schedule import Chore

pytestmark = pytest.mark.django_db(transaction=True)


def chore(name: str, act: Callable[[], None]) -> Chore:
    return Chore(name, 60.0, act, due=0.0)


def test_every_scheduled_task_but_the_sweep_is_a_chore() -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert {chore.name for chore in schedule.chores()} == scheduled - {"outbox.sweep"}


def test_a_chore_that_fails_stops_no_other_and_gives_no_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()

    def broken() -> None:
        raise ValueError

    monkeypatch.setattr(schedule, "chores", lambda: [chore("one", broken), chore("two", stop.set)])

    thread = threading.Thread(target=schedule.run_for_ever, args=(stop,))
    thread.start()
    thread.join(10)

    assert set(Heartbeat.objects.values_list("name", flat=True)) == {"chore:two", "schedule"}
    assert "A chore failed: one" in caplog.text


def test_what_another_process_has_just_done_is_not_done_again() -> None:
    done: list[str] = []
    heartbeats.beat("chore:one")

    schedule.do(chore("one", lambda: done.append("one")))

    assert done == []


def test_a_daily_chore_that_fails_is_not_put_off_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, tries = threading.Event(), []

    def broken_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError
        stop.set()

    monkeypatch.setattr(schedule, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(schedule, "chores", lambda: [Chore("one", 86400.0, broken_once, due=0.0)])
    thread = threading.Thread(target=schedule.run_for_ever, args=(stop,))
    thread.start()
    thread.join(10)
    stop.set()

    assert len(tries) == 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to lose")
def test_a_connection_that_breaks_in_one_chore_fails_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def breaks() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    schedule.do(chore("one", breaks))

    assert schedule.do(chore("two", lambda: None))
