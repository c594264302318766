"""The doorbell through a broker: heard where there is one, and nobody waits where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from jada.celery import app
from jada.outbox import bell, tasks
from tests.services import ring_at


@pytest.fixture
def broker() -> Iterator[None]:
    """Celery's own settings as they were, and no connection kept to what a test named."""
    before = app.conf.broker_url
    yield
    ring_at(before)


@pytest.mark.redis
def test_a_ring_reaches_the_broker_and_carries_no_data(broker: None, redis_url: str) -> None:
    ring_at(redis_url)
    queue = redis.Redis.from_url(redis_url)
    queue.delete("celery")

    tasks.publish_ring()

    assert queue.llen("celery") == 1
    message = queue.lpop("celery")
    assert isinstance(message, bytes)
    assert b'"outbox.drain"' in message
    queue.close()


def test_with_the_broker_away_whoever_rings_does_not_wait(
    broker: None, settings: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOX_HOST = "celery"  # type: ignore[attr-defined]
    monkeypatch.setattr(bell, "BREAK_SECONDS", 3600)  # its thread sleeps on, and hears no ring of another test
    monkeypatch.setattr(bell, "_publisher", None)
    ring_at("redis://127.0.0.1:9/0")
    started = time.monotonic()

    bell.ring()

    assert time.monotonic() - started < 0.5
    deadline = time.monotonic() + 15
    while "did not take the doorbell" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "the sweeper delivers instead" in caplog.text
