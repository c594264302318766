"""Where to look at the company from outside: what `make run` prints."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from bookings.enums import Channel
from bookings.models import Booking
from bookings.services import find_booking
from crew.models import Assignment, CrewLinkGrant
from crew.services import issue_link, link_of
from guests.services import public_url
from jada.console.demo import SAMPLE_ID
from jada.console.demo_trips import SEED_CODE

NONE = "none: nobody is asked to this trip"


@dataclass(frozen=True)
class Links:
    """A guest's address and the personal link of the first crew member who is asked."""

    guest_page: str
    crew_link: str


def links(*, at: datetime) -> Links:
    """Of the sample's booking; once that trip is over, of the reference charter."""
    booking = _showcase(at)
    asked = Assignment.objects.asked().filter(event__booking=booking).select_related("member", "event__booking")
    return Links(public_url(booking) or "none", _crew_link(asked.order_by("pk").first(), at=at))


def _showcase(at: datetime) -> Booking:
    known = [find_booking(channel=Channel.BOATSETTER, external_id=name) for name in (SAMPLE_ID, SEED_CODE)]
    there = [booking for booking in known if booking]
    if not there:
        raise LookupError("The demo company is not there: run manage.py load_demo first.")
    return next((booking for booking in there if booking.ends_at > at), there[0])


def _crew_link(assignment: Assignment | None, *, at: datetime) -> str:
    """The member's newest link that is good, or a new one."""
    if assignment is None:
        return NONE
    good = CrewLinkGrant.objects.filter(
        assignment=assignment,
        av=assignment.version,
        kid=settings.CREW_LINK_ACTIVE_KID,
        revoked_at=None,
        expires_at__gt=at,
    )
    return link_of(good.order_by("-pk").first() or issue_link(assignment=assignment, at=at))
