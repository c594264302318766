"""How mail leaves: SES through anymail, by the one client of this process.

Where a mailbox folder is set (never in production: jada.E008) a copy of each mail is kept there, links and all.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anymail.backends.amazon_ses import EmailBackend as AnymailSes
from django.conf import settings
from django.core.mail import EmailMessage

from jada.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class SesBackend(AnymailSes):  # type: ignore[misc]  # anymail is untyped
    """Making a client takes a tenth of a second and its connection is lost with it: one is kept, and never closed here."""

    client: SESV2Client | None

    def open(self) -> bool:
        clients.guard()
        self.client = clients.sesv2()
        return False

    def close(self) -> None:
        self.client = None

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
