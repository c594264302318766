"""What must hold of the rows at any moment, asked of the live database (ADR 2, `manage.py outbox_check`).

Every question is one aggregate or anti-join with a limit, so it may be asked of a million rows. Where only a scan of
all of history could answer, the newest `RECENT` rows are judged. Rows cannot tell everything: `blind` says, of each
invariant, what they do not show. What stands outside is `reconcile`'s to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from django.db import connection
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, RowRange, Value, Window
from django.db.models.functions import Concat
from django.utils.timezone import now

from jada.outbox import plans, registry
from jada.outbox.delivery import LEASE, TRIES
from jada.outbox.enums import IN_FLIGHT, UNFINISHED, Mode, State
from jada.outbox.models import Attempt, Effect, Mirror
from jada.outbox.sweep import DOUBT_LASTS

SHOWN: Final = 20  # rows named by a violation; there may be more
RECENT: Final = 100_000  # rows of history that are judged
VIEWS: Final = 200  # objects that are rendered, the last applied ones
LATE: Final = LEASE + timedelta(minutes=1)  # a dead worker's lease, then the sweep that finds it
FINAL: Final = (State.DONE, State.SUPERSEDED, State.CANCELLED)


@dataclass(frozen=True)
class Violation:
    """One sentence, and the rows that it is about (ids of effects unless the sentence says otherwise)."""

    invariant: str
    says: str
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = ", ".join(self.rows[:SHOWN])
        more = " and more" if len(self.rows) > SHOWN else ""
        return f"{self.invariant}: {self.says} ({named}{more})" if self.rows else f"{self.invariant}: {self.says}"


Finding = tuple[str, Iterable[object]]  # a sentence, and the rows it is about: none is no violation
Question = Callable[[datetime], Iterator[Finding]]


@dataclass(frozen=True)
class Invariant:
    name: str
    holds: str
    blind: str  # what rows alone do not show
    questions: list[Question] = field(default_factory=list)


INVARIANTS: Final = {
    invariant.name: invariant
    for invariant in (
        Invariant("I1", "A committed act has all that it owes.", "Mails of an act: each is owed under its own rules."),
        Invariant(
            "I2", "What is due is delivered within a lease.", "Whether the other side answers; backoff is not late."
        ),
        Invariant(
            "I3",
            "Within a lane, effects happen in the order of their ids.",
            "Starts: the order of ends is judged. Hosts whose clocks differ may look out of order.",
        ),
        Invariant("I4", "One effect of a lane is in flight, one of its kind waits.", "Nothing: the database refuses."),
        Invariant("I5", "No number falls.", "The number at the target: reconcile reads it."),
        Invariant(
            "I6", "A quiet object was applied as it is now.", "The copy itself. The last applied objects are rendered."
        ),
        Invariant("I7", "A fact is mailed once.", "What the mail service accepted, unless its events told us."),
        Invariant("I8", "What is final stays as it is.", "A change that leaves no mark on the row or in its history."),
        Invariant("I9", "Tries are bounded.", "Tries that were given back, because the world was at fault."),
        Invariant("I10", "Nothing stands where nobody looks.", "Whether anybody looks."),
    )
}


def examine(name: str) -> Callable[[Question], Question]:
    """Register a question of the invariant `name`; apps above may have some of their own."""

    def register(question: Question) -> Question:
        INVARIANTS[name].questions.append(question)
        return question

    return register


def violations(*, at: datetime | None = None) -> list[Violation]:
    """Everything that does not hold now."""
    at = at or now()
    return [
        Violation(invariant.name, says, found)
        for invariant in INVARIANTS.values()
        for question in invariant.questions
        for says, rows in question(at)
        if (found := _named(rows))
    ]


def _named(rows: Iterable[object]) -> tuple[str, ...]:
    """As text, one more than is shown; a queryset answers its primary keys unless it has `values_list`."""
    if isinstance(rows, QuerySet):
        flat = rows if rows._fields else rows.values_list("pk", flat=True)  # type: ignore[attr-defined]
        rows = flat[: SHOWN + 1]
    return tuple(str(row) for row in rows)


def _recent(**conditions: Any) -> QuerySet[Effect]:
    newest = Effect.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return Effect.objects.filter(pk__gt=newest - RECENT, **conditions)


# --- I1: planned rows ------------------------------------------------------------------------------------------------


@examine("I1")
def _planned(at: datetime) -> Iterator[Finding]:
    """What an app states must stand outside has a mirror, or its first row is still on its way."""
    for topic in sorted(plans.topics() & registry.known()):
        before, after = registry.topic(topic).lane.split("{key}")
        lane = Concat(Value(before), OuterRef("key"), Value(after))
        mirrored = Mirror.objects.filter(topic=topic, key=OuterRef("key"))
        owed = Effect.objects.unfinished().filter(topic=topic, lane=lane)
        rows = cast("QuerySet[Any]", plans.planned(topic)).filter(~Exists(mirrored), ~Exists(owed)).order_by()
        yield f"objects of {topic} that were never owed, by key", rows.values_list("key", flat=True)


# --- I2: progress ----------------------------------------------------------------------------------------------------


@examine("I2")
def _progress(at: datetime) -> Iterator[Finding]:
    late = at - LATE
    claimable = Effect.objects.due(late, registry.known()).filter(Q(depends_on=None) | Q(depends_on__done_at__lt=late))
    yield "due and claimed by nobody", claimable.order_by()
    lost = Effect.objects.filter(state__in=(State.RUNNING, State.SENDING), lease_until__lt=late)
    yield "in flight, and rescued by nobody after the lease ran out", lost.order_by()
    undecided = Attempt.objects.filter(outcome="in_doubt", effect__state=State.IN_DOUBT).values("effect")
    long_ago = undecided.annotate(since=Max("at")).filter(since__lt=at - DOUBT_LASTS - LATE).order_by()
    yield "in doubt for longer than anybody waits", long_ago.values_list("effect", flat=True)
    waiting = Effect.objects.filter(state=State.PENDING, run_at__lt=late)
    yield "of a topic that nobody here delivers", waiting.exclude(topic__in=registry.known()).order_by()


# --- I3: order -------------------------------------------------------------------------------------------------------


@examine("I3")
def _order(at: datetime) -> Iterator[Finding]:
    """A row that a person tried again comes late by their will, and is left out."""
    given_up = Exists(Attempt.objects.filter(effect=OuterRef("pk"), outcome="dead"))
    told = _recent(mode=Mode.MESSAGE, state=State.DONE).annotate(later=_least_after("done_at", "lane"))
    yield "messages that were sent after a later one of their lane", told.filter(~given_up, later__lt=F("done_at"))
    put = _recent(mode=Mode.STATE, state=State.DONE, version__gt=0).exclude(result__has_key="unchanged")
    put = put.annotate(later=_least_after("version", "topic", "key"))
    yield (
        "projections that took their number after a later one of their object",
        put.filter(~given_up, later__lte=F("version")),
    )


def _least_after(value: str, *partition: str) -> Window:
    """The least `value` among the rows with a higher id."""
    return Window(Min(value), partition_by=[F(p) for p in partition], order_by="-pk", frame=RowRange(end=-1))


# --- I4: exclusivity -------------------------------------------------------------------------------------------------


@examine("I4")
def _exclusivity(at: datetime) -> Iterator[Finding]:
    flying = Effect.objects.filter(state__in=IN_FLIGHT).order_by().values("lane").annotate(n=Count("pk"))
    yield "lanes with more than one effect in flight", flying.filter(n__gt=1).values_list("lane", flat=True)
    waiting = Effect.objects.filter(state=State.PENDING, mode=Mode.STATE).order_by().values("lane", "topic")
    twice = waiting.annotate(n=Count("pk")).filter(n__gt=1)
    yield "lanes in which one object waits twice", twice.values_list("lane", flat=True)
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, Effect._meta.db_table)
    wanted = {constraint.name for constraint in Effect._meta.constraints}
    yield "constraints that the database has lost: run the migrations", sorted(wanted - set(there))


# --- I5, I6: numbers and copies --------------------------------------------------------------------------------------


@examine("I5")
def _no_regress(at: datetime) -> Iterator[Finding]:
    ahead = Q(applied_version__gt=F("version")) | Q(seen_version__gt=F("applied_version"))
    yield "mirrors that applied or saw a number nobody took, by id", Mirror.objects.filter(ahead).order_by()
    mirror = Mirror.objects.filter(topic=OuterRef("topic"), key=OuterRef("key"), version__lt=OuterRef("version"))
    done = _recent(mode=Mode.STATE, state=State.DONE, version__gt=0).exclude(result__has_key="unchanged")
    yield "projections whose object's number has fallen since", done.filter(Exists(mirror)).order_by()


@examine("I6")
def _convergence(at: datetime) -> Iterator[Finding]:
    open_rows = Effect.objects.filter(topic=OuterRef("topic"), key=OuterRef("key"))
    # A stuck row is not quiet: a person sees it.
    quiet = Mirror.objects.filter(
        ~Exists(open_rows.filter(state__in=UNFINISHED)), ~Exists(open_rows.filter(state=State.DEAD))
    )
    behind = quiet.exclude(version=F("applied_version"))
    yield "mirrors whose last number was never applied, though nothing is owed, by id", behind.order_by()
    yield "mirrors that differ from what would be written now, though nothing is owed, by id", _differing(quiet)


def _differing(quiet: QuerySet[Mirror]) -> Iterator[int]:
    known = quiet.filter(topic__in=registry.known(), applied_at__isnull=False).exclude(digest="")
    for mirror in known.order_by("-applied_at")[:VIEWS]:
        view = registry.topic(mirror.topic).handler.view(mirror.key)
        # Read once more: somebody may have changed the object between the two reads.
        same = Q(digest=registry.digest(view)) | ~Q(digest=mirror.digest)
        if quiet.filter(pk=mirror.pk).exclude(same).exists():
            yield mirror.pk


# --- I7: mail --------------------------------------------------------------------------------------------------------


@examine("I7")
def _said_once(at: datetime) -> Iterator[Finding]:
    messages = _recent(mode=Mode.MESSAGE).exclude(state=State.CANCELLED)
    yield "messages without a fact, which could be owed again unnoticed", messages.filter(fact=None).order_by()
    other = Effect.objects.filter(mode=Mode.STATE, state__in=(State.SENDING, State.IN_DOUBT))
    yield "states of objects that are handled as if they were messages", other.order_by()


# --- I8: finality ----------------------------------------------------------------------------------------------------


@examine("I8")
def _finality(at: datetime) -> Iterator[Finding]:
    final = _recent(state__in=FINAL).order_by()
    yield (
        "final, and without the time of it or under a lease",
        final.filter(Q(done_at=None) | Q(lease_until__isnull=False)),
    )
    yield "delivered, and claimed by nobody", final.filter(state=State.DONE, claim_no=0)
    since = Attempt.objects.filter(effect=OuterRef("pk"), claim_no__gt=OuterRef("claim_no"))
    yield "final, and tried again after that", final.filter(Exists(since))
    unfinished = Effect.objects.unfinished().order_by()
    yield "unfinished, and with the time of its end", unfinished.filter(done_at__isnull=False)
    flying = unfinished.filter(state__in=(State.RUNNING, State.SENDING))
    yield "in flight, and without owner or lease", flying.filter(Q(lease_until=None) | Q(claimed_by=""))


# --- I9, I10: bounded and visible ------------------------------------------------------------------------------------


@examine("I9")
def _bounded(at: datetime) -> Iterator[Finding]:
    open_rows = Effect.objects.filter(state__in=(*UNFINISHED, State.DEAD))
    yield "tried more often than any rule allows", open_rows.filter(attempts__gt=max(TRIES.values())).order_by()


@examine("I10")
def _visible(at: datetime) -> Iterator[Finding]:
    pending = Effect.objects.filter(state=State.PENDING).order_by()
    for_ever = pending.filter(depends_on__state__in=(State.SUPERSEDED, State.CANCELLED))
    yield "waiting for a row that will never be delivered", for_ever
    doubted = Exists(Attempt.objects.filter(effect=OuterRef("pk"), outcome="in_doubt"))
    yield "in doubt, and no history says since when", Effect.objects.filter(~doubted, state=State.IN_DOUBT).order_by()
    yield "stuck, and nothing says why", Effect.objects.filter(state=State.DEAD, last_error="").order_by()
    known = Q(state__in=State.values)
    yield "in a state that there is not", _recent().exclude(known).order_by()
