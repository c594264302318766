"""Where to look at a booking from outside: what `make run` prints."""

from dataclasses import dataclass

from bookings.models import Booking
from crew.models import CrewLinkGrant
from crew.services import link_of
from guests.services import public_url

NONE = "none yet"


@dataclass(frozen=True)
class Links:
    """A guest's address and the personal link of the first crew member called, the captain where there is one."""

    guest_page: str
    crew_link: str


def links(booking: Booking | None) -> Links:
    if booking is None:
        return Links(NONE, NONE)
    standing = CrewLinkGrant.objects.filter(event__booking=booking, revoked_at=None)
    grant = standing.select_related("event__booking", "member").order_by("assignment__pk").first()
    return Links(public_url(booking) or NONE, link_of(grant) if grant else NONE)
