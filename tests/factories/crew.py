"""A crewed vessel: who is on the roster, what a trip needs, what is ticked. What a test depends on, it says."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import factory
from factory.django import DjangoModelFactory

from bookings.models import Booking, Vessel
from crew import services
from crew.enums import Needs, Role
from crew.models import (
    Assignment,
    ChecklistTemplate,
    Credential,
    CrewEvent,
    CrewLinkGrant,
    CrewMember,
    CrewRequirement,
    TemplateItem,
)
from tests.factories.bookings import NOW, VesselFactory, a_booking

LICENCE = "master_100gt"
DURING = NOW + timedelta(hours=1)


class CrewMemberFactory(DjangoModelFactory[CrewMember]):
    class Meta:
        model = CrewMember

    key = factory.Sequence(lambda n: f"member-{n}")
    name = factory.Sequence(lambda n: f"Member {n}")
    role = Role.DECKHAND
    call_order = factory.Sequence(lambda n: n + 1)
    email = factory.LazyAttribute(lambda member: f"{member.key}@crew.example")
    phone = "+1-619-555-0199"


def captain(key: str = "ines", *, expires: date | None = None, **changes: object) -> CrewMember:
    """A captain with a licence for `crewed_vessel`, valid for ever unless it is said when it ends."""
    changes = {"name": f"{key.title()} Calloway", "role": Role.CAPTAIN} | changes
    member = CrewMemberFactory(key=key, **changes)
    Credential.objects.create(member=member, kind=LICENCE, expires_on=expires)
    return member


def mate(key: str = "juno", **changes: object) -> CrewMember:
    return CrewMemberFactory(key=key, **({"name": f"{key.title()} Park", "role": Role.FIRST_MATE} | changes))


def host(key: str = "noor", **changes: object) -> CrewMember:
    return CrewMemberFactory(key=key, **({"name": f"{key.title()} Haddad", "role": Role.HOST} | changes))


def crewed_vessel(*, captains: int = 1, mates: int = 1, hosts_over_12: int = 1, **changes: object) -> Vessel:
    """A boat for 24 with a captain and mates, a host for more than twelve guests, and the day's checklist."""
    vessel = VesselFactory(**({"captain_credentials": [LICENCE], "passenger_limit": 24} | changes))
    wanted = ((Needs.CAPTAIN, captains, 0), (Needs.MATE_OR_DECKHAND, mates, 0), (Needs.HOST, hosts_over_12, 12))
    for needs, count, over in wanted:
        if count:
            CrewRequirement.objects.create(vessel=vessel, needs=needs, count=count, party_over=over)
    return vessel


def day_checklist() -> ChecklistTemplate:
    template = ChecklistTemplate.objects.create(key="day-sail", name="Day sail", is_default=True)
    tasks = (
        ("weather", "Read the forecast, decide go or no-go", "S", -1440, Role.CAPTAIN, True),
        ("open", "Open the boat, shore power off", "S", -60, Role.FIRST_MATE, True),
        ("lifejackets", "Count life jackets, child sizes for minors", "S", -45, Role.SECOND_MATE, True),
        ("photos", "Tell guests about the photo page and its code", "E", -20, Role.HOST, False),
        ("washdown", "Wash down, rubbish, heads", "E", 45, Role.DECKHAND, True),
    )
    for order, (key, text, anchor, minutes, role, required) in enumerate(tasks):
        TemplateItem.objects.create(
            template=template,
            key=key,
            text=text,
            anchor=anchor,
            minutes=minutes,
            role=role,
            required=required,
            order=order,
        )
    return template


def a_crew_event(**changes: object) -> CrewEvent:
    """A trip through the one door, with its crew called; a crewed vessel is made unless one is given."""
    changes.setdefault("vessel", None)
    changes["vessel"] = changes["vessel"] or crewed_vessel()
    return event_of(a_booking(**changes))


def event_of(booking: Booking) -> CrewEvent:
    return CrewEvent.objects.select_related("booking__vessel__berth").get(booking=booking)


def assignment_of(event: CrewEvent, key: str) -> Assignment:
    """The member's latest assignment on the trip, fresh from the database."""
    rows = Assignment.objects.select_related("member", "place", "event__booking__vessel__berth")
    return rows.filter(event=event, member__key=key).latest("pk")


def crew_of(event: CrewEvent) -> dict[str, str]:
    """{member: status} of the latest assignment of each."""
    return {a.member.key: a.status for a in event.assignments.select_related("member").order_by("pk")}


def grant_of(event: CrewEvent, key: str) -> CrewLinkGrant:
    rows = CrewLinkGrant.objects.select_related("member", "assignment", "event__booking")
    return rows.filter(event=event, member__key=key).latest("pk")


def token_of(event: CrewEvent, key: str) -> str:
    """The token of the member's newest link, as it stands in the mail."""
    return parse_qs(urlsplit(services.link_of(grant_of(event, key))).query)["token"][0]


def accepted(event: CrewEvent, *keys: str, at: datetime = DURING) -> None:
    for key in keys:
        services.accept(assignment=assignment_of(event, key), at=at)
