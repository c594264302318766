"""A message's bytes into what an adapter reads: sender, subject, time, bodies as lines, links. It never raises.

MIME, forwards (as attachment, or inline by Gmail, Outlook or Apple) and HTML are taken off here, once for all channels.
What could not be read is a sentence in `problems`, and then a person reads the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import (
    CloseBoundaryNotFoundDefect,
    InvalidBase64CharactersDefect,
    InvalidBase64LengthDefect,
    InvalidBase64PaddingDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from bookings.intake.adapters import values
from bookings.intake.adapters.markup import html_lines, text_lines, tidy

MAX_BYTES = 5 * 1024 * 1024  # a marketplace mail is under 1 MB
MAX_PARTS = 60
MAX_DEPTH = 4  # forwards of forwards
MAX_TEXT = 400_000  # characters of one body

# The standard library's parser raises whatever its bugs raise (an UnboundLocalError on "From: :.@["), and what a stranger
# sends must never stop the intake: the message is kept, and a person reads it.
UNREADABLE = Exception
_TORN = (
    CloseBoundaryNotFoundDefect,
    InvalidBase64CharactersDefect,
    InvalidBase64LengthDefect,
    InvalidBase64PaddingDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)
BROKEN_OFF = "The message breaks off or is damaged on its way: ask for it again, or enter it by hand."


@dataclass(frozen=True, kw_only=True)
class Body:
    """One reading of the message. In a `wrapped` one a long value can go over several lines."""

    lines: tuple[str, ...]
    wrapped: bool
    open_end: bool = False  # the last line has no end: it may be cut


@dataclass(frozen=True, kw_only=True)
class Document:
    sender: str = ""  # the address, lower case; "" if there is not exactly one
    sender_name: str = ""
    subject: str = ""
    sent_at: datetime | None = None
    bodies: tuple[Body, ...] = ()  # plain text first
    links: tuple[str, ...] = ()
    dmarc_failed: bool = False
    forwarded_by: str = ""
    problems: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Everything legible, for a person and for the search of a channel's name."""
        return "\n\n".join("\n".join(body.lines) for body in self.bodies)


def read_document(raw: bytes, *, zone: ZoneInfo, staff_domains: frozenset[str]) -> Document:
    """Take a message apart. `zone` is the office's: an inline forward gives its inner date in the forwarder's time.

    An inline forward is opened only where the operator's own staff sent it: a guest can type one into his message.
    """
    if len(raw) > MAX_BYTES:
        return Document(problems=(f"The message is larger than {MAX_BYTES // 1024**2} MB and was not read.",))
    try:
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        document = _opened(message, MAX_DEPTH)
        for _ in range(MAX_DEPTH):
            if not is_staff(document.sender, staff_domains):
                break
            inner = _inline_forward(document, zone)
            if inner is None:
                break
            document = inner
    except UNREADABLE:
        return Document(problems=("The message could not be taken apart: it is not mail, or it is damaged.",))
    return document


def is_staff(address: str, staff_domains: frozenset[str]) -> bool:
    return address.rpartition("@")[2].lower() in staff_domains


# --- MIME ------------------------------------------------------------------------------------------------------------


def _opened(message: EmailMessage, depth: int) -> Document:
    """The message, or the one that was forwarded inside it as an attachment."""
    outer = _headers(message)
    attached = [part for part in _parts(message) if part.get_content_type() == "message/rfc822"]
    if len(attached) == 1 and depth:
        inner = attached[0].get_payload(0)
        assert isinstance(inner, EmailMessage)
        document = _opened(inner, depth - 1)
        return replace(
            document,
            forwarded_by=outer.sender or "an unknown sender",
            dmarc_failed=outer.dmarc_failed or document.dmarc_failed,
            problems=outer.problems + document.problems,
        )
    return _with_bodies(outer, message)


def _with_bodies(outer: Document, message: EmailMessage) -> Document:
    bodies: dict[str, Body] = {}
    links: tuple[str, ...] = ()
    problems = list(outer.problems)
    for part in _parts(message):
        kind = part.get_content_type()
        if kind not in ("text/plain", "text/html") or kind in bodies or part.get_content_disposition() == "attachment":
            continue
        text = _decoded(part)
        if len(text) > MAX_TEXT:
            problems.append("A part of the message is too long to be read.")
            continue
        if kind == "text/plain":
            open_end = part is message and not text.endswith("\n")
            bodies[kind] = Body(lines=text_lines(text), wrapped=True, open_end=open_end)
        else:
            lines, links = html_lines(text)
            bodies[kind] = Body(lines=lines, wrapped=False)
            problems += [BROKEN_OFF] if _is_torn_page(text) else []
    if any(isinstance(defect, _TORN) for part in [message, *_parts(message)] for defect in part.defects):
        problems.append(BROKEN_OFF)
    ordered = tuple(bodies[kind] for kind in ("text/plain", "text/html") if kind in bodies and bodies[kind].lines)
    return replace(outer, bodies=ordered, links=links, problems=tuple(dict.fromkeys(problems)))


