"""Owing a message. The row and its effect are written in the transaction of the act that it tells about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jada.mail.models import Message
from jada.outbox.entries import enqueue_message
from jada.outbox.enums import State
from jada.outbox.models import Effect

TOPIC = "mail.message"


def owe_message(
    *,
    kind: str,
    fact: str,
    recipient: str,
    about: str,
    values: Mapping[str, Any],
    lane: str,
    at: datetime,
    revision: int = 0,
    has_money: bool = False,
    after: tuple[str, str] | None = None,
    not_before: datetime | None = None,
) -> Message | None:
    """Owe one mail of `kind` to `recipient`, stating `fact`. The same fact again is no second mail: answers None.

    `lane` keeps the mails of one recipient about one trip in order; `after` is a projection that must be in place.
    """
    if Message.objects.filter(fact=fact).exists():
        return None
    message = Message.objects.create(
        kind=kind, fact=fact, recipient=recipient, subject_of=about, values=dict(values),
        revision=revision, has_money=has_money, created_at=at,
    )  # fmt: skip
    message.effect = enqueue_message(
        TOPIC, str(message.pk), lane=lane, fact=fact, subject=about, after=after, not_before=not_before
    )
    message.save(update_fields=["effect"])
    return message


def withdraw_messages(*, lane: str, reason: str, kinds: frozenset[str] | None = None) -> list[Message]:
    """Take back what has not left yet from a lane; answers what was taken back, so that it can be told anew.

    What was taken back stated nothing: its fact is free again, for a change that is changed back.
    """
    waiting = Message.objects.filter(effect__lane=lane, effect__state=State.PENDING)
    if kinds is not None:
        waiting = waiting.filter(kind__in=kinds)
    taken = []
    for message in waiting.select_related("effect"):
        rows = Effect.objects.filter(fact=message.fact, state=State.PENDING)
        if rows.update(state=State.CANCELLED, last_error=reason, done_at=message.created_at, fact=None):
            Message.objects.filter(pk=message.pk).update(fact=f"taken back:{message.pk}")
            taken.append(message)
    return taken
