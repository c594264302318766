"""The checklist of a trip: made from a template, moved with the trip, ticked by whoever is aboard."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from bookings.models import Booking
from crew.models import ChecklistItem, ChecklistTemplate, CheckOp, CrewEvent, CrewMember, TemplateItem
from crew.services.calling import locked
from crew.services.news import announce
from jada.audit.actors import Actor
from jada.audit.services import record

COPIED = ("text", "anchor", "minutes", "role", "required", "order")


class NoSuchTask(Exception):
    """The trip has no such task."""


class ChecklistClosed(Exception):
    """A day after the trip its checklist is history: tell the captain what is still open."""


@transaction.atomic
def tick(*, event: CrewEvent, item_id: int, done: bool, op: str, member: CrewMember, at: datetime) -> ChecklistItem:
    """Tick or untick a task. The tap `op` counts once, however often a bad line repeats it; the last tap wins.

    Raises `NoSuchTask` and `ChecklistClosed`.
    """
    event = locked(event)  # two last tasks ticked at once: the second sees the first, and the trip is ready
    item = ChecklistItem.objects.filter(event=event, pk=item_id).first()
    if item is None:
        raise NoSuchTask("This trip has no such task: reload the page.")
    if at > event.open_until:
        raise ChecklistClosed("This checklist is closed: tell the captain what is still open.")
    if op and item.ops.filter(op=op).exists():
        return item
    if op:
        CheckOp.objects.create(item=item, op=op[:64], done=done, member=member, at=at)
    if item.is_done == done:
        return item
    by = Actor.crew(member.name)
    item.done_at, item.done_by = (at, str(member)[:150]) if done else (None, None)
    item.save(update_fields=["done_at", "done_by"])
    act = "crew.task.ticked" if done else "crew.task.unticked"
    record(act=act, subject=event.booking.subject, by=by, at=at, detail={"task": item.text})
    announce(event, by=by, at=at)
    return item


def lay_out(event: CrewEvent) -> None:
    """Make the trip's list equal to its template: what is missing is added, what is not in it and not done goes."""
    template = template_for(event.booking)
    there = {item.key: item for item in event.items.all()}
    wanted = {item.key: item for item in template.items.all()} if template else {}
    missing = [_task(event, source) for key, source in wanted.items() if key not in there]
    ChecklistItem.objects.bulk_create(missing)  # nobody listens to a task being saved
    for key, item in there.items():
        if key not in wanted and not item.is_done:
            item.delete()


def _task(event: CrewEvent, source: TemplateItem) -> ChecklistItem:
    values = {name: getattr(source, name) for name in COPIED}
    return ChecklistItem(event=event, key=source.key, due_at=source.due_on(event.booking), **values)


def move(event: CrewEvent) -> None:
    """The trip has other times: so have its tasks."""
    for item in event.items.all():
        item.due_at = item.due_on(event.booking)
        item.save(update_fields=["due_at"])


def template_for(booking: Booking) -> ChecklistTemplate | None:
    """The template of the trip's product, else the default one."""
    own = ChecklistTemplate.objects.filter(products=booking.product_id) if booking.product_id else None
    template = own.first() if own is not None else None
    return template or ChecklistTemplate.objects.filter(is_default=True).first()
