"""How a guest page looks outside: an object in the brand's bucket, fresh at the edge, seen at its public address."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.files.storage import storages
from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Concat

from bookings.models import Booking
from guests import codes
from guests.models import EDGE, PAGE, SEEN, SLUG, GuestPage, PageSlug
from guests.page import GuestPageView, SlugView, render, render_calendar, render_gone, render_slug
from guests.phases import Phase
from guests.services import public_url, slug_view_of, view_of, was_told
from jada.aws import bucket, cdn, public
from jada.failures import Outcome, Refused, Retry
from jada.mail.letters import Address, letter
from jada.outbox import wording
from jada.outbox.batches import members_since
from jada.outbox.copies import PERSON, Copy, reader
from jada.outbox.invariants import Finding, examine
from jada.outbox.models import Mirror
from jada.outbox.plans import plan
from jada.outbox.registry import Batching, Order, Seen, Work, batch_step, digest, projection, step

if TYPE_CHECKING:
    from jada.aws.bucket import GuestPageStorage
    from jada.mail.models import Message

HTML = "text/html; charset=utf-8"
EDGE_KEEPS = timedelta(minutes=6)  # s-maxage and stale-while-revalidate of the bucket's objects, together
FINGERPRINT = 12  # of a sha256, enough to tell two texts apart
LOOK_AGAIN = timedelta(seconds=5)  # an invalidation takes about that long to reach the edges
# What a guest acts on, and their own name: a wrong one is noticed at once.
MATERIAL = ("vessel", "zone", "starts_at", "ends_at", "arrive_at", "dock", "gate_code", "first_name", "party_size")


@plan(PAGE)
def every_page() -> QuerySet[Any]:
    """Each page that was opened stays at its address for good: of a cancelled trip and of a past one too."""
    subject, starts = Concat(Value("booking:"), F("booking__public_id")), F("booking__starts_at")
    return GuestPage.objects.values(key=F("code"), subject=subject).annotate(starts_at=starts)


@examine("I1")
def _opened(at: datetime) -> Iterator[Finding]:
    """A trip that stands has its page."""
    without = Booking.objects.standing().filter(~Exists(GuestPage.objects.filter(booking=OuterRef("pk"))))
    yield "trips without a page, by public id", without.order_by().values_list("public_id", flat=True)


@plan(SLUG)
def every_name() -> QuerySet[Any]:
    """Each friendly name that was ever given, retired ones included."""
    subject, starts = Concat(Value("booking:"), F("page__booking__public_id")), F("page__booking__starts_at")
    return PageSlug.objects.values(key=F("slug"), subject=subject).annotate(starts_at=starts)


@projection(PAGE, lane="page:{key}", then=(EDGE, SEEN), service="s3")
class Page:
    """`g/<code>.html`, and the calendar file beside it. A page whose booking is gone becomes a short last word."""

    def view(self, key: str) -> GuestPageView | None:
        page = GuestPage.objects.select_related("booking__vessel__berth").filter(code=key).first()
        return view_of(page) if page else None

    def material(self, view: GuestPageView) -> dict[str, object]:
        """What must not stay stale for the five minutes that an edge may keep it: time, place, cancelled, gone."""
        facts = asdict(view)
        decisive = (Phase.HELD, Phase.MOVED, Phase.CANCELLED, Phase.EXPIRED)
        return {name: facts[name] for name in MATERIAL} | {"face": view.phase if view.phase in decisive else "on"}

    def write(self, key: str, view: GuestPageView | None, version: int) -> Outcome:
        if view is None:
            gone = render_gone(base_url=settings.GUEST_BASE_URL, version=version)
            return _bucket().publish(codes.guest_key(key), gone, version=version)
        entry = _bucket().publish(codes.ics_key(key), render_calendar(view, version=version), version=version)
        page = _bucket().publish(codes.guest_key(key), render(view, version=version), version=version)
        return Outcome.NEWER if entry is Outcome.NEWER else page

    def copies(self, key: str, version: int) -> list[Copy]:
        """The page and its calendar file in the bucket, and every address under which an edge may hold one of them."""
        view, place, file = self.view(key), codes.guest_key(key), codes.ics_key(key)
        if view is None:
            page = _Text(place, version, lambda v: render_gone(base_url=settings.GUEST_BASE_URL, version=v))
            return [page.in_bucket(), *_served(PAGE, key, {f"/{place}": page, codes.printed_path(key): page})]
        page = _Text(place, version, lambda v: render(view, version=v))
        entry = _Text(file, version, lambda v: render_calendar(view, version=v))
        addresses = {path: entry if path == f"/{file}" else page for path in codes.public_paths(key)}
        return [page.in_bucket(), entry.in_bucket(), *_served(PAGE, key, addresses)]

    def read_back(self, key: str) -> Seen | None:
        view = self.view(key)
        return _read_back(codes.guest_key(key), view, lambda version: render(view, version=version) if view else b"")


@projection(SLUG, lane="slug:{key}", service="s3")
class Slug:
    """`g/<slug>.html`: never the page itself, never its code."""

    def view(self, key: str) -> SlugView | None:
        slug = PageSlug.objects.select_related("page__booking__vessel").filter(slug=key).first()
        return slug_view_of(slug) if slug else None

    def write(self, key: str, view: SlugView | None, version: int) -> Outcome:
        body = (
            render_slug(view, version=version)
            if view
            else render_gone(base_url=settings.GUEST_BASE_URL, version=version)
        )
        return _bucket().publish(codes.slug_key(key), body, version=version)

    def copies(self, key: str, version: int) -> list[Copy]:
        view, place = self.view(key), codes.slug_key(key)

        def rendering(version: int) -> bytes:
            if view:
                return render_slug(view, version=version)
            return render_gone(base_url=settings.GUEST_BASE_URL, version=version)

        text = _Text(place, version, rendering)
        return [text.in_bucket(), *_served(SLUG, key, {f"/{place.removesuffix('.html')}": text})]

    def read_back(self, key: str) -> Seen | None:
        view = self.view(key)
        return _read_back(
            codes.slug_key(key), view, lambda version: render_slug(view, version=version) if view else b""
        )


@batch_step(EDGE, lane="page:{key}", service="cloudfront", batching=Batching(codes.public_paths, everything="/g/*"))
def forget_at_the_edge(order: Order) -> str:
    """Every address under which an edge may hold a copy, of as many pages as changed; answers the invalidation's id."""
    return cdn.invalidate(order.members, reference=order.reference)


