"""Strict readers of what stands beside a label. Each answers `(value, fully_consumed)`.

A reader takes the whole text or says that something was left over: a date with a word behind it may be another thing
than a date. Libraries that guess (`dateutil` reads "9" as the 9th of this month, `price-parser` drops a minus) stay out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import phonenumbers

T = TypeVar("T")
At = Callable[[str, int], tuple[T, int] | None]  # reads at a position: the value and where it ends


class Money(NamedTuple):
    """An amount with its sign, two decimals, and its ISO 4217 code."""

    amount: Decimal
    currency: str


# --- dates and times -------------------------------------------------------------------------------------------------

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = (
    r"(?:(?P<weekday>mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:rs|rsday)?|fri(?:day)?"
    r"|sat(?:urday)?|sun(?:day)?)\.?,?\s+)?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_DATES = (
    re.compile(rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+{_YEAR}", re.IGNORECASE),
    re.compile(rf"{_WEEKDAY}{_DAY}\s+{_MONTH},?\s+{_YEAR}", re.IGNORECASE),
    re.compile(r"(?P<weekday>)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)"),
    re.compile(rf"{_WEEKDAY}(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/{_YEAR}", re.IGNORECASE),
)
_TIME = re.compile(
    r"(?:(?P<word>noon|midnight)\b"
    r"|(?P<hour>\d{1,2})(?:[:h](?P<minute>\d{2})(?::\d{2})?)?(?:\s?(?P<half>[ap])\.?m\b\.?)?)(?!\d)"
    r"(?:\s+(?:[A-Z]{1,3}[SD]?T|UTC)\b)?",  # zone letters in mails are often wrong and mean nothing
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"(?:\s*[,•·|–—-]\s*|\s+)(?:at\s+)?", re.IGNORECASE)


def read_date(text: str) -> tuple[date | None, bool]:
    """A date with its year; a weekday beside it must be that date's. Numeric dates are month first."""
    return _whole(text, _date_at)


def read_time(text: str) -> tuple[time | None, bool]:
    """12- or 24-hour clock, noon and midnight. A bare number is not a time."""
    return _whole(text, _time_at)


def read_moment(text: str) -> tuple[datetime | None, bool]:
    """A date and a time, in either order, as the wall clock shows them (naive)."""
    return _whole(text, _moment_at)


def moments_in(text: str) -> Iterator[tuple[date, time | None]]:
    """Every date in a sentence, with the time behind it if there is one: to compare with, never to book by."""
    position = 0
    while position < len(text):
        found = _date_at(text, position)
        if found is None:
            position += 1
            continue
        day, position = found
        behind = _BETWEEN.match(text, position)
        clock = _time_at(text, behind.end()) if behind else None
        yield day, clock[0] if clock else None


def local(wall: datetime, zone: ZoneInfo) -> tuple[datetime | None, str]:
    """The instant of a wall-clock time at the dock; or None, and the sentence why there is not exactly one."""
    first, second = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first, ""
    shown = f"{wall:%-I:%M %p} on {wall:%-d %B %Y}"
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        return None, f"{shown} does not exist: the clocks go forward over it."
    return None, f"{shown} comes twice: the clocks go back over it."


