"""Celery's doors into the outbox. No message carries data: losing all of them costs latency."""

from typing import Any

from celery import shared_task
from celery.signals import task_success
from django.conf import settings
from django.utils.timezone import now

from jada.outbox import host, reconcile, schedule, sweep


@shared_task(name="outbox.drain", ignore_result=True)
def drain() -> None:
    host.drain_together()


@shared_task(name="outbox.sweep", ignore_result=True)
def sweep_and_drain() -> None:
    sweep.sweep()
    host.drain_together()


@shared_task(name="outbox.reconcile", ignore_result=True, time_limit=240)  # the last object of a round may hang
def read_back() -> None:
    reconcile.reconcile_in_turn(at=now())


def publish_ring() -> None:
    """Ring at the broker: never waits longer than its half-second timeouts, never retries."""
    drain.apply_async(retry_policy={"max_retries": 0}, expires=30, ignore_result=True)


@task_success.connect(dispatch_uid="jada.outbox.signs_of_life")
def note_that_it_ran(sender: Any = None, **kwargs: Any) -> None:
    """Only the schedule starts these tasks: that one has run shows that beat and a worker live."""
    if sender is not None and sender.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}:
        schedule.done(sender.name)
