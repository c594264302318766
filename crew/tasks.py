"""The clock's door: invitations that nobody answered in time."""

from celery import shared_task
from django.utils.timezone import now

from crew import services


@shared_task(name="crew.expire_invitations", ignore_result=True)
def expire_invitations() -> None:
    services.expire_invitations(at=now())
