"""Celery beat's door: once a minute."""

from celery import shared_task
from django.utils.timezone import now

from guests import services


@shared_task(name="guests.turn_pages", ignore_result=True)
def turn_pages() -> None:
    services.turn_pages(at=now())
