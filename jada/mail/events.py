"""Reading what the mail service publishes: SES event -> SNS envelope -> the body of a message in our queue.

Nothing here raises: what cannot be read is told too, with its problem, so that it is kept and counted. Of an event only
what says why is kept. Its headers, its subject, and the link that was followed (it can be a personal one) are not.

Source: "Contents of event data that Amazon SES publishes to Amazon SNS", SES developer guide.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any, Final

from jada.logs import without_secrets
from jada.mail.enums import EventKind

LONGEST: Final = 500  # characters of one detail
BIGGEST: Final = 2**63 - 1

# Where each kind says more, and whom it is about.
_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    EventKind.SEND: ("send", ""),
    EventKind.DELIVERY: ("delivery", "recipients"),
    EventKind.DELAY: ("deliveryDelay", "delayedRecipients"),
    EventKind.BOUNCE: ("bounce", "bouncedRecipients"),
    EventKind.COMPLAINT: ("complaint", "complainedRecipients"),
    EventKind.REJECT: ("reject", ""),
    EventKind.FAILURE: ("failure", ""),
    EventKind.OPEN: ("open", ""),
    EventKind.CLICK: ("click", ""),
}
_WHY: Final = (
    "bounceType", "bounceSubType", "complaintFeedbackType", "complaintSubType", "delayType", "reason", "errorMessage",
    "smtpResponse", "reportingMTA", "action", "status", "diagnosticCode",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One event about one recipient, or one message that could not be read and why (`problem`)."""

    identity: str
    kind: EventKind = EventKind.OTHER
    provider_id: str = ""
    recipient: str = ""
    effect_no: int | None = None
    claim_no: int | None = None
    fact_tag: str = ""
    permanent: bool = False
    detail: Mapping[str, str] = field(default_factory=dict)
    occurred_at: datetime | None = None
    accepted_at: datetime | None = None
    problem: str = ""


class _Unreadable(Exception):
    """Its text says why, as a sentence."""


def tag_of(fact: str) -> str:
    """What travels with a mail to say which fact it states: after a restore a number may mean another row."""
    return hashlib.sha256(fact.encode()).hexdigest()[:16]


def read(body: str, *, topic: str) -> list[Told]:
    """What one message of the queue tells; `topic` is the ARN of ours, and nobody else's envelope is believed."""
    try:
        return list(_events(_message_of(body, topic)))
    except _Unreadable as reason:
        return [Told(identity=hashlib.sha256(body.encode("utf-8", "replace")).hexdigest(), problem=str(reason))]


def _message_of(body: str, topic: str) -> dict[str, Any]:
    envelope = _object(body, "The message of the queue")
    if envelope.get("TopicArn") != topic:
        raise _Unreadable("It came from another topic than ours: only our topic may send to this queue.")
    if envelope.get("Type") != "Notification":
        raise _Unreadable("It is no notification.")
    return _object(envelope.get("Message"), "The notification")


def _object(text: object, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _Unreadable(f"{what} is no JSON object.")
    return found


def _events(event: dict[str, Any]) -> Iterator[Told]:
    kind = event.get("eventType") or event.get("notificationType")
    if not isinstance(kind, str) or kind not in _PLACES:
        raise _Unreadable("It is no event of a mail that we know.")
    mail = _part(event, "mail")
    message_id = _text(mail.get("messageId"))[:120]
    if not message_id:
        raise _Unreadable("It does not say which mail it is about.")
    place, whom = _PLACES[kind]
    more = _part(event, place)
    accepted = _instant(mail.get("timestamp"))
    occurred = _instant(more.get("timestamp")) or accepted
    if occurred is None:
        raise _Unreadable("It does not say when it happened.")
    for address, own in _recipients(more, whom, mail):
        named = f"{message_id}\0{kind}\0{address}\0{occurred.isoformat()}"
        yield Told(
            identity=hashlib.sha256(named.encode()).hexdigest(),
            kind=EventKind(kind),
            provider_id=message_id,
            recipient=address,
            permanent=more.get("bounceType") == "Permanent",
            detail=_why(more | own),
            occurred_at=occurred,
            accepted_at=accepted,
            **_tags(mail),
        )


def _recipients(more: dict[str, Any], whom: str, mail: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(address, what is said of it alone); the mail's own recipient where the event names none. Ours have one."""
    for entry in _list(more.get(whom)) or _list(mail.get("destination")) or [""]:
        own = entry if isinstance(entry, dict) else {"emailAddress": entry}
        yield parseaddr(_text(own.get("emailAddress")))[1].lower()[:254], own


def _tags(mail: dict[str, Any]) -> dict[str, Any]:
    """Our own tags, each a list of one text; whatever else stands there says nothing to us."""
    tags = _part(mail, "tags")
    first = {name: values[0] for name, values in tags.items() if isinstance(values, list) and values}
    return {
        "effect_no": _number(first.get("effect"), BIGGEST),
        "claim_no": _number(first.get("claim"), 2**31 - 1),
        "fact_tag": _text(first.get("fact"))[:16],
    }


def _number(text: object, most: int) -> int | None:
    digits = text if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20 else ""
    return int(digits) if digits and 0 < int(digits) <= most else None


def _why(said: dict[str, Any]) -> dict[str, str]:
    return {name: without_secrets(_text(said[name]))[:LONGEST] for name in _WHY if said.get(name)}


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """PostgreSQL keeps no null character, and half a surrogate pair is no text."""
    clean = value.replace("\x00", "") if isinstance(value, str) else ""
    return clean.encode("utf-8", "replace").decode()


def _instant(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(value))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
