"""The guest page as a pure function: one view object in, the bytes of one flat file out.

What the view has no field for cannot reach a guest: no amount, no surname, no telephone, no other guest. What a phase
must not tell yet, or no longer, is taken away by `redact` before anything is rendered.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import segno
from django.conf import settings
from django.template.loader import render_to_string

from guests import calendar, codes
from guests.phases import BY_CLOCK, SECRETS_FROM, Phase
from guests.sky import Sky, sky

BRAND = "Queen of San Diego"
LIVE = (Phase.MOVED, *BY_CLOCK)  # the faces that one file can show, in order; its script turns from one to the next


@dataclass(frozen=True, kw_only=True)
class Dock:
    """Where to meet. `directions` is a sentence or two: parking, gate, which way to walk."""

    name: str
    address: str = ""
    directions: str = ""
    latitude: float | None = None
    longitude: float | None = None
    phone: str = ""  # the dock's or the office's business number


NOWHERE = Dock(name="")


@dataclass(frozen=True, kw_only=True)
class GuestPageView:
    """All that a guest page may know about a trip. Instants are aware; `zone` is the vessel's, by name.

    `moved_from` is the start before the last move while the guest should still notice it; `revision` counts the
    material changes of the trip and `revised_at` is when the last of them was made.
    """

    code: str
    base_url: str
    vessel: str
    zone: str
    starts_at: datetime
    ends_at: datetime
    arrive_at: datetime
    phase: Phase
    revision: int
    revised_at: datetime
    first_name: str = ""
    party_size: int | None = None
    dock: Dock = NOWHERE
    gate_code: str = ""
    captain: str = ""
    crew: tuple[str, ...] = ()
    held_until: datetime | None = None
    moved_from: datetime | None = None
    moved_until: datetime | None = None

    @property
    def url(self) -> str:
        return self.base_url + codes.printed_path(self.code)


@dataclass(frozen=True, kw_only=True)
class SlugView:
    """What stands under a friendly slug, which anybody can guess: never a name and never the code.

    A retired slug names the `current` one and sends the reader on; a current one says which boat and which day.
    """

    slug: str
    base_url: str
    vessel: str = ""
    day: str = ""
    current: str = ""
    over: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the plan."""

    at: datetime
    what: str
    note: str = ""
    golden: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the template needs beside the view: local times, the drawing, links. Derived, nothing new."""

    starts: datetime
    ends: datetime
    arrive: datetime
    hours: str
    part: str
    faces: tuple[Phase, ...]
    google: str
    apple_maps: str
    google_maps: str
    sky: Sky | None = None
    steps: tuple[Step, ...] = ()
    qr: str = ""
    moved_from: datetime | None = None
    held_until: datetime | None = None


def redact(view: GuestPageView) -> GuestPageView:
    """The view without what its phase must not publish. Hidden is not secret: what is in the file can be read."""
    if view.phase not in SECRETS_FROM:
        view = replace(view, gate_code="", dock=replace(view.dock, phone=""))
    if view.phase is Phase.AFTER:  # the sun of the day may stay, the way to the boat may not
        view = replace(view, dock=replace(view.dock, address="", directions=""), moved_from=None, moved_until=None)
    if view.phase in (Phase.HELD, Phase.CANCELLED, Phase.EXPIRED):
        view = replace(view, dock=NOWHERE, captain="", crew=(), moved_from=None, moved_until=None)
    if view.phase is Phase.EXPIRED:
        view = replace(view, first_name="", party_size=None)
    return view


def render(view: GuestPageView, *, version: int) -> bytes:
    """The page's bytes. They depend on the view and the version alone."""
    view = redact(view)
    facts, open_ = _facts(view), view.phase in LIVE and view.phase is not Phase.AFTER
    script = _script() if open_ else ""
    context = {
        "page": view, "facts": facts, "sky": facts.sky, "phase": view.phase.value, "open": open_, "script": script,
    }  # fmt: skip
    return _file("guests/page.html", context, version=version, script=script)


def render_gone(*, base_url: str, version: int) -> bytes:
    """What stands at the address of a page whose trip is not in the books any more."""
    return _file("guests/gone.html", {"home": f"{base_url}/"}, version=version)


def render_slug(view: SlugView, *, version: int) -> bytes:
    """The small page under a friendly slug."""
    return _file("guests/slug.html", {"page": view, "home": f"{view.base_url}/"}, version=version)


def render_calendar(view: GuestPageView, *, version: int) -> bytes:
    """The .ics beside the page; without an event once the page has expired."""
    view = redact(view)
    if view.phase is Phase.EXPIRED:
        return calendar.blank_file(ZoneInfo(view.zone), day=view.starts_at, version=version)
    return calendar.calendar_file(_entry(view), version=version)


def long_day(at: datetime) -> str:
    """`Saturday, December 5`, as guests in the United States read it."""
    return f"{at:%A, %B} {at.day}"


def _file(template: str, context: dict[str, object], *, version: int, script: str = "") -> bytes:
    css = _css()
    policy = (
        f"default-src 'none'; style-src '{_csp_hash(css)}'; script-src {_quoted(script)}; font-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'"
    )
    context |= {"brand": BRAND, "css": css, "policy": policy, "version": version, "long_day": long_day, "iso": _iso}
    html = render_to_string(template, context, using="jinja2")
    return re.sub(r">\s*\n\s*<", "><", html).encode()


