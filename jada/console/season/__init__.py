"""Loading a company and its season from a file, such as `samples/season.yaml`.

What is missing is added, what is there is left as it is: a second run changes nothing. Whatever has a service goes
through it, told to nobody; the file's `expected` parts are for tests and are never stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from django.conf import settings
from django.db import transaction

from bookings.calendar import day_bounds
from jada.console.season import house, trips
from jada.console.season.reading import Row, SeasonRefused

__all__ = ["LATER", "Loaded", "SeasonRefused", "load", "read", "refuse_in_production", "window"]

# Parts of the file whose features do not exist yet.
LATER = ("waivers", "photo_uploads", "leads", "maintenance", "cleaning", "time_entries", "messages", "feed_events")


@dataclass(frozen=True)
class Loaded:
    """How many rows of each kind were added; all zero on a second run."""

    added: Mapping[str, int]
    later: tuple[str, ...]


def read(path: Path) -> Row:
    """The file's content. Raises `SeasonRefused` with a sentence when it cannot be read."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise SeasonRefused(f"{path} cannot be read: {unreadable.strerror}. Give the path of a season file.") from None
    except (UnicodeDecodeError, yaml.YAMLError) as broken:
        raise SeasonRefused(
            f"{path} is not a season file: {type(broken).__name__}. Check it with a YAML reader."
        ) from None
    if not isinstance(document, dict) or "bookings" not in document:
        raise SeasonRefused(f"{path} is not a season file: it has no list of bookings.")
    return document


@transaction.atomic
def load(document: Row, *, at: datetime) -> Loaded:
    """Add what the document has and the database has not, or nothing when a part of it is refused.

    `at` is now: a quote whose time is over by then holds nothing. Raises `SeasonRefused` or `BookingRefused`.
    """
    added = house.set_up(document)
    added["bookings"] = trips.add_bookings(document, at=at)
    trips.mark_checklists(document)
    return Loaded(added, tuple(part for part in LATER if part in document))


def refuse_in_production() -> None:
    """Invented trips never stand among real ones: a statement would count them. Raises `SeasonRefused`."""
    if settings.ENVIRONMENT == "production" and not settings.DEBUG:
        raise SeasonRefused(
            "This is a production environment, and its database is for real trips: set ENVIRONMENT=demo where invented "
            "ones belong, with a database of its own."
        )


def window(document: Row) -> tuple[datetime, datetime]:
    """From the first local midnight of the season to the one after its last day."""
    first, last = (date.fromisoformat(day) for day in document["season"]["window"])
    zone = ZoneInfo(document["operator"]["timezone"])
    return day_bounds(first, zone)[0], day_bounds(last, zone)[1]
