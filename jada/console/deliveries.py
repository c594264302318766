"""What the list of deliveries asks of the console: acts that history keeps, the kept mail, and where a cause is mended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import NoReverseMatch, reverse

from jada.audit.actors import Actor
from jada.audit.services import record
from jada.console.booking_page import MONEY_MESSAGE, User, retry_delivery
from jada.console.ledger import NAMES
from jada.mail.inbox import take_as_arrived
from jada.mail.models import Message
from jada.mail.services import TOPIC as MAIL
from jada.outbox import services as outbox
from jada.outbox.heartbeats import WORKER
from jada.outbox.models import Effect
from jada.outbox.signs import STARTED_BY
from jada.outbox.troubles import Trouble


def retry_all(*, effects: Iterable[Effect], user: User, at: datetime) -> int:
    """Each in a transaction of its own, lanes in one order: one that fails undoes no other. Answers how many."""
    return sum(retry_delivery(effect=effect, user=user, at=at) for effect in outbox.in_order(effects))


def arrived_all(*, effects: Iterable[Effect], user: User, at: datetime) -> int:
    """As `retry_all`, of mails in doubt that did arrive."""
    by = Actor.user(user)
    return sum(take_as_arrived(effect=effect, by=by, at=at) for effect in outbox.in_order(effects))


def drop_all(*, effects: Iterable[Effect], reason: str, user: User, at: datetime) -> int:
    """As `retry_all`; what waited for them goes on without them."""
    return sum(drop_delivery(effect=effect, reason=reason, user=user, at=at) for effect in outbox.in_order(effects))


@transaction.atomic
def drop_delivery(*, effect: Effect, reason: str, user: User, at: datetime) -> bool:
    """Give a delivery up; the history of what it is about says who wanted it, and why. False if it is under way or over."""
    dropped = outbox.drop(effect=effect, reason=reason, at=at)
    if dropped:
        subject = effect.subject or f"delivery:{effect.pk}"
        detail = {"delivery": NAMES.get(effect.topic, effect.topic), "reason": reason}
        record(act="outbox.delivery.dropped", subject=subject, by=Actor.user(user), at=at, detail=detail)
    return dropped


def mail_of(effect: Effect, user: User) -> tuple[str, str] | None:
    """(address, words) of the mail that the delivery is, for those who may read it."""
    if effect.topic != MAIL or not user.has_perm("mail.view_message"):
        return None
    found = Message.objects.filter(effect=effect)
    message = (found if user.has_perm(MONEY_MESSAGE) else found.without_money()).first()
    if message is None:
        return None
    words = "The mail as it was sent" if message.sent_at else "The mail"
    return reverse("admin:mail_message_change", args=[message.pk]), words


def remedies() -> dict[Trouble, tuple[str, str]]:
    """Trouble -> (words, address) of the page that helps, or (command, "") where a command does."""
    found = {}
    if command := STARTED_BY.get(settings.OUTBOX_HOST, {}).get(WORKER):
        found[Trouble.LATE] = (command, "")
    try:
        found[Trouble.CONFIGURATION] = ("Preflight says what is wrong", reverse("admin:preflight"))
    except NoReverseMatch:
        found[Trouble.CONFIGURATION] = ("manage.py preflight", "")
    return found
