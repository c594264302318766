"""Reading a season file's values strictly: money never becomes a float, an instant always has its offset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Row = Mapping[str, Any]


class SeasonRefused(Exception):
    """The file cannot be loaded. Its text is a sentence that says where and why; nothing was changed."""


def amount(text: object) -> Decimal:
    """A quoted amount. An unquoted one has been a float already, and is refused."""
    if not isinstance(text, str):
        raise SeasonRefused(f"An amount is not in quotes ({type(text).__name__}): write it as text with two decimals.")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise SeasonRefused(
            "An amount is not a number: write it as text with two decimals, such as '840.75'."
        ) from None


def maybe_amount(text: object) -> Decimal | None:
    return None if text is None else amount(text)


def instant(text: str) -> datetime:
    """ISO 8601 with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise SeasonRefused(f"{text} has no offset: write it as 2026-10-29T08:30:00-07:00.")
    return moment
