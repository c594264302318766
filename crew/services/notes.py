"""Money in free text: a first net before a note is shown to crew. It spares times, tonnage, counts and places."""

from __future__ import annotations

import re
import unicodedata
from html import unescape

from bookings.services import BookingRefused

LONGEST = 10_000  # characters looked at; a note is a few lines
_NUMBER = r"\d[\d.,' ]{0,12}\d|\d"
_AMOUNT = rf"(?:{_NUMBER})(?:\s?(?:k|grand)\b)?"
_CURRENCY = r"[$€£¥₱₹]|\b(?:usd|eur|gbp|mxn|cad|dollars?|bucks|euros?|pounds sterling|pesos|dólares)\b"
_WORD = (
    r"\b(?:gross(?! ton| weight)|payout|pay-out|fees?|paid|net|commission|deposit|balance due|balance|invoiced?|refund(?:ed)?|price[ds]?(?= ?(?:is|was|at|of|:|=|-)? ?\d)"
    r"|rate|cost|costs|total|tip|gratuity|owes?|cash|zelle|venmo|wage|salary|earns?"
    r"|bruto|neto|pago|precio|comisión|saldo|depósito)\b"
)
_HARMLESS = (
    r"\s?(?:tons?|tonnage|gt|grt|hours?|hrs?|h\b|minutes?|mins?|am\b|pm\b|a\.m|p\.m|guests?|people|persons?|pax|kids?"
    r"|children|adults?|crew|feet|ft|nm|miles?|knots?|kn|gallons?|liters?|litres?|bags?|%\s?full|percent full|/|:\d|th\b"
    r"|st\b|nd\b|rd\b|o'?clock)"
)
_RULES = (
    (
        "an amount with its currency",
        re.compile(rf"(?:{_CURRENCY})\s{{0,2}}{_AMOUNT}|{_AMOUNT}\s{{0,2}}(?:{_CURRENCY})"),
    ),
    (
        "a number beside a word of money",
        re.compile(
            rf"(?:{_WORD})[^\d\n]{{0,24}}(?:{_NUMBER})(?!{_HARMLESS})(?!\d)"
            rf"|(?<![\d:])(?:{_NUMBER})(?!{_HARMLESS})[^\d\n]{{1,12}}(?:{_WORD})"
        ),
    ),
    (
        "a number with cents",
        re.compile(r"(?<![\d.:/])\d{2,6}[.,]\d{2}(?![\d.:/%])(?!\s?(?:nm|ft|gallons?|°|[mnsew]\b))"),
    ),
    ("a rate", re.compile(rf"{_AMOUNT}\s?(?:/|per|an|a)\s?(?:hr|hour|day|head|person)\b")),
    ("a share", re.compile(r"\d{1,2}\s?%\s?(?:of|cut|fee|commission|share)")),
)


class MoneyInNote(BookingRefused):
    """The text that crew would read holds an amount. Its sentence names the span and says what to do."""


def money_in(text: str) -> tuple[str, str] | None:
    """(the rule in plain words, the words found), or None. The text is normalised to look at, never changed."""
    plain = _plain(text)
    for rule, pattern in _RULES:
        if found := pattern.search(plain):
            return rule, found[0].strip()
    return None


def refuse_money(text: str) -> None:
    """Raise `MoneyInNote` for a note that crew must not read."""
    if found := money_in(text):
        rule, span = found
        raise MoneyInNote(
            f"Crew read this note, and “{span}” looks like {rule}: take the amount out, or put it in the private note."
        )


def for_crew(text: str) -> str:
    """The text, or nothing where it would show an amount: the last net before a page, a mail or the table."""
    return "" if money_in(text) else text


def _plain(text: str) -> str:
    """One form for every spelling: full-width digits, entities, zero-width characters, tags."""
    text = unescape(unescape(text[:LONGEST]))
    text = re.sub(r"<[^<>]{0,200}>", "", unicodedata.normalize("NFKC", text))
    kept = (character for character in text if unicodedata.category(character) != "Cf")
    return "".join(" " if unicodedata.category(c) == "Zs" else c for c in kept).casefold()
