"""What must be true when a case is over: asked of the database, of the copies outside, and of the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bookings.models import Booking
from jada.mail.models import Message
from jada.outbox import plans, registry
from jada.outbox.enums import State
from jada.outbox.invariants import violations
from jada.outbox.models import Effect, Mirror
from tests.faults.cases import Case
from tests.faults.matrix import ours
from tests.rig.client import Rig
from tests.rig.ledger import Line

OVER = {State.DONE, State.SUPERSEDED}


def judge(case: Case, rig: Rig, since: int) -> dict[str, Any]:
    lines = list(read_since(rig.ledger, since))
    mails = Counter(line.effect for line in lines if line.op == "SendEmail" and line.outcome == "accepted")
    problems = [
        *_booked(case),
        *_lost(case, mails),
        *_targets(),
        *_regress(lines),
        *_order(case, lines),
        *_alike(case, rig),
        *(str(violation) for violation in violations()),
    ]
    own = str(ours(case).pk) if case.is_message else ""
    return {"problems": problems, "mails": mails[own] if own else 0, "repeats": _repeats(lines)}


def read_since(path: Path, since: int) -> Iterator[Line]:
    """The ledger from a byte on: it grows with every case, and nobody reads it from the beginning again."""
    names = set(Line.__dataclass_fields__) - {"facts"}
    with path.open("rb") as file:
        file.seek(since)
        for raw in file:
            found = json.loads(raw)
            yield Line(**{name: found.pop(name) for name in list(found) if name in names}, facts=found)


def _booked(case: Case) -> Iterator[str]:
    if (count := Booking.objects.count()) != 1:
        yield f"{count} bookings of one request"


def _lost(case: Case, mails: Counter[str]) -> Iterator[str]:
    """Every effect is over, every mail left once: but for the case's own, of which its rule decides."""
    times, state = case.ends
    own = ours(case)
    for effect in Effect.objects.all():
        mine = own is not None and effect.pk == own.pk
        if mine and case.is_message:
            if effect.state != state:
                yield f"{effect} is {effect.state}, not {state}: {effect.last_error}"
        elif effect.state not in OVER:
            yield f"{effect} is {effect.state}: {effect.last_error}"
    for message in Message.objects.all():
        count, wanted = mails[str(message.effect_id)], times if own and message.effect_id == own.pk else 1
        if count != wanted:
            yield f"{message.kind} left {count} times, not {wanted}"


def _alike(case: Case, rig: Rig) -> Iterator[str]:
    """A second mail says that it may be one, or carries the very same link."""
    own = ours(case)
    mails = [mail for mail in rig.mails() if own and mail["tags"].get("effect") == str(own.pk)]
    if case.to == "ops" and len(mails) == 2:
        marked = [mail for mail in mails if mail["subject"].startswith("Possible repeat")]
        if len(marked) != 1:
            yield f"{len(marked)} of 2 mails to the office say that they may be a repeat"
    if case.to == "crew" and len({str(mail["links"]) for mail in mails}) > 1:
        yield "the second mail carries another link"


def _targets() -> Iterator[str]:
    """Each copy is of the last number applied, and shows what would be written now."""
    for topic in sorted(plans.topics()):
        planned = plans.planned(topic)
        assert planned is not None
        for key in planned.values_list("key", flat=True):
            projection, mirror = registry.topic(topic).handler, Mirror.objects.get(topic=topic, key=key)
            seen, wanted = projection.read_back(key), registry.digest(projection.view(key))
            if seen is None or (seen.version, seen.digest) != (mirror.applied_version, wanted):
                yield f"{topic} {key}: the copy is {seen}, applied was {mirror.applied_version}"
            if registry.topic(topic).then and mirror.seen_version != mirror.applied_version:
                yield f"{topic} {key}: v{mirror.applied_version} was never seen in public"


def _puts(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.version is not None and line.outcome == "accepted"]


def _regress(lines: list[Line]) -> Iterator[str]:
    highest: dict[str, int] = {}
    for line in _puts(lines):
        assert line.version is not None
        if line.version <= highest.get(line.key, 0):
            yield f"{line.key} fell from v{highest[line.key]} to v{line.version}"
        highest[line.key] = line.version


def _repeats(lines: list[Line]) -> int:
    return sum(count - 1 for count in Counter(line.key for line in _puts(lines)).values())


def _order(case: Case, lines: list[Line]) -> Iterator[str]:
    """The page, then its invalidation, then the guest's mail."""
    page = Mirror.objects.get(topic="guests.page").key.lower()
    put = next((line.n for line in _puts(lines) if page in line.key), 0)
    forgotten = next((line.n for line in lines if line.op == "CreateInvalidation"), 0)
    told = Message.objects.get(kind="guest.booked").effect_id
    mailed = next((line.n for line in lines if line.op == "SendEmail" and line.effect == str(told)), 0)
    never = case.to == "guest" and case.ends[0] == 0
    if not (0 < put < forgotten and (forgotten < mailed or never)):
        yield f"the page was put at {put}, forgotten by the edge at {forgotten}, mailed about at {mailed}"