def read_duration(text: str) -> tuple[timedelta | None, bool]:
    """Elapsed time: "3 hours", "2 hours 30 minutes", "1.5 h", "90 min"."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not (match["h"] or match["m"]):
        return None, False
    return timedelta(minutes=float(Decimal(match["h"] or 0) * 60 + int(match["m"] or 0))), True


_DURATION = re.compile(
    r"(?:(?P<h>\d{1,3}(?:\.\d{1,2})?)\s*(?:hours?|hrs?\.?|h))?(?:\s*(?:,|and)?\s*(?P<m>\d{1,3})\s*(?:minutes?|mins?\.?|m))?",
    re.IGNORECASE,
)


def _whole(text: str, read_at: At[T]) -> tuple[T | None, bool]:
    text = text.strip()
    found = read_at(text, 0)
    return (found[0], found[1] == len(text)) if found else (None, False)


def _date_at(text: str, position: int) -> tuple[date, int] | None:
    if position and text[position - 1].isalnum():
        return None  # in the middle of a word or a number
    for pattern in _DATES:
        match = pattern.match(text, position)
        day = _date_of(match) if match else None
        if match and day:
            return day, match.end()
    return None


def _date_of(match: re.Match[str]) -> date | None:
    month = match["month"].lower()
    try:
        day = date(
            int(match["year"]), int(month) if month.isdigit() else _MONTHS.index(month[:3]) + 1, int(match["day"])
        )
    except ValueError:
        return None
    weekday = (match["weekday"] or "").lower()[:3]
    return day if not weekday or _DAYS[day.weekday()] == weekday else None


def _time_at(text: str, position: int) -> tuple[time, int] | None:
    match = _TIME.match(text, position)
    if not match:
        return None
    if match["word"]:
        return time(12 if match["word"].lower() == "noon" else 0), match.end()
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if match["minute"] is None and not half:
        return None
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    minute = int(match["minute"] or 0)
    return (time(hour, minute), match.end()) if hour < 24 and minute < 60 else None


def _moment_at(text: str, position: int) -> tuple[datetime, int] | None:
    if found := _date_at(text, position):
        day, behind = found
        gap = _BETWEEN.match(text, behind)
        clock = _time_at(text, gap.end()) if gap else None
        return (datetime.combine(day, clock[0]), clock[1]) if clock else None
    if early := _time_at(text, position):
        gap = _BETWEEN.match(text, early[1])
        late = _date_at(text, gap.end()) if gap else None
        return (datetime.combine(late[0], early[0]), late[1]) if late else None
    return None


# --- money -----------------------------------------------------------------------------------------------------------

_SYMBOLS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP"}
_CODE = r"USD|EUR|GBP|CAD|MXN|AUD"
_MARK = rf"(?:US\$|[$€£]|{_CODE})"
_MONEY = re.compile(
    rf"(?P<open>\()?(?P<m1>{_MARK})?\s?(?P<s1>[-−–])?\s?(?P<m2>{_MARK})?\s?(?P<s2>[-−–])?\s?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d{2})?|\d{1,3}(?:\.\d{3})+,\d{2}|\d+(?:[.,]\d{2})?)"
    rf"\s?(?P<m3>{_MARK})?(?P<close>\))?",
    re.IGNORECASE,
)


def read_money(text: str) -> tuple[Money | None, bool]:
    """`$1,234.56`, `-$105.09`, `$-96.60`, `($12.00)`, `USD 210.00`, `EUR €23,04`; a currency must be named.

    A dollar sign alone is the US dollar: another dollar is written with its letters, and is then not consumed.
    """
    match = _MONEY.fullmatch(text.strip())
    if not match or bool(match["open"]) != bool(match["close"]) or (match["s1"] and match["s2"]):
        return None, False
    marks = {_SYMBOLS.get(mark, mark) for mark in (m.upper() for m in match.group("m1", "m2", "m3") if m)}
    if len(marks) != 1 or (marks == {"USD"} and match["digits"][-3:-2] == ","):
        return None, False  # "$1,23" is a dollar amount that lost a digit, not one dollar and 23 cents
    amount = Decimal(_plain(match["digits"])).quantize(Decimal("0.01"))
    negative = match["open"] or match["s1"] or match["s2"]
    return Money(-amount if negative else amount, marks.pop()), True


def _plain(digits: str) -> str:
    decimals = digits[-2:] if len(digits) > 2 and digits[-3] in ".," else ""
    whole = digits[:-3] if decimals else digits
    return f"{whole.replace(',', '').replace('.', '')}.{decimals or '00'}"


# --- people ----------------------------------------------------------------------------------------------------------

# fmt: off
_NUMBER_WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(sorted(_NUMBER_WORDS, key=len, reverse=True))})"
_TOTAL = re.compile(
    rf"{_COUNT}(?:\s+(?:guests?|people|persons?|passengers?|travell?ers?|pax))?(?:\s+\(incl[^()]*\))?", re.IGNORECASE
)
_PART = re.compile(rf"{_COUNT}\s+(?:adults?|seniors?|youths?|child(?:ren)?|kids?|infants?|bab(?:y|ies))", re.IGNORECASE)


def read_party(text: str) -> tuple[int | None, bool]:
    """A number: "3", "8 Guests", "Six guests (incl. two kids)", "2 Adults, 1 Infant": everyone on board but crew."""
    text = text.strip()
    if total := _TOTAL.fullmatch(text):
        return _positive(_count(total))
    parts = [_PART.fullmatch(part.strip()) for part in re.split(r",|\+|&|\band\b", text)]
    if any(part is None for part in parts):
        return None, False
    return _positive(sum(_count(part) for part in parts if part))


def _count(match: re.Match[str]) -> int:
    word = match["count"].lower()
    return int(word) if word.isdigit() else _NUMBER_WORDS.index(word) + 1


def _positive(party: int) -> tuple[int | None, bool]:
    return (party, True) if 1 <= party <= 500 else (None, False)


_PHONE = re.compile(
    r"(?:\(alternate phone\)\s*)?(?:[a-z]{2}(?=\+))?(\+?[\d\s().\-–/]{7,24}?)(?:\s*(?:x|ext\.?)\s*\d+)?", re.IGNORECASE
)
_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.IGNORECASE)


def read_phone(text: str, region: str = "US") -> tuple[str | None, bool]:
    """E.164; the extension is dropped. *Possible* numbers count: 555 numbers are not "valid" and are in every sample."""
    match = _PHONE.fullmatch(text.strip())
    if not match:
        return None, False
    try:
        number = phonenumbers.parse(match[1], region)
    except phonenumbers.NumberParseException:
        return None, False
    if not phonenumbers.is_possible_number(number):
        return None, False
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), True


def read_email(text: str) -> tuple[str | None, bool]:
    address = text.strip().removeprefix("mailto:")
    return (address, True) if len(address) <= 254 and _EMAIL.fullmatch(address) else (None, False)
