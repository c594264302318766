"""The ledger of a trip: one row for each copy of it outside and for each person's last mail, with a light.

What a row says of a copy is what was last written and what was last read back; looking at the page asks nobody outside.
`check` does, when a person presses the button.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import connections, models, transaction
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from bookings.models import Booking, CalendarEntry
from crew.models import CrewMember
from guests import codes
from guests.models import EDGE, PAGE, SEEN, SLUG, GuestPage
from jada.audit.actors import Actor
from jada.audit.services import record
from jada.console.holders import Holder
from jada.console.sync import CalendarOfTrips
from jada.mail.admin import kind_name
from jada.mail.heard import Heard
from jada.mail.models import Message
from jada.modeladmin import pill, tones
from jada.outbox.copies import differences
from jada.outbox.enums import UNFINISHED, State
from jada.outbox.models import Effect, Mirror
from jada.outbox.reconcile import DIFFERS, HEALING, NOT_CHECKED, Report, everything, reconcile

CREW = "crew.event"
NAMES = {
    CREW: "Crew event",
    PAGE: "Guest page",
    EDGE: "Guest page: fresh at the edge",
    SEEN: "Guest page: seen in public",
    SLUG: "Guest page's friendly name",
    "mail.message": "Mail",
}
STUCK = (State.DEAD, State.IN_DOUBT)
SHOWN = 60
A_MINUTE = timedelta(minutes=1)
PATIENCE = 10.0  # seconds that a person waits for the button; the reading itself goes on


class Light(models.TextChoices):
    """The first is good. A word and a shape, never the colour alone."""

    IN_STEP = "in_step", "in step"
    ON_ITS_WAY = "on_its_way", "on its way"
    DIFFERS = "differs", "differs"
    STUCK = "stuck", "stuck"


tones(Light, in_step="ok", on_its_way="info", differs="warn", stuck="bad")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One copy, or one person's last mail. `effect` is what can be tried again; `said` are what, old and new."""

    what: str
    light: Light
    facts: Sequence[str] = ()
    said: Sequence[tuple[str, str, str]] = ()
    error: str = ""
    effect: int | None = None
    in_doubt: bool = False
    url: str = ""
    outside: bool = False  # the address is not one of the console's

    @property
    def state(self) -> SafeString:
        return pill(self.light)


def ledger_of(
    booking: Booking, holders: Iterable[Holder], *, at: datetime, money: bool, mails: bool = True
) -> list[Row]:
    """Every row, the copies first; what is stuck and has no row of its own comes last.

    `mails` and `money` say whether the reader may open the kept mails, and those that show money.
    """
    effects = list(Effect.objects.about(booking.subject).order_by("-pk")[: 4 * SHOWN])
    page = GuestPage.objects.filter(booking=booking).prefetch_related("slugs").first()
    copies = Copies(booking, page, effects, at)
    names = names_of(booking)
    told = _mails(booking, holders, names, at=at, money=money)
    rows = [*copies.rows(), *(row if mails else replace(row, url="") for _, row in told)]
    shown = {row.effect for row in rows} | {key for key, _ in told}
    stuck = [effect for effect in effects if effect.state in STUCK and effect.pk not in shown][:SHOWN]
    return [*rows, *_left_over(stuck, names, at=at)] if stuck else rows


