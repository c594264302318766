"""What is done with an event of a mail, once it is kept: the message says what became of it, doubt ends, an address that
takes no mail is blocked. Events come repeated and in any order, so every act here may be done again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from jada.audit.actors import Actor
from jada.audit.services import record
from jada.mail.enums import PROOFS, EventKind, Trouble
from jada.mail.events import Told, tag_of
from jada.mail.models import BlockedAddress, MailEvent, Message
from jada.mail.services import TOPIC
from jada.mail.signals import mail_bounced
from jada.outbox.models import Effect
from jada.outbox.proof import doubtful, in_doubt, prove_sent


@transaction.atomic
def keep(*, told: Iterable[Told], at: datetime) -> int:
    """Keep what was told; what is known already is left as it is. Answers how many were given."""
    rows = [MailEvent(received_at=at, **asdict(one)) for one in told]
    MailEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def apply(*, event_id: int, at: datetime) -> None:
    """Let one event have its effect. Doing it twice is doing it once."""
    event = MailEvent.objects.select_for_update().get(pk=event_id)
    if event.applied_at or event.problem:
        return
    event.message = _message_of(event)
    if event.message:
        _note(event, event.message)
    trouble = _trouble_of(event)
    if trouble:
        _block(event, trouble)
    event.applied_at = at
    event.save(update_fields=["message", "applied_at"])


def settle(*, at: datetime, effect_id: int | None = None) -> int:
    """End the doubt about messages of which an event is known; answers how many. Only a presence proves anything.

    It looks from the messages to the events: an event may be here before its message is in doubt.
    """
    waiting = doubtful(TOPIC)
    if effect_id is not None:
        waiting = waiting.filter(pk=effect_id)
    known = MailEvent.objects.filter(effect_no__in=waiting.values("pk"), kind__in=PROOFS, problem="")
    settled = 0
    for event in known.order_by("pk"):
        if event.effect_no is not None and _message_of(event):
            settled += prove_sent(
                effect_id=event.effect_no,
                claim_no=event.claim_no or 1,
                by_what=f"The mail service told of it: {event.get_kind_display()}.",
                result={"message_id": event.provider_id},
                at=at,
            )
    return settled


@transaction.atomic
def take_as_arrived(*, effect: Effect, by: Actor, at: datetime) -> bool:
    """A person asked the recipient, and it came: the doubt ends without a second mail. False where there is none."""
    message = Message.objects.filter(effect__in=in_doubt(TOPIC).filter(pk=effect.pk)).first()
    said = f"{by} asked, and it arrived."
    if not message or not prove_sent(effect_id=effect.pk, claim_no=effect.claim_no, by_what=said, result={}, at=at):
        return False
    Message.objects.filter(pk=message.pk, sent_at=None).update(sent_at=at)
    record(act="mail.message.arrived", subject=message.subject_of, by=by, at=at, detail={"to": message.recipient})
    return True


def blocked(address: str) -> BlockedAddress | None:
    """Why an address gets no mail, if it gets none."""
    return BlockedAddress.objects.standing().filter(address=address.strip().lower()).first()


@transaction.atomic
def lift_block(*, block: BlockedAddress, by: Actor, at: datetime) -> None:
    """A person knows that the address takes mail again. A later bounce blocks it anew."""
    if block.lifted_at is None:
        block.lifted_at, block.lifted_by = at, str(by)[:150]
        block.save(update_fields=["lifted_at", "lifted_by"])
        subject = block.message.subject_of if block.message else f"address:{block.pk}"
        record(act="mail.address.unblocked", subject=subject, by=by, at=at, detail={"why": block.get_trouble_display()})


# --- the parts of an act ---------------------------------------------------------------------------------------------


def _message_of(event: MailEvent) -> Message | None:
    """By our own tags; by the service's id for the mail where they are missing."""
    mine = Q(effect_id=event.effect_no) if event.effect_no else Q(provider_id=event.provider_id)
    message = Message.objects.filter(mine).first()
    if message is None and event.effect_no:  # its effect was purged
        message = Message.objects.filter(provider_id=event.provider_id).first()
    if message and event.fact_tag and event.fact_tag != tag_of(message.fact):
        return None  # the number was another row's before a restore
    return message


def _note(event: MailEvent, message: Message) -> None:
    """The first delivery and the last delay count; nothing that was told is ever taken back."""
    message = Message.objects.select_for_update().get(pk=message.pk)
    name = _column(event)
    if name and event.occurred_at:
        before = getattr(message, name)
        pick = max if name == "held_up_at" else min
        setattr(message, name, pick(before, event.occurred_at) if before else event.occurred_at)
    if event.kind not in (EventKind.REJECT, EventKind.FAILURE):  # those never left
        message.sent_at = message.sent_at or event.accepted_at
    message.provider_id = message.provider_id or event.provider_id
    message.save(update_fields=["sent_at", "provider_id", *([name] if name else [])])


def _column(event: MailEvent) -> str:
    match event.kind:
        case EventKind.DELIVERY:
            return "delivered_at"
        case EventKind.BOUNCE if event.detail.get("bounceType") == "Transient":
            return "held_up_at"  # an absent reader's answer is one of these too, so it may well have arrived
        case EventKind.BOUNCE | EventKind.REJECT | EventKind.FAILURE:
            return "bounced_at"
        case EventKind.DELAY:
            return "held_up_at"
        case EventKind.COMPLAINT:
            return "reported_at"
        case EventKind.OPEN | EventKind.CLICK:
            return "opened_at"
    return ""


def _trouble_of(event: MailEvent) -> Trouble | None:
    if event.kind == EventKind.COMPLAINT:
        return Trouble.REPORTED
    return Trouble.BOUNCED if event.kind == EventKind.BOUNCE and event.permanent else None


def _block(event: MailEvent, trouble: Trouble) -> None:
    """Block the address and say so, once; an event from before a person lifted the block is old news."""
    if not event.recipient or event.occurred_at is None:
        return
    facts = {"trouble": trouble, "since": event.occurred_at, "message": event.message}
    block, new = BlockedAddress.objects.select_for_update().get_or_create(address=event.recipient, defaults=facts)
    if not new:
        if block.lifted_at is None or event.occurred_at <= block.lifted_at:
            return
        block.trouble, block.since, block.message = trouble, event.occurred_at, event.message
        block.lifted_at = block.lifted_by = None
        block.save()
    mail_bounced.send(
        sender=Message,
        recipient=event.message.recipient if event.message else "",
        address=event.recipient,
        kind=trouble,
        about=event.message.subject_of if event.message else "",
        at=event.occurred_at,
    )
