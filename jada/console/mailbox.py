"""The demo's mailbox: copies of the mails that left, read as plain text. Exists only where MAILBOX_DIR is set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

NAME = re.compile(r"[0-9]{5,9}-[0-9a-f]{6}\.eml")
LINK = re.compile(r"(https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]])")


@dataclass(frozen=True)
class Letter:
    """One copy. `sent_at` is None where its Date header is missing or unreadable."""

    name: str
    to: str
    subject: str
    sent_at: datetime | None
    text: str


def letters(folder: Path, *, limit: int = 200) -> list[Letter]:
    """The newest copies first; the numbers in their names are the order they left in."""
    names = sorted((p.name for p in folder.glob("*.eml") if NAME.fullmatch(p.name)), reverse=True)
    return [letter for name in names[:limit] if (letter := letter_named(folder, name))]


def letter_named(folder: Path, name: str) -> Letter | None:
    """None for a name that is none of ours: nothing but a copy in this very folder is ever opened."""
    if not NAME.fullmatch(name):
        return None
    try:
        mail = message_from_bytes((folder / name).read_bytes(), policy=default)
    except FileNotFoundError:
        return None
    assert isinstance(mail, EmailMessage)  # the default policy's own class
    return Letter(name, str(mail["To"] or ""), str(mail["Subject"] or "(no subject)"), _sent_at(mail), _text(mail))


def _sent_at(mail: EmailMessage) -> datetime | None:
    try:
        sent = parsedate_to_datetime(str(mail["Date"]))
    except ValueError:
        return None
    return sent if sent.tzinfo else sent.replace(tzinfo=UTC)  # "-0000": UTC, from a place that does not say where it is


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(preferencelist=("plain",))
    return str(body.get_content()) if body is not None else "This mail has no plain text."


def linked(text: str) -> SafeString:
    """The text, escaped, with its http and https addresses made links."""
    return format_html_join("", "{}", ((part,) for part in _parts(text)))


def _parts(text: str) -> Iterator[SafeString | str]:
    for number, part in enumerate(LINK.split(text)):
        yield format_html('<a href="{0}" rel="noopener">{0}</a>', part) if number % 2 else part
