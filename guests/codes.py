"""Names of a guest page: its secret code, its friendly slug, and the S3 keys and public paths that follow from them."""

import re
import secrets
import unicodedata
from datetime import datetime

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no I, L, O, U
CODE_PATTERN = "[0-9A-HJKMNP-TV-Z]{7,16}"  # the edge function compares with the same text
CODE_LENGTH = 10  # 50 bits; the marketplace's own codes have 7 letters
SLUG_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[a-z0-9]+-(?:morning|afternoon|sunset)(?:-[0-9]+)?"

NOON, SUNSET_FROM = 12, 16  # local hours at which the day's parts begin
LONGEST_NAME = 24
FOLDER = "g/"  # of the bucket, and of the addresses

_UNDECOMPOSED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_TITLES = frozenset({"mr", "mrs", "ms", "mx", "dr", "prof", "capt", "captain", "sir", "miss"})


class NotACode(ValueError):
    """The text cannot be the code of any page; answer as for an unknown page."""


def new_code(length: int = CODE_LENGTH) -> str:
    """A fresh code from the system's random source; the caller's unique constraint settles a collision."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def normalise(code: str) -> str:
    """The code in capitals, from any case. Raises NotACode."""
    capitals = code.upper()
    if not code.isascii() or not re.fullmatch(CODE_PATTERN, capitals):
        raise NotACode(
            "A page's code has 7 to 16 letters and digits, without I, L, O and U. Check it for a typing error."
        )
    return capitals


def guest_key(code: str) -> str:
    """`g/xhqgmdh.html`: object keys are lower case, whatever the printed address looks like."""
    return f"g/{normalise(code).lower()}.html"


def ics_key(code: str) -> str:
    """`g/xhqgmdh.ics`."""
    return f"g/{normalise(code).lower()}.ics"


def slug_key(slug: str) -> str:
    """`g/2026-11-07-jonas-afternoon.html`."""
    return f"g/{slug}.html"


def printed_path(code: str) -> str:
    """`/g/XHQGMDH`, as it stands in mails and on the QR code."""
    return f"/g/{normalise(code)}"


def public_paths(code: str) -> tuple[str, ...]:
    """Every address under which the edge may hold a copy: the object's, the printed one's and the calendar file's."""
    return (f"/{guest_key(code)}", f"/{ics_key(code)}", printed_path(code))


def first_name(guest_name: str) -> str:
    """The first name in a full one: `Dr. Ana Ruiz` and `Ruiz, Ana` are both Ana. Empty when there is none.

    Boatsetter writes its renters in lower case: `dana` is greeted as Dana, anybody else as they wrote themselves.
    """
    _, comma, given = guest_name.partition(",")
    words = (given if comma else guest_name).split()
    name = next((word for word in words if word.rstrip(".").lower() not in _TITLES), "")
    return name.capitalize() if guest_name.islower() else name


def slug_for(first_name: str, local_start: datetime) -> str:
    """`2026-11-07-jonas-afternoon`; a second one of the same name is numbered by the caller, who knows the others."""
    return f"{local_start:%Y-%m-%d}-{_plain(first_name) or 'guest'}-{part_of_day(local_start)}"


def part_of_day(local_start: datetime) -> str:
    """`morning` before 12:00, `afternoon` before 16:00, else `sunset`; by the clock, not by the season."""
    if local_start.hour < NOON:
        return "morning"
    return "afternoon" if local_start.hour < SUNSET_FROM else "sunset"


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.lower().translate(_UNDECOMPOSED))
    return re.sub(r"[^a-z0-9]", "", decomposed)[:LONGEST_NAME]
