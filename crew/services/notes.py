"""Money in free text: a first net before a note is shown to crew. It spares times, tonnage, counts and places."""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from urllib.parse import unquote

from bookings.services import BookingRefused

LONGEST = 10_000  # characters; a note is a few lines, and what is longer is not looked at but refused
_NUMBER = r"\d[\d.,' ]{0,12}\d|\d"
_AMOUNT = rf"(?:{_NUMBER})(?:\s?(?:k|grand)\b)?"
_END = r"(?![^\W\d_])"  # no letter follows; a digit may, as in USD840
_MONEY = r"dollars?|bucks?|euros?|pounds sterling|pesos?|dolares|cents|centavos|grand"
_CURRENCY = (
    r"[$¢£¤¥฿₠-⃀]"
    rf"|(?<![^\W\d_])(?:usd|eur|gbp|mxn|cad|aud|nzd|chf|jpy|cny|sek|nok|dkk|inr|brl|{_MONEY}){_END}"
)
_WORD = (
    r"\b(?:gross(?:ed)?(?! ton| weight)|payout|pay-out|fees?|paid|net|commissions?|deposits?|balance due|balance"
    r"|invoiced?|refund(?:ed)?|price[ds]?(?= ?(?:is|was|at|of|:|=|-)? ?\d)|rate|costs?|total|subtotal|tips?|gratuity|ow(?:es?|ed|ing)"
    r"|cash|zelled?|venmo(?:ed)?|wages?|salary|earn(?:s|ed|ings)?|pays?|payments?|charged?(?= ?(?:is|was|of|:|=|-)? ?\d\d)|quoted?|billed|amounts?"
    r"|revenue|(?:captain|mate|deckhand|host|crew) (?:gets?|makes?)(?= ?\d\d)"
    rf"|bruto|neto|pago|pagado|precio|comision|saldo|deposito|propina|tarifa|efectivo){_END}"
)
_HARMLESS = (
    r"\s?(?:tons?|tonnage|gt|grt|hours?|hrs?|h\b|minutes?|mins?|am\b|pm\b|a\.m|p\.m|guests?|people|persons?|pax|kids?"
    r"|children|adults?|crew|aboard|on board|degrees|feet|ft|nm|miles?|knots?|kn|gallons?|liters?|litres?|bags?"
    r"|%\s?full|percent full|/|:\d|th\b|st\b|nd\b|rd\b|o'?clock)"
)
_SPELLED = (
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy"
    r"|eighty|ninety|hundred|thousand)"
)
_RULES = (
    (
        "an amount with its currency",
        re.compile(rf"(?:{_CURRENCY})\s{{0,2}}{_AMOUNT}|{_AMOUNT}[\s-]{{0,2}}(?:{_CURRENCY})"),
    ),
    ("an amount in words", re.compile(rf"{_SPELLED}[ -](?:{_MONEY}){_END}")),
    (
        "a number beside a word of money",
        re.compile(
            rf"(?:{_WORD})(?:[^\d\n]{{0,24}}|[ :=]{{0,3}}\n ?)(?:{_NUMBER})(?!{_HARMLESS})(?!\d)"
            rf"|(?<![\d:])(?:{_NUMBER})(?!{_HARMLESS})[^\d\n]{{1,12}}(?:{_WORD})"
        ),
    ),
    (
        "a number with cents",
        re.compile(r"(?<![\d.:/])\d{2,6}[.,]\d{2}(?![\d.:/%])(?!\s?(?:nm|ft|kn|knots?|hours?|gallons?|°|[mnsew]\b))"),
    ),
    ("a rate", re.compile(rf"{_AMOUNT}\s?(?:/|per|an|a)\s?(?:hr|hour|day|head|person)\b")),
    ("a share", re.compile(r"\d{1,2}\s?%\s?(?:of|cut|fee|commission|share)")),
)


class MoneyInNote(BookingRefused):
    """The text that crew would read holds an amount. Its sentence names the span and says what to do."""


def money_in(text: str) -> tuple[str, str] | None:
    """(the rule in plain words, the words found), or None. The text is normalised to look at, never changed."""
    if len(text) > LONGEST:
        return f"more than the {LONGEST:,} characters that are searched for amounts", text[:40]
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
    """One form for every spelling: percent signs, entities, tags, full-width digits, accents, zero-width characters."""
    text = re.sub(r"<[^<>]{0,200}>", "", unescape(unescape(unquote(text))))
    text = unicodedata.normalize("NFKD", text)
    kept = (character for character in text if unicodedata.category(character) not in ("Cf", "Mn"))
    return "".join(" " if unicodedata.category(c) == "Zs" else c for c in kept).casefold()