def _parts(message: EmailMessage) -> Iterator[EmailMessage]:
    """The leaves of this message and its attached messages, without looking into those."""
    pending: list[EmailMessage] = [message]
    for _ in range(MAX_PARTS):
        if not pending:
            return
        part = pending.pop(0)
        if part.get_content_maintype() == "multipart" and isinstance(payload := part.get_payload(), list):
            pending = [inner for inner in payload if isinstance(inner, EmailMessage)] + pending
        else:
            yield part


def _decoded(part: EmailMessage) -> str:
    """Its text: by its declared character set if that fits, else UTF-8, else Windows-1252, which takes anything."""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    declared = (part.get_content_charset() or "utf-8").lower()
    if declared in ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"):
        declared = "utf-8" if declared.endswith("ascii") else "cp1252"  # what writes them means these, as in browsers
    for charset in (declared, "utf-8"):
        try:
            return payload.decode(charset)
        except (LookupError, ValueError):
            continue
    return payload.decode("cp1252", errors="replace")


def _is_torn_page(text: str) -> bool:
    lower = text.lower().rstrip()
    if "<html" in lower:
        return "</html" not in lower
    return bool(lower) and not lower.endswith(">") and "<" in lower.rsplit(">", 1)[-1]


def _headers(message: EmailMessage) -> Document:
    name, address = _only_sender(message)
    problems = () if address else ("The message does not have exactly one sender.",)
    results = " ".join(_header_values(message, "Authentication-Results")).lower()
    return Document(
        sender=address,
        sender_name=name,
        subject=tidy(" ".join(_header_values(message, "Subject")[:1])),
        sent_at=_header_date(message),
        # One header that says it failed is enough: a pass can be written by whoever sent the message.
        dmarc_failed=bool(re.search(r"\bdmarc\s*=\s*(?:fail|permerror)", results)),
        problems=problems,
    )


def _only_sender(message: EmailMessage) -> tuple[str, str]:
    """(display name, address) of the one author; two From headers or two authors are nobody."""
    headers = message.get_all("From") or []
    addresses = [address for header in headers for address in header.addresses]
    if len(headers) != 1 or len(addresses) != 1 or not addresses[0].domain:
        return "", ""
    return tidy(addresses[0].display_name), tidy(addresses[0].addr_spec).lower()


def _header_values(message: EmailMessage, name: str) -> list[str]:
    return [str(value) for value in message.get_all(name) or []]


def _header_date(message: EmailMessage) -> datetime | None:
    try:
        stamp = parsedate_to_datetime(str(message["Date"]))
    except (TypeError, ValueError, IndexError):
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


# --- inline forwards -------------------------------------------------------------------------------------------------

_INNER_HEADER = re.compile(r"\*?(from|date|sent|subject|to|cc|reply-to)\s*:\*?\s*(.*)", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>@\"']+@[^\s<>@\"'\])]+")


def _inline_forward(document: Document, zone: ZoneInfo) -> Document | None:
    """The message inside, from the first block of inner headers; None if the staff wrote this message themselves."""
    found = [(body, block) for body in document.bodies if (block := _header_block(body.lines))]
    if not found:
        return None
    headers = found[0][1][0]
    address = _ADDRESS.findall(headers.get("from", ""))
    bodies = tuple(replace(body, lines=lines) for body, (_, lines) in found)
    return replace(
        document,
        sender=address[-1].lower() if address else "",
        sender_name=headers.get("from", "").partition("<")[0].strip(' "*'),
        subject=headers.get("subject", ""),
        sent_at=_inner_date(headers.get("date") or headers.get("sent") or "", zone),
        bodies=bodies,
        forwarded_by=document.sender,
        problems=document.problems + (() if address else ("The forwarded message names no sender.",)),
    )


def _header_block(lines: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]] | None:
    """({header: value}, the lines behind) of the first run of known headers that begins with From.

    Only these names are headers: a body that begins with "Booking ID: …" is not swallowed.
    """
    unquoted = [re.sub(r"^(?:>\s?)+", "", line) for line in lines]
    for start, line in enumerate(unquoted):
        if not re.match(r"\*?from\s*:", line, re.IGNORECASE):
            continue
        headers: dict[str, str] = {}
        position, last = start, ""
        while position < len(unquoted):
            match = _INNER_HEADER.fullmatch(unquoted[position].replace("\t", " "))
            if match and match[1].lower() not in headers:
                last = match[1].lower()
                headers[last] = match[2].strip()
            elif unquoted[position] and last and not match:
                headers[last] += f" {unquoted[position]}"  # a long header goes on in the next line
            else:
                break
            position += 1
        if {"from", "subject"} <= headers.keys() and {"date", "sent"} & headers.keys():
            rest = (
                unquoted[position:]
                if any(line.startswith(">") for line in lines[start : start + 1])
                else lines[position:]
            )
            return headers, tuple(rest)
    return None


def _inner_date(text: str, zone: ZoneInfo) -> datetime | None:
    """As a header writes it, with its offset; else as the forwarder's program wrote it, in the forwarder's time."""
    if re.search(r"(?:[+-]\d{4}|\bGMT|\bUTC)$", text):
        try:
            return parsedate_to_datetime(text)
        except (TypeError, ValueError, IndexError):
            return None
    wall, whole = values.read_moment(text)
    return values.local(wall, zone)[0] if wall and whole else None
