"""What an adapter declares and what reading a message gives. Plain values: no ORM, no clock.

A channel is one module with one `Adapter`: its domains, its labels, its kinds and its calendar feed. The engine does the
reading; a channel that needs a rule of its own gets a field here, not a branch there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bookings.intake.adapters.values import Money

CERTAIN, RULE, GUESS = 1.0, 0.7, 0.4  # a labelled value fully read; an unlabelled rule; something was left over
ENOUGH = RULE  # what the intake acts on without a person


class Meaning(StrEnum):
    BOOKING = "booking"
    AMENDMENT = "amendment"
    CANCELLATION = "cancellation"
    NOT_A_BOOKING = "not_a_booking"


ACTS = frozenset({Meaning.BOOKING, Meaning.AMENDMENT, Meaning.CANCELLATION})
AMOUNTS = ("gross", "fees", "payout")

Datum = str | int | Decimal | datetime | timedelta | Money  # a reading holds the first four


@dataclass(frozen=True, kw_only=True)
class Value:
    """One field as it was read, how sure that is, and the lines of the message that say so."""

    value: Datum
    confidence: float
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one message says. `problems` are sentences; with any, a person decides and nothing happens by itself.

    `fields` holds what is known of: external_id, guest_name, guest_email, guest_phone, listing, start, end (aware),
    party_size, gross, fees, payout (Decimal), currency, notes. A field that is missing was not said.
    """

    kind: Meaning | None = None
    reason: str = ""
    channel: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    sent_at: datetime | None = None
    problems: tuple[str, ...] = ()
    alternate_ids: tuple[str, ...] = ()
    supersedes: str = ""
    all_day: bool = False
    unknown_labels: tuple[str, ...] = ()

    def get(self, name: str) -> Datum | None:
        value = self.fields.get(name)
        return value.value if value else None

    @property
    def external_id(self) -> str:
        return str(self.get("external_id") or "")

    @property
    def quarantined(self) -> bool:
        return bool(self.problems)

    @property
    def acts(self) -> bool:
        """Whether it may change a booking without a person."""
        return self.kind in ACTS and not self.problems


class Source(StrEnum):
    """Where the words come from: not how they arrived."""

    MAIL = "mail"
    API = "api"
    FEED = "feed"


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Everything that one file or message says: one reading for a message, any number for a feed (`many`)."""

    source: Source
    readings: tuple[Reading, ...]
    channel: str = ""
    many: bool = False
    sender: str = ""
    subject: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(problem for reading in self.readings for problem in reading.problems))


@dataclass(frozen=True)
class Kind:
    """A meaning and the phrases by which the channel says it. The first kind that matches wins: noise comes first.

    Phrases are looked for in the subject and in the opening lines, never in what a guest wrote.
    """

    meaning: Meaning
    phrases: tuple[str, ...]
    reason: str = ""
    needs: frozenset[str] = frozenset()  # fields that this message always states: one missing is a changed template


@dataclass(frozen=True)
class IdRule:
    """The labels of the channel's id, its shape, and words of the trade that have the same shape."""

    labels: tuple[str, ...]
    pattern: str
    stop: frozenset[str] = frozenset()
    mentions: tuple[re.Pattern[str], ...] = ()  # patterns with one group: where subject and heading repeat the id

    def accepts(self, text: str) -> bool:
        return bool(re.fullmatch(self.pattern, text, re.IGNORECASE)) and text.casefold() not in self.stop


@dataclass(frozen=True)
class Feed:
    """How the channel's calendar feed speaks. Its ids are the local part of a UID at one of the channel's domains."""

    booked: frozenset[str]  # SUMMARY of a trip
    blocked: frozenset[str]  # SUMMARY of time that is merely taken
    listing_from_name: bool = True  # X-WR-CALNAME is the listing's title


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One channel, as data. Labels are lower case, without a colon."""

    channel: str
    domains: tuple[str, ...]
    marks: tuple[str, ...]  # words by which a stranger's mail claims to be this channel
    id: IdRule
    labels: Mapping[str, tuple[str, ...]]  # field -> labels
    ignored: frozenset[str]  # known labels whose values nobody needs
    kinds: tuple[Kind, ...]
    guest_text: tuple[str, ...]  # beginnings of lines after which a guest speaks
    terminators: tuple[str, ...]  # beginnings of lines with which the channel speaks again
    line_before: Mapping[str, str] = field(default_factory=dict)  # field -> label that follows its unlabelled line
    feed: Feed | None = None

    def owns(self, address: str) -> bool:
        """Whether an address is at the channel's domain or below it; a look-alike only contains its name."""
        domain = address.rpartition("@")[2].lower().rstrip(".")
        return any(domain == own or domain.endswith(f".{own}") for own in self.domains)