class Copies:
    """The copies of one trip, from its mirrors and the newest effect of each."""

    def __init__(self, booking: Booking, page: GuestPage | None, effects: Sequence[Effect], at: datetime) -> None:
        self.booking, self.page, self.at = booking, page, at
        self.slugs = list(page.slugs.all()) if page else []
        keys = [booking.public_id, *([page.code] if page else []), *(slug.slug for slug in self.slugs)]
        self.mirrors = {(m.topic, m.key): m for m in Mirror.objects.filter(key__in=keys)}
        self.newest: dict[tuple[str, str], Effect] = {}
        for effect in effects:
            self.newest.setdefault((effect.topic, effect.key), effect)

    def rows(self) -> list[Row]:
        found = [self._calendar()]
        if (CREW, self.booking.public_id) in self.mirrors or (CREW, self.booking.public_id) in self.newest:
            url = reverse("admin:booking_crew_view", args=[self.booking.pk])
            found.append(self._copy("Crew event in the table", CREW, self.booking.public_id, url=url))
        if self.page:
            found += self._page(self.page)
        return found

    def _page(self, page: GuestPage) -> list[Row]:
        here = reverse("admin:guests_guestpage_change", args=[page.pk])
        public = settings.GUEST_BASE_URL + codes.printed_path(page.code)
        html, ics = codes.guest_key(page.code), codes.ics_key(page.code)
        rows = [
            self._copy("Guest page in the bucket", PAGE, page.code, store="bucket", object_=html, url=here),
            self._copy("Calendar file of the guest", PAGE, page.code, store="bucket", object_=ics),
            self._copy("Guest page as it is served", PAGE, page.code, store="edge", url=public, outside=True),
        ]
        for slug in self.slugs:
            name = f"Friendly name {slug.slug}" if slug.current else f"Earlier name {slug.slug}"
            address = f"{settings.GUEST_BASE_URL}/g/{slug.slug}"
            rows.append(self._copy(name, SLUG, slug.slug, url=address, outside=True))
        return rows

    def _calendar(self) -> Row:
        """A row of our own: it is compared while the page is made."""
        copies = CalendarOfTrips().copies(self.booking.public_id, 0)
        found = [d for copy in copies for d in differences(copy)]
        said = [(f"{d.store}, {d.field}", d.old, d.new) for d in found]
        entry = CalendarEntry.objects.filter(booking=self.booking).first()
        url = reverse("admin:bookings_calendarentry_change", args=[entry.pk]) if entry else ""
        light = Light.DIFFERS if found else Light.IN_STEP
        return Row(what="Calendar entry", light=light, facts=["read with this page"], said=said, url=url)

    def _copy(
        self,
        what: str,
        topic: str,
        key: str,
        *,
        store: str = "",
        object_: str = "",
        url: str = "",
        outside: bool = False,
    ) -> Row:
        served = store == "edge"
        mirror = self.mirrors.get((topic, key)) or Mirror(topic=topic, key=key)
        effects = [
            self.newest[t, key] for t in ((topic, EDGE, SEEN) if served else (topic,)) if (t, key) in self.newest
        ]
        said = [
            (f"{kept['object']}, {kept['field']}" if served else kept["field"], kept["old"], kept["new"])
            for kept in ([] if _written_since(mirror) else mirror.differences)
            if store in ("", kept["store"]) and object_ in ("", kept["object"])
        ]
        stuck = next((effect for effect in effects if effect.state in STUCK), None)
        waiting = next((effect for effect in effects if effect.state in UNFINISHED), None)
        written = mirror.seen_version if served else mirror.applied_version
        return Row(
            what=what,
            light=_light(stuck=bool(stuck), waiting=bool(waiting), differs=bool(said) or not written),
            facts=self._facts(mirror, stuck or waiting, served=served),
            said=said if not waiting else [],
            error=stuck.last_error if stuck else waiting.last_error if waiting else "",
            effect=stuck.pk if stuck else None,
            url=url,
            outside=outside,
        )

    def _facts(self, mirror: Mirror, effect: Effect | None, *, served: bool) -> list[str]:
        version, at = (mirror.seen_version, mirror.seen_at) if served else (mirror.applied_version, mirror.applied_at)
        done = "seen" if served else "written"
        facts = [f"version {version}" if version else f"never {done}"]
        if at:
            facts.append(f"{done} {_ago(at, self.at)}")
        if effect:
            facts.append(f"owed {_ago(effect.created_at, self.at)}")
        if effect and effect.attempts > 1:
            facts.append(f"{effect.attempts} tries")
        return [*facts, f"read back {_ago(mirror.checked_at, self.at)}" if mirror.checked_at else "not read back yet"]


def _written_since(mirror: Mirror) -> bool:
    """What was found before the last writing says nothing of the copy that stands there now."""
    return bool(mirror.applied_at and mirror.checked_at and mirror.applied_at > mirror.checked_at)


def _light(*, stuck: bool, waiting: bool, differs: bool) -> Light:
    if stuck:
        return Light.STUCK
    if waiting:
        return Light.ON_ITS_WAY
    return Light.DIFFERS if differs else Light.IN_STEP


def _ago(then: datetime, at: datetime) -> str:
    return f"{timesince(then, at, depth=1)} ago" if at - then >= A_MINUTE else "just now"


# --- mails -------------------------------------------------------------------------------------------------------------

LIGHTS = {
    Heard.KNOWS: Light.IN_STEP,
    Heard.ON_ITS_WAY: Light.ON_ITS_WAY,
    Heard.IN_DOUBT: Light.STUCK,
    Heard.STUCK: Light.STUCK,
    Heard.OLD: Light.DIFFERS,
    Heard.NEVER: Light.DIFFERS,
}


def _mails(
    booking: Booking, holders: Iterable[Holder], names: dict[str, str], *, at: datetime, money: bool
) -> list[tuple[int | None, Row]]:
    """(its effect, row) of the last mail of each recipient; what was taken back said nothing."""
    people, found = {h.recipient: h for h in holders}, dict[str, Message]()
    for message in Message.objects.about(booking.subject).select_related("effect"):  # the newest first
        if message.state != State.CANCELLED:
            found.setdefault(message.recipient, message)
    return [(m.effect_id, _mail(m, people.get(m.recipient), names, at=at, money=money)) for m in found.values()]


