"""A document and an adapter into a reading: kind, fields with their evidence, cross-checks, and whom to believe.

Without a person the intake acts only on what is certain: id, kind, start and end are read in full, every field that this
kind of message always states is there, the parts of the message agree, and nothing contradicts anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bookings.calendar import elapsed
from bookings.intake.adapters import values
from bookings.intake.adapters.base import (
    AMOUNTS,
    CERTAIN,
    ENOUGH,
    GUESS,
    RULE,
    Adapter,
    Datum,
    Kind,
    Meaning,
    Reading,
    Value,
)
from bookings.intake.adapters.document import BROKEN_OFF, Document, is_staff
from bookings.intake.adapters.scan import CLOSING, EXTERNAL_ID, OPENING, READERS, Hit, Scan, scan
from bookings.intake.adapters.values import Money

TEXT_LIMITS = {"guest_name": 120, "listing": 200}
NAMES = {
    "external_id": "the booking's id",
    "guest_name": "the guest's name",
    "guest_email": "the guest's e-mail",
    "guest_phone": "the guest's phone",
    "listing": "the listing",
    "start": "the start",
    "end": "the end",
    "duration": "the length",
    "party_size": "the number of guests",
    "gross": "the price",
    "extras": "the extras",
    "fees": "the fee",
    "payout": "the payout",
    "currency": "the currency",
    "notes": "the guest's note",
}
_ALWAYS = frozenset(("external_id", "start", "end"))


@dataclass(frozen=True)
class _Part:
    """What one body of the message says."""

    fields: dict[str, Value]
    scan: Scan
    problems: tuple[str, ...]


def read_message(document: Document, adapter: Adapter, *, zone: ZoneInfo, staff_domains: frozenset[str]) -> Reading:
    """Read a message that claims to be the channel's. Whom it is from is judged first: a stranger's is not read."""
    if doubt := distrust(document, adapter, staff_domains):
        return Reading(
            kind=Meaning.NOT_A_BOOKING,
            reason="untrusted_sender",
            channel=adapter.channel,
            sent_at=document.sent_at,
            problems=(doubt,),
        )
    parts = [_read_part(scan(body, adapter), adapter, zone) for body in document.bodies]
    kind, problems = _kind_of(document, parts, adapter)
    fields, contradictions = _merged(parts)
    reading = Reading(
        kind=kind.meaning if kind else None,
        reason=kind.reason if kind else "",
        channel=adapter.channel,
        fields={name: value for name, value in fields.items() if name != "duration"},
        sent_at=document.sent_at,
        unknown_labels=tuple(dict.fromkeys(label for part in parts for label in part.scan.unknown_labels)),
    )
    if kind and kind.meaning == Meaning.NOT_A_BOOKING:
        return reading
    found = (
        *document.problems,
        *problems,
        *contradictions,
        *(problem for part in parts for problem in part.problems),
        *_cut(document, parts),
        *_doubts(reading, kind, fields),
        *_disagreements(reading, document, parts, adapter),
    )
    return replace(reading, problems=tuple(dict.fromkeys(found)))


def distrust(document: Document, adapter: Adapter, staff_domains: frozenset[str]) -> str:
    """Why the message does not count for the channel; "" if it does."""
    if not adapter.owns(document.sender):
        return (
            f"The sender {document.sender or '(none)'} is not at {adapter.domains[0]}: "
            "a look-alike, or a copy that was not forwarded. Nothing was done with it."
        )
    if document.dmarc_failed:
        return f"The mail server could not confirm that this comes from {adapter.domains[0]} (dmarc=fail)."
    if document.forwarded_by and not is_staff(document.forwarded_by, staff_domains):
        return f"{document.forwarded_by} forwarded it, who is not one of us: only the staff's own forwards count."
    return ""


# --- kind ------------------------------------------------------------------------------------------------------------


def _kind_of(document: Document, parts: list[_Part], adapter: Adapter) -> tuple[Kind | None, tuple[str, ...]]:
    """What the subject and the opening lines say it is; they must not say two things."""
    headings = [" ".join(part.scan.head) for part in parts]
    said = [kind for text in (document.subject, *headings) if (kind := _first_kind(text, adapter))]
    if not said:
        return None, ("It does not say what it is (booked, changed, cancelled) in words that are known.",)
    if len({(kind.meaning, kind.reason) for kind in said}) > 1:
        meanings = " and ".join(dict.fromkeys(kind.meaning.replace("_", " ") for kind in said))
        return None, (f"Its subject and its heading say different things: {meanings}.",)
    return said[0], ()


def _first_kind(text: str, adapter: Adapter) -> Kind | None:
    folded = f" {text.casefold()} "
    return next((kind for kind in adapter.kinds if any(phrase in folded for phrase in kind.phrases)), None)


# --- fields ----------------------------------------------------------------------------------------------------------


def _read_part(found: Scan, adapter: Adapter, zone: ZoneInfo) -> _Part:
    fields: dict[str, Value] = {}
    problems = list(found.problems)
    extras: list[Value] = []
    for hit in found.hits:
        if not hit.field or not hit.text:
            continue
        value, problem = _value_of(hit, adapter, zone)
        problems += [problem] if problem else []
        if value is None:
            continue
        if hit.field == "extras":
            extras.append(value)
        elif hit.field not in fields:
            fields[hit.field] = value
        elif not _same(fields[hit.field].value, value.value):
            problems.append(f"It states {NAMES[hit.field]} twice, differently.")
    for name, line in found.unlabelled.items():
        title = _unquoted(" ".join(line.split()))
        fields.setdefault(name, Value(value=title, confidence=RULE, evidence=line))
    problems += [f"“{orphan}” stands under no label that is known." for orphan in found.orphans]
    problems += _note(found, fields)
    problems += _plain_amounts(fields, extras)
    return _Part(_next_day(fields), found, tuple(problems))


def _value_of(hit: Hit, adapter: Adapter, zone: ZoneInfo) -> tuple[Value | None, str]:
    """The hit's value, and the sentence about it if there is none or it is not certain."""
    unclear = f"{NAMES[hit.field].capitalize()} cannot be read from “{hit.text}”."
    if hit.field == "extras" and not any(mark in hit.text for mark in "$€£"):
        return None, ""  # "None", or "2 selected: ice": things, not an amount
    if hit.read is None:
        return None, unclear
    value, why = _checked(hit, hit.read, adapter, zone)
    if value is None:
        return None, why
    if hit.whole:
        return Value(value=value, confidence=CERTAIN, evidence=hit.source), ""
    return Value(value=value, confidence=GUESS, evidence=hit.source), unclear


