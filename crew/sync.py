"""How a crew event looks outside: one item of the events table. And the crew's letters, with their personal links."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat
from django.utils.timezone import now

from bookings.models import Booking
from crew.enums import ASKED, EventStatus
from crew.manifest import CrewEventView
from crew.models import Assignment, CrewEvent, CrewLinkGrant, CrewMember
from crew.services import event_view, link_of
from crew.services.letters import has_heard
from jada.aws import table
from jada.failures import Outcome
from jada.mail.letters import Address, letter
from jada.outbox.copies import Copy
from jada.outbox.plans import plan
from jada.outbox.registry import Seen, digest, projection

if TYPE_CHECKING:
    from jada.mail.models import Message

TOMBSTONE_LASTS = timedelta(days=90)
OURS = ("version", "digest")  # what the table adds to a view
# What may be said aloud when it differs. The rest is text that somebody may have typed an amount or a contact into.
SHOWN = frozenset({
    "event_id", "status", "vessel", "date", "call_time", "call_at", "starts_at", "ends_at", "time_zone", "party_size",
    "dock", "payment_state", "ready", "crew", "checklist_done", "checklist_total", "version", "digest", "deleted",
})  # fmt: skip


@plan("crew.event")
def every_item() -> QuerySet[Any]:
    """Each trip that stands has a crew event, and that its item."""
    named = {"key": F("public_id"), "subject": Concat(Value("booking:"), F("public_id"))}
    return Booking.objects.standing().values("starts_at", **named)


@projection("crew.event", lane="crew.event:{key}", service="dynamodb")
class CrewEventItem:
    """The key is the booking's public id, as everywhere outside."""

    def view(self, key: str) -> CrewEventView | None:
        event = CrewEvent.objects.select_related("booking__vessel__berth").filter(booking__public_id=key).first()
        return event_view(event) if event else None

    def write(self, key: str, view: CrewEventView | None, version: int) -> Outcome:
        if view is None:
            return table.tombstone(key, version, now() + TOMBSTONE_LASTS)
        return table.put_event(item_of(view), version=version, digest=digest(view))

    def copies(self, key: str, version: int) -> list[Copy]:
        """The item, field by field: one that was edited by hand bears the right version and digest all the same."""
        view, stored = self.view(key), table.read_event(key)
        wanted = item_of(view) | {"digest": digest(view)} if view else _tombstone(key, stored)
        if stored:
            stored = {name: value for name, value in stored.items() if name != "expires_at"}
        return [
            Copy(
                store="table",
                object=f"crew event {key}",
                found=stored,
                wanted=wanted and wanted | {"version": version},
                private=frozenset(wanted or ()) - SHOWN,
            )
        ]

    def read_back(self, key: str) -> Seen | None:
        """The digest is of what stands there, so that an item edited by hand shows."""
        stored = table.read_event(key)
        if stored is None:
            return None
        version = stored.get("version")  # an item that was put there by hand has none, or a text
        facts = {name: value for name, value in stored.items() if name not in OURS}
        status = str(facts.get("status", "deleted"))
        return Seen(
            version if isinstance(version, int) else 0,
            digest(None if stored.get("deleted") else facts),
            {"status": status},
        )


def _tombstone(key: str, stored: Mapping[str, object] | None) -> dict[str, Any] | None:
    """What stands for an event that is gone; after a while the table removes it, and nothing stands there."""
    return {"event_id": key, "deleted": True, "digest": table.TOMBSTONE_DIGEST} if stored else None


def item_of(view: CrewEventView) -> dict[str, Any]:
    """The view as an item: text, whole numbers, yes or no, and a list of the crew."""
    item: dict[str, Any] = json.loads(json.dumps(asdict(view)))
    return item


# --- the crew's letters ----------------------------------------------------------------------------------------------


class CrewLetter:
    """To the address on file. A repeat carries the same link and harms nobody, so one in doubt is sent again."""

    template = ""
    in_doubt = "resend"

    def address(self, message: Message) -> Address | None:
        member = CrewMember.objects.filter(public_id=message.recipient.removeprefix("crew:")).first()
        return Address(member.name, member.email) if member else None

    def withdrawn(self, message: Message) -> str:
        """The last look: still asked, still the same version, the link still good."""
        rows = Assignment.objects.select_related("event__booking", "member")
        assignment = rows.filter(pk=message.values["assignment"]).first()
        if assignment is None or assignment.status not in ASKED or assignment.version != message.values["version"]:
            return "Not on this trip any more."
        if assignment.event.status != EventStatus.OPEN:
            return "The trip is cancelled."
        if not assignment.member.active:
            return "Not on the active roster any more."
        if now() > assignment.event.booking.ends_at:
            return "The trip is over."
        grant = CrewLinkGrant.objects.filter(pk=message.values["grant"], revoked_at=None).first()
        return "" if grant else "Its link was revoked."

    def links(self, message: Message) -> Mapping[str, str]:
        grants = CrewLinkGrant.objects.select_related("member", "event__booking")
        return {"link": link_of(grants.get(pk=message.values["grant"]))}


@letter("crew.invitation")
class Invitation(CrewLetter):
    template = "crew_invitation"


@letter("crew.changed")
class Changed(CrewLetter):
    template = "crew_changed"


@letter("crew.link")
class NewLink(CrewLetter):
    template = "crew_link"


@letter("crew.cancelled")
class Cancelled(CrewLetter):
    """The end of it; no link, for there is nothing to open."""

    template = "crew_cancelled"

    def withdrawn(self, message: Message) -> str:
        member = message.recipient.removeprefix("crew:")
        again = Assignment.objects.on_open_events().live().filter(member__public_id=member)
        trip = again.filter(event__booking__public_id=message.values["event_id"])
        if trip.exists():
            return "Called to the trip again."
        # An invitation that was being sent when the trip was cancelled may have been withdrawn at its own last look.
        assignment = Assignment.objects.filter(pk=message.values["assignment"]).first()
        told = assignment is None or has_heard(assignment, otherwise_than=message)
        return "" if told else "Never told of the trip."

    def links(self, message: Message) -> Mapping[str, str]:
        return {}
