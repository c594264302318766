"""Whom mail does not reach. The block is the address's: who has a new one on file is reached again at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from crew.models import Assignment, CrewMember
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.mail.enums import Trouble
from jada.mail.models import BlockedAddress


@transaction.atomic
def note_unreachable(*, address: str, trouble: Trouble, by: Actor, at: datetime) -> int:
    """Say in the history of every trip ahead that somebody aboard has to be told by telephone; answers how many.

    Nobody is taken off: an address that fails says nothing of the person.
    """
    ahead = Assignment.objects.on_open_events().live().filter(member__email__iexact=address)
    ahead = ahead.filter(event__booking__ends_at__gt=at).select_related("member", "event__booking")
    for assignment in ahead:
        detail = {"member": assignment.member.name, "why": str(trouble.label)}
        record(act="crew.member.not-reached", subject=assignment.event.booking.subject, by=by, at=at, detail=detail)
    return len(ahead)


def unreachable(members: Iterable[CrewMember]) -> dict[int, BlockedAddress]:
    """Member id -> why their address gets no mail, of those whose gets none. One query."""
    addresses = {member.pk: member.email.lower() for member in members}  # two may share one
    blocks = BlockedAddress.objects.standing().filter(address__in=set(addresses.values()))
    known = {block.address: block for block in blocks}
    return {pk: known[address] for pk, address in addresses.items() if address in known}