def invalidated_paths(*, since: datetime) -> int:
    """Paths that CloudFront was told to forget since then: a thousand a month are free, a wildcard is one."""
    return members_since(EDGE, since)


@step(SEEN, lane="seen:{key}", confirms=PAGE, service="edge")
def see_it_live(work: Work) -> None:
    """Live means: the printed address answers with the very bytes of the bucket, of this version or a later one."""
    stored = _bucket().read(codes.guest_key(work.key))
    fetched = public.fetch(settings.GUEST_BASE_URL + codes.printed_path(work.key))
    version = _version_in(fetched.body)
    newest = stored.version if stored else 0
    if fetched.status != HTTPStatus.OK or not work.payload["version"] <= version <= newest:
        raise Retry(f"The public address does not show this version yet (it answers {fetched.status}).", LOOK_AGAIN)
    if fetched.content_type.lower() != HTML:
        raise Refused(f"The public address answers as {fetched.content_type!r}, not {HTML!r}: browsers misread it.")
    if stored and version == newest and fetched.sha256 != stored.sha256:
        raise Refused("The public address answers with other bytes than the bucket holds: something rewrites pages.")


@reader("guests.strays")
class Strays:
    """Pages in the bucket that no row knows: a second, poorer page of a trip, put there by hand, still has readers."""

    keys = (codes.FOLDER,)

    def plan(self) -> None:
        return None

    def copies(self, key: str, version: int) -> list[Copy]:
        found = [name for names in _bucket().names(key) for name in _unknown(names)]
        return [Copy(store="bucket", object=name, found={}, wanted=None, cure=PERSON) for name in found]


def _unknown(names: list[str]) -> list[str]:
    stems = {name: name.removeprefix(codes.FOLDER).rpartition(".")[0] for name in names}
    pages = GuestPage.objects.filter(code__in=[stem.upper() for stem in stems.values()])
    known = {code.lower() for code in pages.values_list("code", flat=True)}
    known |= set(PageSlug.objects.filter(slug__in=stems.values()).values_list("slug", flat=True))
    written = Mirror.objects.filter(topic__in=(PAGE, SLUG), key__in=[*stems.values(), *map(str.upper, stems.values())])
    known |= {key.lower() for key in written.values_list("key", flat=True)}  # a last word, at the address of a page
    return [name for name, stem in stems.items() if stem not in known]


