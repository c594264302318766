"""What the guest page reacts to: a trip that changed, a boat or a berth described anew, an address that takes no mail."""

from datetime import datetime
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from bookings.models import Berth, Booking, Vessel
from bookings.signals import booking_changed
from guests import services
from jada.audit.actors import SYSTEM, Actor
from jada.mail.enums import Trouble
from jada.mail.models import Message
from jada.mail.signals import mail_bounced


@receiver(booking_changed, sender=Booking, dispatch_uid="guests.follow_booking")
def trip_changed(
    booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime, *, tell: bool, **kwargs: Any
) -> None:
    services.follow_booking(booking=booking, act=act, changed=changed, by=by, at=at, tell=tell)


@receiver(post_save, sender=Vessel, dispatch_uid="guests.vessel_described")
def vessel_described(instance: Vessel, *, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not (created or raw):
        services.mark_pages_of_vessel(vessel=instance)


@receiver(post_save, sender=Berth, dispatch_uid="guests.berth_described")
def berth_described(instance: Berth, *, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not (created or raw):
        services.mark_pages_of_berth(berth=instance)


@receiver(mail_bounced, sender=Message, dispatch_uid="guests.mail_bounced")
def address_failed(address: str, kind: Trouble, at: datetime, **kwargs: Any) -> None:
    services.note_unreachable(address=address, trouble=kind, by=SYSTEM, at=at)
