"""Celery's doors into the outbox. No message carries data: losing all of them costs latency."""

from celery import shared_task
from django.utils.timezone import now

from jada.outbox import host, reconcile, sweep


@shared_task(name="outbox.drain", ignore_result=True)
def drain() -> None:
    host.drain()


@shared_task(name="outbox.sweep", ignore_result=True)
def sweep_and_drain() -> None:
    sweep.sweep()
    host.drain()


@shared_task(name="outbox.reconcile", ignore_result=True, time_limit=240)  # the last object of a round may hang
def read_back() -> None:
    reconcile.reconcile_in_turn(at=now())


def publish_ring() -> None:
    """Ring at the broker: never waits longer than its half-second timeouts, never retries."""
    drain.apply_async(retry_policy={"max_retries": 0}, expires=30, ignore_result=True)
