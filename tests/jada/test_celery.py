"""A Celery process delivers with threads that outlive the task which woke them."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from celery.signals import worker_process_shutdown
from django.db import transaction

import jada.celery  # noqa: F401  its receivers
from jada.outbox import host, registry
from jada.outbox.entries import enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect
from jada.outbox.registry import Work

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_that_ends_finishes_the_message_that_it_is_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_topics", {})
    monkeypatch.setattr(host, "TURN_SECONDS", 0.1)
    called, answers = threading.Event(), threading.Event()

    @registry.courier("letter")
    class Letters:
        def prepare(self, work: Work) -> str:
            return work.key

        def send(self, prepared: str, work: Work) -> Mapping[str, Any]:
            called.set()
            answers.wait(10)
            return {}

    with transaction.atomic():
        enqueue_message("letter", "hello", lane="mail:hello", fact="hello")
    host.drain_together()
    assert called.wait(10)
    answering = threading.Timer(0.2, answers.set)
    answering.start()

    worker_process_shutdown.send(sender=None, pid=0, exitcode=0)

    assert Effect.objects.get().state == State.DONE
    answering.join()
