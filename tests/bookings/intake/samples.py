"""The sample messages, how to read them, and how a person would compare two records (samples/intake/README.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

from bookings.intake.adapters.base import Sheet
from bookings.intake.adapters.record import Json
from bookings.intake.adapters.registry import read

FOLDER = Path(__file__).resolve().parents[3] / "samples" / "intake"
ZONE = ZoneInfo("America/Los_Angeles")
STAFF = frozenset({"halcyoncharters.example"})

BOATSETTER_MAILS = sorted(path.name for path in FOLDER.glob("*_boatsetter_*.eml"))
TRIPS = [name for name in BOATSETTER_MAILS if name[:2] in ("01", "02", "03", "04", "16")]
OTHERS = sorted(path.name for path in FOLDER.glob("*.eml") if "boatsetter" not in path.name)

# fmt: off
_EVERYTHING = (
    "kind", "channel", "external_id", "guest", "listing", "start", "end", "party_size", "gross", "fees", "payout",
    "currency", "notes", "sent_at", "reason", "all_day", "alternate_ids", "supersedes",
)
# fmt: on


def sample(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def expected(name: str) -> Json:
    record: Json = json.loads((FOLDER / f"{name.rsplit('.', 1)[0]}.expected.json").read_text())
    return record


def read_sample(raw: bytes, name: str = "message.eml") -> Sheet:
    return read(raw, name=name, zone=ZONE, staff_domains=STAFF)


def agree(got: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    """Whether two records say the same: of what is no booking only kind, channel and reason matter."""
    names = ("kind", "channel", "reason") if wanted["kind"] == "not_a_booking" else _EVERYTHING
    return all(_comparable(name, got.get(name)) == _comparable(name, wanted.get(name)) for name in names)


def _comparable(name: str, value: object) -> object:
    if isinstance(value, dict):
        return {key: _comparable(key, inner) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    if name in ("start", "end", "sent_at"):
        moment = datetime.fromisoformat(value)
        return moment, moment.utcoffset()
    if name in ("gross", "fees", "payout"):
        return Decimal(value)
    return " ".join(value.split()).strip("\"'“”‘’").casefold()


def parsed(name: str) -> EmailMessage:
    message = message_from_bytes(sample(name), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def edited(name: str, *replacements: tuple[str, str]) -> bytes:
    """The sample with a text changed in every part where it stands, and in the subject."""
    message = parsed(name)
    for part in message.walk():
        if part.get_content_maintype() != "text":
            continue
        text = part.get_content()
        for old, new in replacements:
            text = text.replace(old, new)
        part.set_content(text, subtype=part.get_content_subtype(), charset="utf-8", cte="quoted-printable")
    subject = str(message["Subject"])
    for old, new in replacements:
        subject = subject.replace(old, new)
    del message["Subject"]
    message["Subject"] = subject
    return message.as_bytes(policy=policy.SMTP)
