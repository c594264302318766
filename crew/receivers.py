"""What the crew side reacts to: a trip that changed, a boat, a berth or a member that is described anew, an address
that takes no mail.
"""

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.signals import post_save
from django.dispatch import receiver

from bookings.models import Berth, Booking, Vessel
from bookings.signals import booking_changed
from crew import services
from crew.models import CrewMember
from jada.audit.actors import SYSTEM, Actor
from jada.mail.enums import Trouble
from jada.mail.models import Message
from jada.mail.signals import mail_bounced


@receiver(booking_changed, sender=Booking, dispatch_uid="crew.follow_booking")
def trip_changed(
    booking: Booking, act: str, changed: frozenset[str], by: Actor, at: datetime, *, tell: bool, **kwargs: Any
) -> None:
    services.follow_booking(booking=booking, act=act, changed=changed, by=by, at=at, tell=tell)


@receiver(post_save, sender=Vessel, dispatch_uid="crew.vessel_described")
def vessel_described(instance: Vessel, *, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not (created or raw):
        services.mark_events(about=Q(booking__vessel=instance))


@receiver(post_save, sender=Berth, dispatch_uid="crew.berth_described")
def berth_described(instance: Berth, *, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not (created or raw):
        services.mark_events(about=Q(booking__vessel__berth=instance))


@receiver(post_save, sender=CrewMember, dispatch_uid="crew.member_described")
def member_described(instance: CrewMember, *, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not (created or raw):
        services.mark_events(about=Q(assignments__member=instance))


@receiver(mail_bounced, sender=Message, dispatch_uid="crew.mail_bounced")
def address_failed(address: str, kind: Trouble, at: datetime, **kwargs: Any) -> None:
    services.note_unreachable(address=address, trouble=kind, by=SYSTEM, at=at)
