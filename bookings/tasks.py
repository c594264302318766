"""What Celery's beat, or the embedded host, does for the calendar."""

from celery import shared_task
from django.utils.timezone import now

from bookings.services import release_expired


@shared_task(name="bookings.release_expired", ignore_result=True)
def release_expired_holds() -> None:
    release_expired(at=now())
