"""What somebody has been told about one thing by mail, and whether it is what is true now.

A mail tells the present or the past; which of the two, the caller says. Only a mail that left and did not come back
counts as heard: what somebody holds is the newest of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import models

from jada.mail.models import Message
from jada.outbox.enums import State

ON_THE_WAY = (State.PENDING, State.RUNNING, State.SENDING)


class Heard(models.TextChoices):
    """Where somebody stands towards the present. Only the first two of the rest may be told anew."""

    KNOWS = "knows", "knows"
    OLD = "old", "holds the old"
    NEVER = "never", "not told"
    ON_ITS_WAY = "on_its_way", "on its way"
    IN_DOUBT = "in_doubt", "in doubt"
    STUCK = "stuck", "stuck"


@dataclass(frozen=True)
class Told:
    """`holds` is the newest mail that reached them, `latest` the newest that tells the present, however far it came."""

    standing: Heard
    holds: Message | None
    latest: Message | None


def told(messages: Iterable[Message], *, is_true: Callable[[Message], bool]) -> Told:
    """Judge one recipient's mails about one thing, in any order."""
    newest = sorted((m for m in messages if m.state != State.CANCELLED), key=lambda m: m.pk, reverse=True)
    holds = next((m for m in newest if has_reached(m)), None)
    later = [m for m in newest if holds is None or m.pk >= holds.pk]
    latest = next((m for m in later if is_true(m)), None)
    return Told(_standing(holds, latest), holds, latest)


def has_reached(message: Message) -> bool:
    return message.state == State.DONE and message.bounced_at is None


def _standing(holds: Message | None, latest: Message | None) -> Heard:
    if latest is not None and latest == holds:
        return Heard.KNOWS
    state = latest.state if latest else None
    if state in ON_THE_WAY:
        return Heard.ON_ITS_WAY
    # A kind that is held when in doubt ends as dead, and may have arrived all the same.
    if latest and (state == State.IN_DOUBT or (state == State.DEAD and _cause(latest) == "in_doubt")):
        return Heard.IN_DOUBT
    if state == State.DEAD:
        return Heard.STUCK
    return Heard.NEVER if holds is None else Heard.OLD


def _cause(message: Message) -> str:
    return message.effect.cause if message.effect else ""


def mails_to(recipient: str, *, about: str) -> Iterable[Message]:
    return Message.objects.about(about).filter(recipient=recipient).select_related("effect")


def next_fact(base: str) -> str:
    """The same thing said anew, because what was said before reached nobody: `…:again-2` is the second time."""
    said = Message.objects.filter(models.Q(fact=base) | models.Q(fact__startswith=f"{base}:again-")).count()
    return f"{base}:again-{said}" if said else base
