"""The clock's door, once a minute: invitations that nobody answered in time, and what is to be forgotten."""

from celery import shared_task
from django.utils.timezone import now

from crew import services


@shared_task(name="crew.expire_invitations", ignore_result=True)
def expire_invitations() -> None:
    at = now()
    services.expire_invitations(at=at)
    services.forget(at=at)
