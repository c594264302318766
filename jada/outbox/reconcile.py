"""Reading every copy back, comparing it with the database, and setting right what differs.

No transaction is open while a copy is read. What is about to be written anyway is *on its way*, never a difference:
it is asked before the reading and again after it. Setting right means: forget what is believed to stand outside and
owe it anew, so that it is written under a higher number and an invalidation and a look at the public address follow.
A copy that only the edge holds stale is healed the same way: an invalidation alone would leave the version as it is,
and nobody could tell the fresh answer from the stale one.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, F, OuterRef, Q, QuerySet, Subquery
from django.utils.timezone import now

from jada.failures import DeliveryFailure, Refused
from jada.outbox import registry
from jada.outbox.copies import PERSON, Copy, Difference, copies_of, differences, keys_of, planned, readable, reader_of
from jada.outbox.entries import enqueue
from jada.outbox.enums import UNFINISHED, State
from jada.outbox.models import Effect, Mirror
from jada.outbox.signals import copy_healed

logger = logging.getLogger(__name__)

IN_STEP, ON_ITS_WAY, DIFFERS, HEALING, NOT_CHECKED = "in step", "on its way", "differs", "healing", "not checked"

NEAR: Final = timedelta(hours=72)  # a trip that leaves within it is read every hour, everything once a day
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SLICE: Final = 500
GIVE_UP: Final = 5  # failures in a row: the service is away, and the rest of its objects is left for the next run


@dataclass(frozen=True)
class Object:
    """Something that has copies outside: a topic (or another reader's name), its key, what it is about."""

    topic: str
    key: str
    subject: str = ""


@dataclass(frozen=True)
class Finding:
    """What one reading found. `note` says why it was not checked, or why it is not healed.

    `away`: its service did not answer, so the next object of the topic would fare no better.
    """

    object: Object
    standing: str
    differences: tuple[Difference, ...] = ()
    note: str = ""
    away: bool = False


@dataclass
class Report:
    """A run's findings; those in step are only counted. `left` were not reached within the run's time."""

    in_step: int = 0
    findings: list[Finding] = field(default_factory=list)
    left: int = 0

    def add(self, finding: Finding) -> None:
        if finding.standing == IN_STEP:
            self.in_step += 1
        else:
            self.findings.append(finding)

    def of(self, standing: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.standing == standing]

    @property
    def clean(self) -> bool:
        """Whether nothing differs that is not on its way to be right, and everything could be read."""
        return not self.of(DIFFERS) and not self.of(NOT_CHECKED) and not self.left


def reconcile(
    objects: Iterable[Object],
    *,
    heal: bool,
    again: bool = True,
    seconds: float | None = None,
    at: datetime | None = None,
) -> Report:
    """Read the copies of these objects back. With `again` also what came back after it had been healed is healed.

    After `seconds` nothing new is begun; a service that does not answer is not asked for the rest of its objects.
    """
    report, failed = Report(), dict[str, int]()
    until = None if seconds is None else time.monotonic() + seconds
    for one in objects:
        if until is not None and time.monotonic() > until:
            report.left += 1
            continue
        if failed.get(one.topic, 0) >= GIVE_UP:
            report.add(Finding(one, NOT_CHECKED, note="The ones before it could not be read, so it was not tried."))
            continue
        finding = check(one, at=at or now())
        failed[one.topic] = failed.get(one.topic, 0) + 1 if finding.away else 0
        if heal and finding.standing == DIFFERS:
            finding = _healed(finding, again=again, at=at or now())
        report.add(finding)
    return report


# --- one object ------------------------------------------------------------------------------------------------------


def check(one: Object, *, at: datetime) -> Finding:
    """Read the object's copies and keep what was found beside its mirror."""
    if _is_owed(one):
        return Finding(one, ON_ITS_WAY)
    before = Mirror.objects.filter(topic=one.topic, key=one.key).first() or Mirror(topic=one.topic, key=one.key)
    try:
        copies = copies_of(one.topic, one.key, before.applied_version)
    except DeliveryFailure as failure:
        return Finding(one, NOT_CHECKED, note=str(failure), away=not isinstance(failure, Refused))
    except Exception as error:
        logger.exception("Unable to read a copy of %s back", one.topic)
        return Finding(one, NOT_CHECKED, note=f"A fault of ours ({type(error).__name__}): the log has it.")
    after = Mirror.objects.filter(topic=one.topic, key=one.key).first()
    if _is_owed(one) or (after and after.version != before.version):
        return Finding(one, ON_ITS_WAY)
    return _keep(_judge(one, copies, at=at), before, at=at)


def _is_owed(one: Object) -> bool:
    if one.topic not in registry.known():
        return False
    topics = [one.topic, *registry.topic(one.topic).then]
    return Effect.objects.filter(topic__in=topics, key=one.key, state__in=UNFINISHED).exists()


def _judge(one: Object, copies: Sequence[Copy], *, at: datetime) -> Finding:
    settling = [copy for copy in copies if copy.settles_at and copy.settles_at > at]
    found = [difference for copy in copies if copy not in settling for difference in differences(copy)]
    if found:
        return Finding(one, DIFFERS, tuple(found))
    soon = any(differences(copy) for copy in settling)
    return Finding(one, ON_ITS_WAY if soon else IN_STEP)


def _keep(finding: Finding, before: Mirror, *, at: datetime) -> Finding:
    one = finding.object
    if finding.standing == ON_ITS_WAY:
        return finding
    mirror, _ = Mirror.objects.get_or_create(topic=one.topic, key=one.key)
    healed = {_place_of(kept) for kept in before.differences if kept.get("healed")}
    kept = [asdict(found) | {"healed": _place_of(asdict(found)) in healed} for found in finding.differences]
    Mirror.objects.filter(pk=mirror.pk).update(checked_at=at, differences=kept)
    return finding


def _place_of(found: dict[str, Any]) -> tuple[str, str, str]:
    return found["store"], found["object"], found["field"]


def _healed(finding: Finding, *, again: bool, at: datetime) -> Finding:
    """One that cannot be set right keeps none of those behind it from being."""
    try:
        return heal_one(finding, again=again, at=at)
    except Exception as error:
        logger.exception("Unable to set a copy of %s right", finding.object.topic)
        return replace(
            finding, note=f"A fault of ours while it was set right ({type(error).__name__}): the log has it."
        )


def heal_one(finding: Finding, *, again: bool, at: datetime) -> Finding:
    """Owe anew what differs, in one transaction with its history. What is stuck already waits for a person."""
    one = finding.object
    if all(found.cure == PERSON for found in finding.differences):
        return replace(finding, note="Only a person can set this right.")
    if _is_stuck(one):
        return replace(finding, note="Its delivery is stuck: retry it, or drop it, under Deliveries.")
    mirror = Mirror.objects.get(topic=one.topic, key=one.key)
    if not again and any(kept.get("healed") for kept in mirror.differences):
        return replace(
            finding, note="It was healed before and differs again: somebody else writes it, or it is cut off."
        )
    with transaction.atomic():
        if not _owe_anew(one, at=at):
            return replace(
                finding, note="It cannot be set right by itself: what it says is in the way of something else."
            )
        marked = [asdict(found) | {"healed": True} for found in finding.differences]
        Mirror.objects.filter(pk=mirror.pk).update(differences=marked)
        copy_healed.send(
            sender=Mirror, topic=one.topic, key=one.key, subject=one.subject, differences=finding.differences, at=at
        )
    return replace(finding, standing=HEALING)


def _is_stuck(one: Object) -> bool:
    return Effect.objects.filter(topic=one.topic, key=one.key, state=State.DEAD).exists()


def _owe_anew(one: Object, *, at: datetime) -> bool:
    if one.topic not in registry.known():
        healed: bool = reader_of(one.topic).heal(one.key, at=at)
        return healed
    enqueue(one.topic, one.key, subject=one.subject)  # rows before mirrors, as a claim locks them
    Mirror.objects.filter(topic=one.topic, key=one.key).update(digest="", material="")
    return True


# --- which objects -----------------------------------------------------------------------------------------------------


def everything(*, topic: str = "", subject: str = "", since: datetime | None = None) -> Iterator[Object]:
    """Every object that should have copies, then those that only a mirror knows, in slices and in the order of keys.

    `since` narrows it to trips that start then or later.
    """
    for name in [topic] if topic else readable():
        rows = planned(name)
        seen: set[str] = set()
        if rows is not None:
            for key, about in _sliced(_narrowed(rows, subject=subject, since=since)):
                seen.add(key)
                yield Object(name, key, about)
        if since is None:
            yield from (Object(name, key, subject) for key in _known(name, subject) if key not in seen)


def due(*, at: datetime) -> Iterator[Object]:
    """What the schedule reads now: near trips and what differed once an hour, all else once a day.

    The longest unread come first.
    """
    for name in readable():
        rows, seen = planned(name), set[str]()
        if rows is not None:
            near = Q(starts_at__gt=at - DAY, starts_at__lt=at + NEAR, read_at__lte=at - HOUR)
            waiting = _with_reading(rows, name).filter(Q(read_at=None) | Q(read_at__lte=at - DAY) | near)
            for key, about in _first(waiting):
                seen.add(key)
                yield Object(name, key, about)
        read_today = Mirror.objects.filter(topic=name, checked_at__gt=at - DAY)
        for key in set(keys_of(name)) - set(read_today.filter(key__in=keys_of(name)).values_list("key", flat=True)):
            seen.add(key)
            yield Object(name, key)
        astray = ~Q(differences=[]) & Q(checked_at__lte=at - HOUR)
        mirrors = Mirror.objects.filter(Q(checked_at=None) | Q(checked_at__lte=at - DAY) | astray, topic=name)
        for key in mirrors.order_by(F("checked_at").asc(nulls_first=True)).values_list("key", flat=True)[:SLICE]:
            if key not in seen:
                yield Object(name, key)


def _with_reading(rows: QuerySet[Any], name: str) -> QuerySet[Any]:
    mirror = Mirror.objects.filter(topic=name, key=OuterRef("key")).values("checked_at")[:1]
    read: QuerySet[Any] = rows.annotate(read_at=Subquery(mirror, output_field=DateTimeField()))
    return read


def _first(waiting: QuerySet[Any]) -> list[tuple[str, str]]:
    rows = waiting.order_by(F("read_at").asc(nulls_first=True), "-starts_at").values_list("key", "subject")
    return list(rows[:SLICE])


def _narrowed(rows: QuerySet[Any], *, subject: str, since: datetime | None) -> QuerySet[Any]:
    if subject:
        rows = rows.filter(subject=subject)
    return rows.filter(starts_at__gte=since) if since else rows


def _sliced(planned_rows: QuerySet[Any]) -> Iterator[tuple[str, str]]:
    """All of it, `SLICE` rows a query: no cursor stays open while copies are read."""
    last = ""
    while rows := list(planned_rows.filter(key__gt=last).order_by("key").values_list("key", "subject")[:SLICE]):
        yield from rows
        last = rows[-1][0]


def _known(name: str, subject: str) -> list[str]:
    """Keys that were written once, though no plan names them any more."""
    if subject:
        keys: Iterable[str] = Effect.objects.about(subject).filter(topic=name).values_list("key", flat=True)
        return sorted(set(keys))
    keys = Mirror.objects.filter(topic=name).order_by("key").values_list("key", flat=True)
    return list(dict.fromkeys([*keys_of(name), *keys]))


def differing() -> QuerySet[Mirror]:
    """What was found to differ. What was found before the last writing says nothing of the copy that stands now."""
    return Mirror.objects.exclude(differences=[]).exclude(applied_at__gt=F("checked_at"))


# --- by the clock -----------------------------------------------------------------------------------------------------

A_ROUND: Final = 45.0  # seconds; under the time limit of a task


def reconcile_in_turn(*, at: datetime) -> Report:
    """One round of the schedule: what is due, as far as the time goes; what is left is due in the next round."""
    report = reconcile(due(at=at), heal=settings.RECONCILE_HEAL, again=False, seconds=A_ROUND, at=at)
    if report.findings or report.left:
        counts = Counter(finding.standing for finding in report.findings)
        logger.warning("Copies were read back: %s in step, %s, %s left", report.in_step, dict(counts), report.left)
    return report
