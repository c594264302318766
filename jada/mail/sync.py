"""The courier of mail: a last look, one rendering, one call. And the reader of what the mail service says became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as HeaderAddress
from html import unescape
from itertools import chain
from typing import Any, Final

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Exists, OuterRef, Q
from django.template.loader import render_to_string
from django.utils.timezone import now

from jada.aws import queue
from jada.aws.clients import translate
from jada.failures import Refused, Unknown
from jada.mail import inbox
from jada.mail.events import read, tag_of
from jada.mail.letters import Address, Letter, kinds, letter_of
from jada.mail.models import MailEvent, Message
from jada.outbox.enums import Cause, State
from jada.outbox.invariants import Finding, examine
from jada.outbox.models import Attempt
from jada.outbox.registry import Withdrawn, Work, courier

logger = logging.getLogger(__name__)

MASK = "[personal link]"
NOTE_FOR: Final = 30.0  # seconds: a lease has room for it beside the one call
NOTE_PAUSE: Final = 0.5
ROUNDS: Final = 50  # of ten messages each: one call of `poll` ends, however full the queue is


@dataclass(frozen=True)
class Prepared:
    message: Message
    to: Address
    subject: str
    text: str
    html: str


@courier("mail.message", service="ses", rate=lambda: settings.SES_SEND_RATE)
class Mail:
    def prepare(self, work: Work) -> Prepared | Withdrawn:
        message = Message.objects.get(pk=work.key)
        if message.kind not in kinds():
            raise Unknown(f"This worker does not know letters of the kind {message.kind}: it runs older code.")
        letter = letter_of(message.kind)
        if reason := letter.withdrawn(message) or _overtaken(message):
            return Withdrawn(reason)
        to = letter.address(message)
        if to is None or not to.email:
            raise Refused(f"There is no address on file for {message.recipient}: add one, then retry.")
        if block := inbox.blocked(to.email):
            raise Refused(
                f"The address on file of {message.recipient} gets no mail ({block.get_trouble_display()}): "
                "correct it, or lift its block under Addresses without mail, then retry."
            )
        links = letter.links(message)
        prepared = _render(message, letter, to, links, repeat=letter.in_doubt == "once" and _repeats(work) > 0)
        _keep_as_sent(prepared, links)
        return prepared

    def send(self, prepared: Prepared, work: Work) -> Mapping[str, Any]:
        sender = _sender_of(prepared.message)
        mail = EmailMultiAlternatives(
            subject=prepared.subject,
            body=prepared.text,
            from_email=sender,
            to=[str(HeaderAddress(prepared.to.name, addr_spec=prepared.to.email))],
            reply_to=[settings.MAIL_REPLY_TO],
            headers={"X-Jada-Effect": str(work.effect_id)},
        )
        mail.attach_alternative(prepared.html, "text/html")
        mail.esp_extra = {"FromEmailAddress": sender, "EmailTags": _tags(prepared.message, work)}  # type: ignore[attr-defined]
        try:
            mail.send()
        except AnymailRecipientsRefused as error:
            raise Refused("The mail service refused the address: correct it, then retry.") from error
        except AnymailError as error:
            raise translate(error.__cause__ or error, message=True) from error
        return _note_sent(prepared.message, mail)

    def in_doubt(self, work: Work) -> str:
        """Crew links may be repeated, the manager's mail once, a guest's never without a person.

        A last look at what the mail service has told: a row that this settles is no longer in doubt, and whatever is
        answered for it finds nothing to change.
        """
        if inbox.settle(at=now(), effect_id=work.effect_id):
            return "hold"
        rule = letter_of(Message.objects.get(pk=work.key).kind).in_doubt
        if rule == "once":
            return "resend" if _repeats(work) <= 1 else "hold"
        return rule


def _overtaken(message: Message) -> str:
    """Why a mail that was given up and is tried again is too late: whoever reads it last must not read the older one."""
    newer = Message.objects.about(message.subject_of).filter(recipient=message.recipient, pk__gt=message.pk)
    may_have_left = Q(sent_at__isnull=False) | Q(effect__state=State.IN_DOUBT) | Q(effect__cause=Cause.IN_DOUBT)
    return "A newer mail about the same has left since." if newer.filter(may_have_left).exists() else ""


def _sender_of(message: Message) -> str:
    """Each purpose has its own sender, so that bounces of one do not hurt the others."""
    return settings.MAIL_SENDERS.get(message.kind.partition(".")[0], settings.MAIL_FROM)


def _tags(message: Message, work: Work) -> list[dict[str, str]]:
    """What the events of this mail will carry back: numbers of ours and a digest. Tags are not secret."""
    tags = {"effect": str(work.effect_id), "claim": str(work.claim_no), "fact": tag_of(message.fact)}
    return [{"Name": name, "Value": value} for name, value in tags.items()]


def _repeats(work: Work) -> int:
    return Attempt.objects.filter(effect_id=work.effect_id, outcome="in_doubt").count()


def _render(message: Message, letter: Letter, to: Address, links: Mapping[str, str], *, repeat: bool) -> Prepared:
    folder = f"mail/{letter.template}"
    context = {**message.values, **links, "to": to}
    subject = " ".join(render_to_string(f"{folder}/subject.txt", context, using="jinja2").split())
    # Plain text is not HTML: the values are escaped by the environment, and must read as typed.
    text = _plain(render_to_string(f"{folder}/body.txt", context, using="jinja2"))
    html = render_to_string(f"{folder}/body.html", context, using="jinja2")
    subject = _plain(f"Possible repeat: {subject}" if repeat else subject)
    return Prepared(message, to, subject[:200], text, html)


def _plain(text: str) -> str:
    return unescape(text).strip() + "\n" if "\n" in text else unescape(text).strip()


def _keep_as_sent(prepared: Prepared, links: Mapping[str, str]) -> None:
    """What the console shows: the very text, its personal links masked."""
    message = prepared.message
    message.sent_to, message.subject = prepared.to.email, prepared.subject
    message.text, message.html = prepared.text, prepared.html
    for link in links.values():
        if "token=" in link:
            message.text = message.text.replace(link, MASK)
            message.html = message.html.replace(link, MASK).replace(link.replace("&", "&amp;"), MASK)
    message.save(update_fields=["sent_to", "subject", "text", "html"])


def _note_sent(message: Message, mail: EmailMultiAlternatives) -> Mapping[str, Any]:
    status = getattr(mail, "anymail_status", None)  # a backend that is not anymail's gives none
    provider_id, at = (status and status.message_id) or "", now()
    patience = time.monotonic() + NOTE_FOR
    while True:
        try:
            Message.objects.filter(pk=message.pk).update(sent_at=at, provider_id=provider_id)
        except (
            OperationalError,
            InterfaceError,
        ):  # the mail is out: it must not be in doubt because a database restarts
            if time.monotonic() > patience:
                raise
            connection.close_if_unusable_or_obsolete()
            time.sleep(NOTE_PAUSE)
        else:
            return {"message_id": provider_id}


@examine("I7")
def _left_and_waiting(at: datetime) -> Iterator[Finding]:
    """What left once may leave again only when it was in doubt, and that is written down."""
    doubted = Attempt.objects.filter(effect=OuterRef("effect"), outcome="in_doubt")
    again = Message.objects.filter(effect__state=State.PENDING, sent_at__isnull=False).filter(~Exists(doubted))
    yield "mails that left, and are about to leave again unnoticed, by id", again.order_by()


# --- what became of it -----------------------------------------------------------------------------------------------


def poll(*, wait: int = 1) -> int:
    """Read the queue of mail events until it is empty; answers how many events were kept. Waits `wait` s for the first.

    Kept and committed first, deleted from the queue only then: whatever dies in between is told again and is known.
    Raises the DeliveryFailure of a queue that cannot be read.
    """
    url, topic = queue.mail_events_url(), queue.mail_events_topic()
    kept = 0
    for number in range(ROUNDS):
        received = queue.receive(url, wait=0 if number else wait)
        if not received:
            break
        kept += inbox.keep(told=chain.from_iterable(read(each.body, topic=topic) for each in received), at=now())
        queue.delete(url, [each.receipt for each in received])
    return kept


def apply_events() -> None:
    """Let what was kept have its effect; an event that cannot keeps the others from nothing, and its turn comes again."""
    for event_id in MailEvent.objects.waiting().order_by("pk").values_list("pk", flat=True)[:1000]:
        try:
            inbox.apply(event_id=event_id, at=now())
        except Exception:
            logger.exception("Unable to apply the mail event #%s", event_id)
    inbox.settle(at=now())