# --- what stands outside, for reconcile ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Text:
    """An object of the bucket as it should be: its name, the version that was applied, its bytes at any version."""

    name: str
    version: int
    rendering: Callable[[int], bytes]

    def in_bucket(self) -> Copy:
        """Its text is compared at the version that it bears: another number alone is no other text."""
        stored = _bucket().read(self.name)
        if stored is None:
            return Copy(store="bucket", object=self.name, found=None, wanted={"version": self.version})
        right = self.rendering(stored.version)
        old, new = _texts(self.name, stored.body, right)
        found = {
            "version": stored.version,
            "content type": stored.content_type,
            "cache control": stored.cache_control,
            "stated sha256": stored.stated_sha256[:FINGERPRINT],
        }
        wanted = {
            "version": self.version,
            "content type": bucket.content_type_of(self.name),
            "cache control": bucket.PAGE_CACHE,
            "stated sha256": hashlib.sha256(right).hexdigest()[:FINGERPRINT],
        }
        return Copy(store="bucket", object=self.name, found=found | old, wanted=wanted | new)

    def at(self, path: str, applied_at: datetime | None) -> Copy:
        """As the public address answers. An older version may stay there for as long as an edge may keep it."""
        fetched = public.fetch(settings.GUEST_BASE_URL + path)
        version, ok = _version_in(fetched.body), fetched.status == HTTPStatus.OK
        found = {"status": int(fetched.status), "content type": fetched.content_type.lower(), "version": version}
        wanted = {"status": 200, "content type": bucket.content_type_of(self.name), "version": self.version}
        old, new = _texts(self.name, fetched.body, self.rendering(self.version)) if ok else ({}, {})
        kept = ok and applied_at is not None and 0 < version < self.version
        until = applied_at + EDGE_KEEPS if kept and applied_at else None
        return Copy(store="edge", object=path, found=found | old, wanted=wanted | new, settles_at=until)


def _served(topic: str, key: str, addresses: Mapping[str, _Text]) -> list[Copy]:
    """What the public addresses answer, of what was ever published."""
    applied_at = Mirror.objects.filter(topic=topic, key=key).values_list("applied_at", flat=True).first()
    return [text.at(path, applied_at) for path, text in addresses.items() if text.version]


def _texts(name: str, found: bytes, wanted: bytes) -> tuple[dict[str, object], dict[str, object]]:
    """The two texts as facts: those that a person would name, else their fingerprints."""
    if found == wanted:
        return {}, {}
    old, new = dict[str, object](), dict[str, object]()
    if name.endswith(".ics"):
        old |= wording.entry_facts(found)
        new |= wording.entry_facts(wanted)
    elif told := wording.told_differently(found, wanted):
        old["text"], new["text"] = told
    body = [hashlib.sha256(text).hexdigest()[:FINGERPRINT] for text in (found, wanted)]
    return old | {"body": body[0]}, new | {"body": body[1]}


# --- the guest's letters ---------------------------------------------------------------------------------------------


class GuestLetter:
    """To the address on file. When it is in doubt whether it left, a person decides: a guest is not told twice."""

    template = ""
    in_doubt = "hold"

    def address(self, message: Message) -> Address | None:
        booking = _booking(message)
        return Address(booking.guest_name, booking.guest_email) if booking and booking.guest_email else None

    def withdrawn(self, message: Message) -> str:
        booking = _booking(message)
        return "" if booking and booking.is_standing else "The trip is not on any more."

    def links(self, message: Message) -> dict[str, str]:
        booking = _booking(message)
        return {"page_url": (public_url(booking) if booking else None) or settings.GUEST_BASE_URL}


@letter("guest.booked")
class Booked(GuestLetter):
    template = "guest_booked"


@letter("guest.changed")
class Changed(GuestLetter):
    template = "guest_changed"


@letter("guest.cancelled")
class Cancelled(GuestLetter):
    template = "guest_cancelled"

    def withdrawn(self, message: Message) -> str:
        booking = _booking(message)
        if booking and booking.is_standing:
            return "The trip is on again."
        # A confirmation that was being sent when the trip was cancelled may have been withdrawn at its own last look.
        told = booking is None or was_told(booking, otherwise_than=message)
        return "" if told else "The guest was never told of the trip."


def _booking(message: Message) -> Booking | None:
    public_id = message.recipient.removeprefix("guest:")
    return Booking.objects.select_related("vessel").filter(public_id=public_id).first()


def _bucket() -> GuestPageStorage:
    return cast("GuestPageStorage", storages["guest"])


def _read_back(name: str, view: object, rendering: Callable[[int], bytes]) -> Seen | None:
    """The digest is the view's own where exactly its rendering stands there, else that of the bytes found."""
    stored = _bucket().read(name)
    if stored is None:
        return None
    same = rendering(stored.version) == stored.body
    headers = {"content_type": stored.content_type, "cache_control": stored.cache_control}
    return Seen(stored.version, digest(view) if same else stored.sha256, headers)


def _version_in(body: bytes) -> int:
    found = re.search(rb"<!-- v=(\d+) -->|^X-PUBLISHED-VERSION:(\d+)", body, re.MULTILINE)
    return int(found[1] or found[2]) if found else 0
