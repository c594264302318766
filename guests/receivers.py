"""What the guest page reacts to: a trip that changed, a boat or a berth that is described anew."""

from datetime import datetime
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from bookings.models import Berth, Booking, Vessel
from bookings.signals import booking_changed
from guests import services
from jada.audit.actors import Actor


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
