"""The one door: bytes in, a sheet of readings out. A new channel is one module and one name in `ADAPTERS`."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from bookings.intake.adapters.base import Adapter, Reading, Sheet, Source
from bookings.intake.adapters.boatsetter import BOATSETTER
from bookings.intake.adapters.document import Document, read_document
from bookings.intake.adapters.engine import read_message
from bookings.intake.adapters.feed import is_feed, read_feed

ADAPTERS: tuple[Adapter, ...] = (BOATSETTER,)


def read(raw: bytes, *, name: str, zone: ZoneInfo, staff_domains: frozenset[str]) -> Sheet:
    """Read a mail or a calendar feed. Never raises: what cannot be read is a reading with problems.

    `name` is the file's name, and only helps to say what a thing is that is neither; `zone` is the dock's.
    """
    if is_feed(raw):
        return read_feed(raw, ADAPTERS, zone=zone)
    document = read_document(raw, zone=zone, staff_domains=staff_domains)
    reading = _read_document(document, name, zone, staff_domains)
    return Sheet(
        source=Source.MAIL,
        channel=reading.channel,
        readings=(reading,),
        sender=document.sender,
        subject=document.subject,
    )


def _read_document(document: Document, name: str, zone: ZoneInfo, staff_domains: frozenset[str]) -> Reading:
    adapter = _adapter_of(document)
    if adapter:
        return read_message(document, adapter, zone=zone, staff_domains=staff_domains)
    if not document.sender:
        problems = document.problems or ("The message has no sender.",)
        return Reading(problems=(*problems, f"“{name}” is not a mail that can be read, and no calendar."))
    problem = f"No adapter knows the sender {document.sender}: enter the booking by hand, or dismiss the message if it is none."
    return replace(Reading(sent_at=document.sent_at), problems=(problem, *document.problems))


def _adapter_of(document: Document) -> Adapter | None:
    """The channel whose mail this is, else the one that it claims to be by name (and then it is not trusted)."""
    own = next((adapter for adapter in ADAPTERS if adapter.owns(document.sender)), None)
    if own:
        return own
    claims = f"{document.sender} {document.sender_name} {document.subject} {document.text}".casefold()
    return next((adapter for adapter in ADAPTERS if any(mark in claims for mark in adapter.marks)), None)
