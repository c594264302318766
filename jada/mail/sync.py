"""The courier of mail: a last look, one rendering, one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address as HeaderAddress
from html import unescape
from typing import Any

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.timezone import now

from jada.aws.clients import translate
from jada.failures import Refused, Retry
from jada.mail.letters import Address, Letter, kinds, letter_of
from jada.mail.models import Message
from jada.outbox.models import Attempt
from jada.outbox.registry import Withdrawn, Work, courier

MASK = "[personal link]"


@dataclass(frozen=True)
class Prepared:
    message: Message
    to: Address
    subject: str
    text: str
    html: str


@courier("mail.message")
class Mail:
    def prepare(self, work: Work) -> Prepared | Withdrawn:
        message = Message.objects.get(pk=work.key)
        if message.kind not in kinds():
            raise Retry(f"This worker does not know letters of the kind {message.kind}: it runs older code.")
        letter = letter_of(message.kind)
        if reason := letter.withdrawn(message):
            return Withdrawn(reason)
        to = letter.address(message)
        if to is None or not to.email:
            raise Refused(f"There is no address on file for {message.recipient}: add one, then retry.")
        prepared = _render(message, letter, to, repeat=letter.in_doubt == "once" and _repeats(work) > 0)
        _keep_as_sent(prepared, letter.links(message))
        return prepared

    def send(self, prepared: Prepared, work: Work) -> Mapping[str, Any]:
        mail = EmailMultiAlternatives(
            subject=prepared.subject,
            body=prepared.text,
            from_email=settings.MAIL_FROM,
            to=[str(HeaderAddress(prepared.to.name, addr_spec=prepared.to.email))],
            headers={"X-Jada-Effect": str(work.effect_id)},
        )
        mail.attach_alternative(prepared.html, "text/html")
        tags = [{"Name": "effect", "Value": str(work.effect_id)}, {"Name": "claim", "Value": str(work.attempt)}]
        mail.esp_extra = {"FromEmailAddress": settings.MAIL_FROM, "EmailTags": tags}  # type: ignore[attr-defined]
        try:
            mail.send()
        except AnymailRecipientsRefused as error:
            raise Refused("The mail service refused the address: correct it, then retry.") from error
        except AnymailError as error:
            raise translate(error.__cause__ or error, message=True) from error
        return _note_sent(prepared.message, mail)

    def in_doubt(self, work: Work) -> str:
        """Crew links may be repeated, the manager's mail once, a guest's never without a person."""
        rule = letter_of(Message.objects.get(pk=work.key).kind).in_doubt
        if rule == "once":
            return "resend" if _repeats(work) <= 1 else "hold"
        return rule


def _repeats(work: Work) -> int:
    return Attempt.objects.filter(effect_id=work.effect_id, outcome="in_doubt").count()


def _render(message: Message, letter: Letter, to: Address, *, repeat: bool) -> Prepared:
    folder = f"mail/{letter.template}"
    context = {**message.values, **letter.links(message), "to": to}
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
    provider_id = (status and status.message_id) or ""
    Message.objects.filter(pk=message.pk).update(sent_at=now(), provider_id=provider_id)
    return {"message_id": provider_id}