def _mail(message: Message, holder: Holder | None, names: dict[str, str], *, at: datetime, money: bool) -> Row:
    effect, words = message.effect, mail_words(message, names)
    stuck = message.state in STUCK
    when = message.sent_at or message.created_at
    facts = [str(message.outcome.label), _ago(when, at)]
    if effect and effect.attempts > 1:
        facts.append(f"{effect.attempts} tries")
    if holder and holder.knows_by:
        facts.append(holder.knows_by)
    may_read = money or not message.has_money
    return Row(
        what=f"Mail {words[0].lower()}{words[1:]}",
        light=_light_of(message, holder),
        facts=facts,
        said=[(what, old, new) for what, old, new in holder.differs] if holder and holder.open else [],
        error=effect.last_error if effect and stuck else "",
        effect=effect.pk if effect and stuck else None,
        in_doubt=bool(effect) and (message.state == State.IN_DOUBT or _cause(effect) == "in_doubt"),
        url=reverse("admin:mail_message_change", args=[message.pk]) if may_read else "",
    )


def _light_of(message: Message, holder: Holder | None) -> Light:
    """Of a trip ahead: what its person holds. Of one that is over: whether their last mail left."""
    if message.state in STUCK:
        return Light.STUCK
    if holder:
        return Light.IN_STEP if holder.knows_by else LIGHTS[holder.standing]
    if message.bounced_at:
        return Light.DIFFERS
    return Light.IN_STEP if message.state == State.DONE else Light.ON_ITS_WAY


def _cause(effect: Effect | None) -> str:
    return effect.cause if effect else ""


def names_of(booking: Booking) -> dict[str, str]:
    """The people behind the recipients of this booking's mails."""
    members = CrewMember.objects.filter(assignments__event__booking=booking).distinct()
    return {member.recipient: member.name for member in members}


def mail_words(message: Message, names: dict[str, str]) -> str:
    """`To Ines Calloway: invitation`."""
    words = kind_name(message.kind)
    name = names.get(message.recipient)
    return f"To {name}: {words.partition(': ')[2]}" if name else words


def _left_over(stuck: Sequence[Effect], names: dict[str, str], *, at: datetime) -> list[Row]:
    """What is stuck though something newer of its kind went well: it is seen, and can be tried again or dropped."""
    mails = {m.effect_id: mail_words(m, names) for m in Message.objects.filter(effect__in=stuck)}
    return [
        Row(
            what=f"Mail {mails[effect.pk][0].lower()}{mails[effect.pk][1:]}"
            if effect.pk in mails
            else NAMES.get(effect.topic, effect.topic),
            light=Light.STUCK,
            facts=[f"owed {_ago(effect.created_at, at)}", f"{effect.attempts} tries"],
            error=effect.last_error,
            effect=effect.pk,
            in_doubt=effect.cause == "in_doubt" or effect.state == State.IN_DOUBT,
            url=reverse("admin:outbox_effect_change", args=[effect.pk]),
        )
        for effect in stuck
    ]


# --- the button --------------------------------------------------------------------------------------------------------


def check(*, booking: Booking, heal: bool, by: Actor, at: datetime) -> Report | None:
    """Read this trip's copies back now; None when that takes longer than a person waits.

    A thread of its own reads: the request ends after `PATIENCE` whatever the services do, no transaction is open around
    a call, and what is found late stands in the ledger all the same.
    """

    def read() -> Report:
        report = reconcile(everything(subject=booking.subject), heal=heal, seconds=PATIENCE)
        if report.of(HEALING):
            with transaction.atomic():
                record(act="outbox.copy.set-right", subject=booking.subject, by=by, at=at)
        return report

    return _within(PATIENCE, read)


def said(report: Report | None) -> tuple[int, str]:
    """(level, sentence) for the person who asked."""
    if report is None:
        return messages.WARNING, "Somebody outside answers slowly: what is found stands here in a minute."
    differing, healing, unread = (len(report.of(name)) for name in (DIFFERS, HEALING, NOT_CHECKED))
    if unread or report.left:
        return messages.ERROR, f"{unread + report.left} of its copies could not be read: {_why(report)}"
    if differing:
        return messages.WARNING, f"{differing} of its copies {'differ' if differing > 1 else 'differs'}: see below."
    if healing:
        return messages.SUCCESS, f"{healing} of its copies {'are' if healing > 1 else 'is'} being set right."
    return messages.SUCCESS, "Everything was read back, and nothing differs."


def _why(report: Report) -> str:
    return next((finding.note for finding in report.of(NOT_CHECKED)), "there was no time left.")


def _within(seconds: float, work: Callable[[], Report]) -> Report | None:
    done: list[Any] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  raised where somebody waits for it
            done.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, name="read-back", daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        return None
    if isinstance(done[0], BaseException):
        raise done[0]
    report: Report = done[0]
    return report
