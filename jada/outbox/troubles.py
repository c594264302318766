"""Why an effect is not delivered yet: one word for each row, and what a person can do about it.

One definition for the Deliveries page, `/health/ready`, `/metrics` and the menu's counts. It looks at open rows only,
which the index by state finds however many are done.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import models
from django.db.models import Case, CharField, Count, Exists, Min, Q, QuerySet, Value, When

from jada.outbox import registry
from jada.outbox.breakers import FAILURES
from jada.outbox.enums import UNFINISHED, Cause, State
from jada.outbox.models import Breaker, Effect

LATE: Final = timedelta(minutes=2)  # a due row that waits longer has found no worker
OPEN: Final = (*UNFINISHED, State.DEAD)
NEVER_COMES: Final = (State.DEAD, State.IN_DOUBT, State.CANCELLED, State.SUPERSEDED)  # as far as its waiters see
STEPS: Final = 3  # from a guest's mail to the put it waits for: live, fresh at the edge, written


class Trouble(models.TextChoices):
    """In the order of the page: what holds up everything first, what is in order last."""

    LATE = "late", "Late"
    UNKNOWN = "unknown", "Topic unknown here"
    CONFIGURATION = "configuration", "Configuration"
    RESTORED = "restored", "Copies newer than the database"
    IN_DOUBT = "in_doubt", "In doubt"
    REFUSED = "refused", "Refused"
    BUG = "bug", "Error of the program"
    GAVE_UP = "gave_up", "No answer for three days"
    BLOCKED = "blocked", "Blocked"
    SERVICE = "service", "Waiting for its service"
    ON_ITS_WAY = "on_its_way", "On its way"


WHAT_TO_DO: Final = {
    Trouble.LATE: "Due for more than two minutes, and nobody takes it: see that the worker runs.",
    Trouble.UNKNOWN: "No handler here knows the topic. It waits for a worker that does: finish the deployment, or drop it.",
    Trouble.CONFIGURATION: "A setting or a permission is wrong, so none would get through. Mend it, then retry them all.",
    Trouble.RESTORED: "The database is older than its copies: run `manage.py outbox_restored`, then retry them all.",
    Trouble.IN_DOUBT: "It may have been sent. Ask the recipient: then say that it arrived, or send it again.",
    Trouble.REFUSED: "The other side said no to this one. Correct what it names, then retry it.",
    Trouble.BUG: "The program fails on it. Tell the engineer its number; retry it after the repair.",
    Trouble.GAVE_UP: "The other side did not answer for 72 hours. Retry it when the service is back.",
    Trouble.BLOCKED: "It waits for another delivery that is stuck. Set that one right; this one follows by itself.",
    Trouble.SERVICE: "The other side is busy or away. It is tried again by itself, up to 72 hours.",
    Trouble.ON_ITS_WAY: "Nothing to do.",
}

_OF_A_STUCK_ROW: Final = {
    Cause.CONFIGURATION: Trouble.CONFIGURATION,
    Cause.RESTORED: Trouble.RESTORED,
    Cause.IN_DOUBT: Trouble.IN_DOUBT,
    Cause.REFUSED: Trouble.REFUSED,
    Cause.RETRY: Trouble.GAVE_UP,
}


@dataclass(frozen=True)
class Group:
    """The open rows of one trouble. `oldest` is when the first of them was owed."""

    trouble: Trouble
    count: int
    oldest: datetime


def open_effects() -> QuerySet[Effect]:
    """Everything that is neither delivered nor given away: on its way, late, waiting, stuck."""
    return Effect.objects.filter(state__in=OPEN)


def with_trouble(rows: QuerySet[Effect], at: datetime) -> QuerySet[Any]:
    """Each row with its `trouble` ("" once it is final) and the trouble's `rank` on the page."""
    ranks = [When(trouble=trouble.value, then=Value(rank)) for rank, trouble in enumerate(Trouble)]
    return rows.annotate(trouble=_trouble(at)).annotate(
        rank=Case(*ranks, default=Value(len(ranks)), output_field=models.IntegerField())
    )


def groups(at: datetime) -> list[Group]:
    """What is open, by trouble, in the order of the page. One query over the open rows."""
    found = (
        with_trouble(open_effects(), at).order_by().values("trouble").annotate(n=Count("pk"), first=Min("created_at"))
    )
    by_name = {row["trouble"]: row for row in found}
    return [Group(t, by_name[t]["n"], by_name[t]["first"]) for t in Trouble if t in by_name]


def blocker_of(row: Effect) -> Effect | None:
    """The stuck row that this one waits for, along its prerequisites; None if nothing of them is stuck."""
    before = row.depends_on
    for _ in range(STEPS):
        if before is None or before.state in NEVER_COMES:
            return before
        before = before.depends_on
    return None


def _trouble(at: datetime) -> Case:
    """Lanes are looked up in sets made once, not row by row: a backlog that the planner has not counted yet would
    otherwise cost its square.
    """
    pending = Q(state=State.PENDING)
    lanes = Effect.objects.order_by().values("lane")
    in_doubt = Q(lane__in=lanes.filter(state=State.IN_DOUBT))
    not_answered = Q(cause=Cause.RETRY) | Q(lane__in=lanes.filter(state=State.PENDING, cause=Cause.RETRY))
    in_turn = Q(pk__in=lanes.filter(state__in=UNFINISHED).annotate(head=Min("pk")).values("head"))
    is_free = Q(depends_on=None) | Q(depends_on__state=State.DONE)
    late = pending & Q(run_at__lte=at - LATE) & is_free & in_turn
    abandoned = Q(state__in=(State.RUNNING, State.SENDING), lease_until__lt=at - LATE)
    return Case(
        *(When(state=State.DEAD, cause=cause, then=Value(t.value)) for cause, t in _OF_A_STUCK_ROW.items()),
        When(state=State.DEAD, then=Value(Trouble.BUG.value)),
        When(state=State.IN_DOUBT, then=Value(Trouble.IN_DOUBT.value)),
        When(pending & (~Q(topic__in=registry.known()) | Q(cause=Cause.UNKNOWN)), then=Value(Trouble.UNKNOWN.value)),
        When(pending & (_waits_for_stuck() | in_doubt), then=Value(Trouble.BLOCKED.value)),
        When(pending & (not_answered | _rests()), then=Value(Trouble.SERVICE.value)),
        When(late | abandoned, then=Value(Trouble.LATE.value)),
        When(state__in=UNFINISHED, then=Value(Trouble.ON_ITS_WAY.value)),
        default=Value(""),
        output_field=CharField(),
    )


def _rests() -> Q:
    """Of a service whose breaker is open: not claimed, though due, and no fault of the worker's."""
    topics = defaultdict(list)
    for topic in registry.topics():
        topics[topic.service].append(topic.name)
    found = Q(pk__in=())
    for service, names in sorted(topics.items()):
        found |= Q(Exists(Breaker.objects.filter(service=service, failures__gte=FAILURES)), topic__in=names)
    return found


def _waits_for_stuck() -> Q:
    found = Q()
    path = "depends_on"
    for _ in range(STEPS):
        found |= Q(**{f"{path}__state__in": NEVER_COMES})
        path += "__depends_on"
    return found
