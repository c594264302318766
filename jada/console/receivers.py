"""The last to hear of a booking: crew, guest page and money have been written by now. And the keeper of what healed."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from bookings.models import Booking
from bookings.signals import booking_changed
from jada.audit.actors import SYSTEM, Actor
from jada.audit.services import record
from jada.console.services import tell_manager
from jada.outbox.copies import Difference
from jada.outbox.models import Mirror
from jada.outbox.signals import copy_healed


@receiver(booking_changed, sender=Booking, dispatch_uid="console.tell_manager")
def office_hears(
    booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime, *, tell: bool, **kwargs: Any
) -> None:
    if tell:
        tell_manager(booking=booking, act=act, changed=changed, by=by, at=at)


@receiver(copy_healed, sender=Mirror, dispatch_uid="console.keep_history")
def history_keeps(
    topic: str, key: str, subject: str, differences: tuple[Difference, ...], at: datetime, **kwargs: Any
) -> None:
    detail = {f"{found.store}, {found.field}": [found.old, found.new] for found in differences}
    record(act="outbox.copy.healed", subject=subject or f"{topic}:{key}"[:60], by=SYSTEM, at=at, detail=detail)
