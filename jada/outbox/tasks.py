"""Celery's doors into the outbox. No message carries data: losing all of them costs latency."""

from celery import shared_task

from jada.outbox import host, sweep


@shared_task(name="outbox.drain", ignore_result=True)
def drain() -> None:
    host.drain()


@shared_task(name="outbox.sweep", ignore_result=True)
def sweep_and_drain() -> None:
    sweep.sweep()
    host.drain()


def publish_ring() -> None:
    """Ring at the broker: never waits longer than its half-second timeouts, never retries."""
    drain.apply_async(retry_policy={"max_retries": 0}, expires=30, ignore_result=True)
