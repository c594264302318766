"""Vessels and trips with dull defaults; what a test depends on, it says."""

from datetime import UTC, datetime, timedelta

import factory
from factory.django import DjangoModelFactory

from bookings import services
from bookings.models import Berth, Booking, Vessel
from bookings.services import TripDetails
from jada.audit.actors import SYSTEM

NOW = datetime(2027, 5, 20, 16, 0, tzinfo=UTC)  # 9 AM at the dock
START = datetime(2027, 5, 30, 20, 0, tzinfo=UTC)  # 30 May, 1 PM at the dock


class BerthFactory(DjangoModelFactory[Berth]):
    class Meta:
        model = Berth
        django_get_or_create = ("key",)

    key = "harbor-island"
    name = "Harbor Island Marina, dock B"


class VesselFactory(DjangoModelFactory[Vessel]):
    class Meta:
        model = Vessel

    key = factory.Sequence(lambda n: f"vessel-{n}")
    name = factory.Sequence(lambda n: f"Vessel {n}")
    berth = factory.SubFactory(BerthFactory)
    passenger_limit = 6


def trip(**changes: object) -> TripDetails:
    """A three-hour trip for three on 30 May; a vessel is made unless one is given."""
    vessel = changes.pop("vessel", None) or VesselFactory()
    start = changes.pop("starts_at", START)
    details = {"starts_at": start, "ends_at": start + timedelta(hours=3), "party_size": 3, "guest_name": "Dana Whit"}
    return TripDetails(vessel=vessel, **(details | changes))


def a_booking(*, at: datetime = NOW, channel: str = "boatsetter", external_id: str = "", **changes: object) -> Booking:
    """A booking through the one door, with everything that follows from it."""
    options = {k: changes.pop(k) for k in ("status", "past_ok", "tell", "also", "given_code", "ref") if k in changes}
    return services.book(channel=channel, external_id=external_id, trip=trip(**changes), by=SYSTEM, at=at, **options)
