"""All that was said about one booking into what it is: a pure function, so that the order of arrival cannot matter.

A note on merging. The office may have changed the booking by hand since. Three versions meet: the fold without the new
event, the fold with it, and the booking as it stands. What only the channel changed is taken, what only the office
changed is kept, and what both changed, differently, is for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bookings.intake.adapters.base import Datum, Meaning, Source

RANK = {Source.FEED: 0, Source.MAIL: 1, Source.API: 1}  # a feed knows less than anybody who writes


class Standing(StrEnum):
    BOOKED = "booked"
    CANCELLED = "cancelled"
    UNCONFIRMED = "unconfirmed"  # only changes are known so far


@dataclass(frozen=True, kw_only=True)
class Event:
    kind: Meaning
    source: Source
    sent_at: datetime
    received_at: datetime
    fields: Mapping[str, Datum]

    @property
    def order(self) -> tuple[datetime, int, datetime]:
        return self.sent_at, RANK[self.source], self.received_at


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What the events say together. `was_booked` tells a cancelled trip from a cancellation that came alone."""

    standing: Standing
    was_booked: bool
    fields: Mapping[str, Datum] = field(default_factory=dict)


def fold(events: Iterable[Event]) -> Folded:
    """For each field the latest word of the best source that knows it; cancelled if that was the latest verdict."""
    ordered = sorted(events, key=lambda event: event.order)
    fields: dict[str, tuple[int, Datum]] = {}
    verdict: tuple[int, Meaning] | None = None
    for event in ordered:
        rank = RANK[event.source]
        for name, value in event.fields.items():
            if name not in fields or fields[name][0] <= rank:
                fields[name] = (rank, value)
        if event.kind != Meaning.AMENDMENT and (verdict is None or verdict[0] <= rank):
            verdict = (rank, event.kind)
    return Folded(
        standing=_standing(verdict[1] if verdict else None),
        was_booked=any(event.kind == Meaning.BOOKING for event in ordered),
        fields={name: value for name, (_, value) in fields.items()},
    )


def _standing(verdict: Meaning | None) -> Standing:
    if verdict is None:
        return Standing.UNCONFIRMED
    return Standing.CANCELLED if verdict == Meaning.CANCELLATION else Standing.BOOKED


@dataclass(frozen=True)
class Merged:
    value: object
    conflict: bool = False


def merge(*, before: object, after: object, now: object) -> Merged:
    """One field of a booking: `before` and `after` are the folds without and with the news, `now` is as it stands.

    None and "" both mean that nothing is known.
    """
    if after in (None, "", before, now):
        return Merged(now)
    if now in (None, "") or now == before:
        return Merged(after)
    return Merged(now, conflict=True)
