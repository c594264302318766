"""How mail leaves: SES through anymail. Where a mailbox folder is set (never in production), a copy is kept there."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from anymail.backends.amazon_ses import EmailBackend as AnymailSes
from django.conf import settings
from django.core.mail import EmailMessage


class SesBackend(AnymailSes):  # type: ignore[misc]  # anymail is untyped
    """One recipient a message; the demo's mailbox page reads the copies."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        sent: int = super().send_messages(email_messages)
        if settings.MAILBOX_DIR:
            for message in email_messages:
                _keep(message, Path(settings.MAILBOX_DIR))
        return sent


def _keep(message: EmailMessage, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{_next_number(folder):05d}-{secrets.token_hex(3)}.eml").write_bytes(message.message().as_bytes())


def _next_number(folder: Path) -> int:
    return 1 + max((int(p.name[:5]) for p in folder.glob("*.eml") if p.name[:5].isdigit()), default=0)