def _checked(hit: Hit, read: Datum, adapter: Adapter, zone: ZoneInfo) -> tuple[Datum | None, str]:
    """What was read, if the field can hold it: an id of this channel, a time that exists at the dock, a short name."""
    if hit.field == EXTERNAL_ID:
        external_id = hit.text.lstrip("#")
        accepted = adapter.id.accepts(external_id)
        return external_id if accepted else None, f"“{hit.text}” does not look like a booking's id of this channel."
    if isinstance(read, datetime):
        return values.local(read, zone)
    if isinstance(read, str) and hit.field not in READERS:
        fits = len(read) <= TEXT_LIMITS.get(hit.field, 200)
        return _unquoted(read) if fits else None, f"{NAMES[hit.field].capitalize()} is too long to be one."
    return read, ""


def _note(found: Scan, fields: dict[str, Value]) -> list[str]:
    """Put the guest's words into the fields; the sentence if it is not clear that they are all and only his."""
    if found.note is None:
        return []
    paragraphs = "\n".join(found.note).strip().split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()
    if not text or text.casefold().strip(" .") in ("no", "none", "n/a"):
        return []
    opened, closed = text[0] in OPENING, text[-1] in CLOSING
    fields["notes"] = Value(
        value=_unquoted(text), confidence=RULE, evidence="\n".join(line for line in found.note if line)
    )
    if opened != closed or (not opened and len(paragraphs) > 1):
        return ["It is not clear where the guest's words end: read the message yourself."]
    return []


def _plain_amounts(fields: dict[str, Value], extras: list[Value]) -> list[str]:
    """Money into plain decimals and one currency; the extras are part of the price, the fee is a positive number."""
    problems: list[str] = []
    money = {name: fields.pop(name) for name in AMOUNTS if name in fields}
    stated = {name: value.value for name, value in money.items() if isinstance(value.value, Money)}
    added = [extra.value for extra in extras if isinstance(extra.value, Money)]
    currencies = {amount.currency for amount in (*stated.values(), *added)}
    if len(currencies) > 1:
        return ["The amounts are in different currencies."]
    for name, (amount, _) in stated.items():
        plain = abs(amount) if name == "fees" else amount
        if name == "gross":
            plain += sum((extra.amount for extra in added), Decimal())
        if plain < 0:
            problems.append(f"{NAMES[name].capitalize()} is less than nothing.")
        fields[name] = replace(money[name], value=plain)
    if currencies:
        evidence = next(iter([*money.values(), *extras])).evidence
        fields["currency"] = Value(value=currencies.pop(), confidence=CERTAIN, evidence=evidence)
    return problems


