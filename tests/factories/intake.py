"""The fleet and the listings that the sample messages name, and a message through the one door."""

from datetime import UTC, datetime

from bookings.intake.enums import Arrival
from bookings.intake.models import Listing
from bookings.intake.services import Accepted, accept_message
from bookings.models import Vessel
from jada.audit.actors import SYSTEM
from tests.bookings.intake.samples import sample
from tests.factories.bookings import VesselFactory

KETCH = "Halcyon - 52' classic ketch on San Diego Bay, captain included"
CATAMARAN = "Marisol 38 ft catamaran, Mission Bay & La Jolla"
BEFORE = datetime(2024, 5, 22, 16, 0, tzinfo=UTC)  # before the samples' trips


def fleet() -> tuple[Vessel, Vessel]:
    """The ketch and the catamaran, with their listings mapped."""
    ketch = VesselFactory(key="halcyon", name="Halcyon", passenger_limit=12)
    catamaran = VesselFactory(key="marisol", name="Marisol", passenger_limit=12)
    Listing.objects.create(channel="boatsetter", title=KETCH, vessel=ketch)
    Listing.objects.create(channel="boatsetter", title=CATAMARAN, vessel=catamaran)
    return ketch, catamaran


def arrives(what: str | bytes, *, at: datetime = BEFORE, source: Arrival = Arrival.MAIL) -> Accepted:
    """A sample by its name, or any bytes, comes in."""
    raw, name = (sample(what), what) if isinstance(what, str) else (what, "message.eml")
    return accept_message(raw=raw, name=name, source=source, by=SYSTEM, at=at)