def _facts(view: GuestPageView) -> Facts:
    zone = ZoneInfo(view.zone)
    starts, ends, arrive = (at.astimezone(zone) for at in (view.starts_at, view.ends_at, view.arrive_at))
    apple, google = _maps(view.dock)
    path = _path(view, zone)
    return Facts(
        starts=starts,
        ends=ends,
        arrive=arrive,
        hours=_hours(view.ends_at.astimezone(UTC) - view.starts_at.astimezone(UTC)),
        part={"morning": "morning", "afternoon": "afternoon"}.get(codes.part_of_day(starts), "evening"),
        faces=LIVE[LIVE.index(view.phase) :] if view.phase in LIVE else (view.phase,),
        google=calendar.google_link(_entry(view)),
        apple_maps=apple,
        google_maps=google,
        sky=path,
        steps=_steps(view, starts, ends, arrive, path),
        qr=_qr(view.url),
        moved_from=view.moved_from.astimezone(zone) if view.moved_from else None,
        held_until=view.held_until.astimezone(zone) if view.held_until else None,
    )


def _path(view: GuestPageView, zone: ZoneInfo) -> Sky | None:
    if view.dock.latitude is None or view.dock.longitude is None:
        return None
    place = {"latitude": view.dock.latitude, "longitude": view.dock.longitude}
    return sky(starts_at=view.starts_at, ends_at=view.ends_at, zone=zone, **place)


def _steps(
    view: GuestPageView, starts: datetime, ends: datetime, arrive: datetime, sun: Sky | None
) -> tuple[Step, ...]:
    steps = [
        Step(
            at=arrive,
            what=f"Arrive at {view.dock.name}" if view.dock.name else "Arrive",
            note="Welcome and safety talk",
        ),
        Step(at=starts, what="Lines off", note="Sails up once we are clear of the harbor"),
        Step(at=ends, what="Back at the dock", note=f"{ends:%A}" if ends.date() != starts.date() else ""),
    ]
    if sun and starts < sun.golden_from < ends:
        steps.append(Step(at=sun.golden_from, what="Golden hour", note="The best light for pictures", golden=True))
    if sun and starts < sun.sunset < ends:
        steps.append(Step(at=sun.sunset, what="Sunset", golden=True))
    return tuple(sorted(steps, key=lambda step: step.at.astimezone(UTC)))


def _entry(view: GuestPageView) -> calendar.Entry:
    zone = ZoneInfo(view.zone)
    where = ", ".join(part for part in (view.dock.name, view.dock.address) if part)
    arrive = f"{view.arrive_at.astimezone(zone):%-I:%M %p}"
    told = "This trip is cancelled." if view.phase is Phase.CANCELLED else f"Please be at the dock by {arrive}."
    return calendar.Entry(
        uid=f"{view.code}@{view.base_url.split('://')[-1]}",
        revision=view.revision,
        stamp=view.revised_at,
        starts_at=view.starts_at,
        ends_at=view.ends_at,
        zone=zone,
        summary=f"Sailing on {view.vessel}",
        location=where,
        description=f"{told} Your trip page: {view.url}",
        url=view.url,
        cancelled=view.phase is Phase.CANCELLED,
    )


def _maps(dock: Dock) -> tuple[str, str]:
    """Links to Apple's and Google's directions: by position where it is known, else by address."""
    if dock.latitude is not None and dock.longitude is not None:
        target = f"{dock.latitude:.5f},{dock.longitude:.5f}"
    else:
        target = dock.address
    if not target:
        return "", ""
    apple = "https://maps.apple.com/?" + urlencode({"daddr": target}, safe=",")
    return apple, "https://www.google.com/maps/dir/?" + urlencode({"api": 1, "destination": target}, safe=",")


def _hours(elapsed: timedelta) -> str:
    minutes = round(elapsed / timedelta(minutes=1))
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} hour{'s' * (hours != 1)}"] * bool(hours) + [f"{rest} minutes"] * bool(rest)
    return " ".join(parts)


@lru_cache(maxsize=64)
def _qr(url: str) -> str:
    # Every mask reads alike; to try all eight for the prettiest takes longer than the rest of the page.
    code = segno.make(url, error="m", mask=3)
    return str(
        code.svg_inline(scale=4, border=2, svgclass=None, lineclass=None, omitsize=True, dark="#0b2d36", light="#fff")
    )


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _csp_hash(text: str) -> str:
    """Of the very string that is inlined: a flat file needs no nonce."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _quoted(script: str) -> str:
    return f"'{_csp_hash(script)}'" if script else "'none'"


@cache
def _css() -> str:
    css = re.sub(r"/\*.*?\*/", "", _source("page.css"), flags=re.DOTALL)
    css = re.sub(r" ?([{};,>]) ?", r"\1", re.sub(r"\s+", " ", css))
    return re.sub(r"\b0\.(?=\d)", ".", css.replace(": ", ":").replace(";}", "}")).strip()


@cache
def _script() -> str:
    lines = (re.sub(r"(^|\s)// .*", "", line).strip() for line in _source("page.js").splitlines())
    return "\n".join(line for line in lines if line)


def _source(name: str) -> str:
    return (settings.BASE_DIR / "templates" / "guests" / name).read_text()
