"""The last to hear of a booking: crew, guest page and money have been written by now."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from bookings.models import Booking
from bookings.signals import booking_changed
from jada.audit.actors import Actor
from jada.console.services import tell_manager


@receiver(booking_changed, sender=Booking, dispatch_uid="console.tell_manager")
def office_hears(
    booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime, *, tell: bool, **kwargs: Any
) -> None:
    if tell:
        tell_manager(booking=booking, act=act, changed=changed, by=by, at=at)
