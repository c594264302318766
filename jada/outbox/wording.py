"""What two texts outside say differently, as far as it may be said aloud.

A page holds a guest's name, the way to the dock and, on the eve, the gate's code. So of its words only those are shown
that tell a time, a day or the end of a trip: whatever else differs is named by its fingerprint.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import unescape

_HIDDEN = re.compile(rb"<(script|style)\b.*?</\1>|<svg\b.*?</svg>|<!--.*?-->|<[^>]+>", re.DOTALL | re.IGNORECASE)
_SAYABLE = re.compile(
    r"(?:\d{1,2}:\d\d|[AP]M|\d{1,2}|20\d\d|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|january|february|march|april|may|june|july|august|september|october|november|december"
    r"|to|at|back|arrive|cancelled|moved|hours?|minutes)[.,]?",
    re.IGNORECASE,
)
PAIRS = 4  # that are shown; a page says its time more than once


def told_differently(found: bytes, wanted: bytes) -> tuple[str, str] | None:
    """(as it reads there, as it should read); None where the words are the same, or none of them is to be shown."""
    old, new = _words(found), _words(wanted)
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    pairs = [(_said(old, a, b), _said(new, c, d)) for tag, a, b, c, d in changes if tag != "equal"]
    sayable = list(dict.fromkeys((was, now) for was, now in pairs if was is not None and now is not None))
    if not sayable:
        return None
    return tuple(", ".join(side) for side in zip(*sayable[:PAIRS], strict=True))  # type: ignore[return-value]  # two


def _said(words: list[str], start: int, end: int) -> str | None:
    """The words from start to end; a time with its half of the day, for `4:30` alone says less than `4:30 PM`."""
    if any(not _SAYABLE.fullmatch(word) for word in words[start:end]):
        return None
    if end < len(words) and end > start and words[end].strip(".,") in ("AM", "PM"):
        end += 1
    return " ".join(words[start:end]).strip(".,") or "nothing"


def entry_facts(body: bytes) -> dict[str, str]:
    """What an .ics file says of its trip: start, end, status and sequence, as they stand there."""
    text = re.sub(rb"\r?\n[ \t]", b"", body).decode(errors="replace")
    event = text.partition("BEGIN:VEVENT")[2].partition("BEGIN:VALARM")[0]
    found = re.findall(r"^(DTSTART|DTEND|STATUS|SEQUENCE)[^:\r\n]*:([^\r\n]*)", event, re.MULTILINE)
    return {name.lower(): value for name, value in found}


def _words(body: bytes) -> list[str]:
    # A time set tight against its neighbour by a tag is a word of its own.
    return unescape(_HIDDEN.sub(b" ", body).decode(errors="replace")).split()