def _next_day(fields: dict[str, Value]) -> dict[str, Value]:
    """An end that is earlier than the start on the same date is on the next day."""
    start, end = _time(fields, "start"), _time(fields, "end")
    if start and end and end < start and end.date() == start.date():
        fields["end"] = replace(fields["end"], value=end + timedelta(days=1))  # wall clocks: same zone
    return fields


def _merged(parts: list[_Part]) -> tuple[dict[str, Value], list[str]]:
    """The surest value of each field over the parts of the message; parts that disagree are a problem."""
    fields: dict[str, Value] = {}
    problems = []
    for part in parts:
        for name, value in part.fields.items():
            other = fields.setdefault(name, value)
            if not _same(other.value, value.value):
                problems.append(f"The text and the page of the message differ about {NAMES[name]}.")
            if value.confidence > other.confidence:
                fields[name] = value
    return fields, problems


# --- checks ----------------------------------------------------------------------------------------------------------


def _cut(document: Document, parts: list[_Part]) -> list[str]:
    cut = any(body.open_end and part.scan.last_line_used for body, part in zip(document.bodies, parts, strict=True))
    return [BROKEN_OFF] if cut else []


def _doubts(reading: Reading, kind: Kind | None, fields: Mapping[str, Value]) -> Iterator[str]:
    """What is missing or not certain enough, given the kind of message."""
    if reading.sent_at is None:
        yield "It does not say when it was sent."
    for name in sorted(_ALWAYS | (kind.needs if kind else frozenset()), key=list(NAMES).index):
        value = fields.get(name)
        if value is None:
            yield f"It does not state {NAMES[name]}, or not under a label that is known."
        elif value.confidence < ENOUGH:
            yield f"{NAMES[name].capitalize()} is not certain."


def _disagreements(reading: Reading, document: Document, parts: list[_Part], adapter: Adapter) -> Iterator[str]:
    yield from _about_time(reading, parts)
    yield from _about_amounts(reading)
    headings = [document.subject, *(line for part in parts for line in part.scan.head)]
    start = _time(reading.fields, "start")
    if start and reading.kind != Meaning.AMENDMENT:  # an amendment's heading may name the old time
        for day, clock in (moment for text in headings for moment in values.moments_in(text)):
            if day != start.date() or (clock and clock != start.time()):
                yield "The heading names another date or time than the start."
    for pattern in adapter.id.mentions:
        for mention in (match for text in headings for match in pattern.findall(text)):
            if mention.casefold() not in (*adapter.id.stop, reading.external_id.casefold()):
                yield "The heading names another booking's id."


def _about_time(reading: Reading, parts: list[_Part]) -> Iterator[str]:
    start, end = _time(reading.fields, "start"), _time(reading.fields, "end")
    if not start or not end:
        return
    if end <= start:
        yield "The trip ends before it begins."
    for part in parts:
        length = part.fields.get("duration")
        if length and length.value != elapsed(start, end):
            yield "The length that it states is not the time from start to end."
    if reading.sent_at and reading.kind in (Meaning.BOOKING, Meaning.AMENDMENT) and start < reading.sent_at:
        yield "The trip starts before the message was sent."


def _about_amounts(reading: Reading) -> Iterator[str]:
    gross, fees, payout = (reading.get(name) for name in AMOUNTS)
    if fees is not None and gross is None:
        yield "It states a fee and no price."
    if isinstance(gross, Decimal) and isinstance(payout, Decimal):
        kept = fees if isinstance(fees, Decimal) else Decimal()
        if gross - kept != payout:
            yield "Price less fee is not the payout."


def _time(fields: Mapping[str, Value], name: str) -> datetime | None:
    value = fields.get(name)
    return value.value if value and isinstance(value.value, datetime) else None


def _same(one: object, other: object) -> bool:
    return _folded(one) == _folded(other)


def _folded(value: object) -> object:
    return " ".join(value.split()).strip(OPENING + CLOSING).casefold() if isinstance(value, str) else value


def _unquoted(text: str) -> str:
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] in OPENING and stripped[-1] in CLOSING:
        return stripped[1:-1].strip()
    return stripped
