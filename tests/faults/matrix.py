"""The failpoint matrix: a booking is made and delivered by a process that fails at one place, another one finishes.

`python -m tests.faults.matrix` plays every case on the database of DATABASE_URL and prints a table; words after it
choose cases (`mail.message kill`). FAULTS_LOUD=1 lets the processes say what they log.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

if TYPE_CHECKING:
    from tests.faults.cases import Case
    from tests.faults.stage import Mouth
    from tests.rig.client import Rig

PARKED = timedelta(hours=1)  # less than `pass_time` moves on
ROUNDS = 8
OUR_ID = "fault-matrix"


@dataclass(frozen=True)
class Verdict:
    case: Case
    fired: bool
    problems: tuple[str, ...]
    mails: int
    repeats: int  # writes of an object beyond the first of each of its states
    seconds: float


# --- what the processes do -------------------------------------------------------------------------------------------


def book(case: Case) -> None:
    """A client that asks for a booking under its key; asking again is asking once."""
    from django.utils.timezone import now

    from bookings.models import Vessel
    from bookings.services import TripDetails
    from bookings.services import book as make
    from jada.audit.actors import SYSTEM
    from jada.outbox.requests import once

    def act() -> tuple[int, dict[str, Any]]:
        at = now()
        starts = at.replace(hour=20, minute=0, second=0, microsecond=0) + timedelta(days=30)
        trip = TripDetails(
            vessel=Vessel.objects.order_by("pk")[0],
            starts_at=starts,
            ends_at=starts + timedelta(hours=3),
            party_size=4,
            guest_name="Dana Whit",
            guest_email="dana@guest.example",
        )
        return 201, {"id": make(channel="direct", trip=trip, by=SYSTEM, at=at).public_id}

    once(scope="faults", key=OUR_ID, request={"trip": "the same"}, act=act)


def order(case: Case, mouth: Mouth, *, nth: int = 1) -> None:
    from jada.outbox import failpoints

    do = failpoints._do

    def told(action: str, name: str) -> None:
        mouth.fired()
        do(action, name)

    failpoints._do = told
    failpoints.stand_still = mouth.stand_still
    failpoints.forget()
    os.environ["FAILPOINT"] = f"{case.failpoint}:{case.action}:{nth}"


def ours(case: Case) -> Any:
    """The row of the case: the first of its kind."""
    from jada.mail.models import Message
    from jada.outbox.models import Effect

    rows = Effect.objects.filter(topic=case.topic).order_by("pk")
    if case.is_message:
        rows = rows.filter(pk__in=Message.objects.filter(kind=case.letter).values("effect"))
    return rows.first()


def failing(case: Case) -> Callable[[Mouth], None]:
    """The process in which the fault is ordered, from the client's request to the place where it fails."""
    from django.conf import settings

    from jada.outbox import host, sweep
    from tests.faults import cases, stage

    def live(mouth: Mouth) -> None:
        if case.action == "hang":
            # All of the process stands still. A second thread that goes on would find its own leases moved into the
            # past by `pass_time`, as no living worker ever does, and what it is sending would be taken for abandoned.
            settings.OUTBOX_THREADS = 1
        if case.failpoint in cases.ACT and not case.is_step:
            order(case, mouth, nth=nth_insert(case) if case.failpoint == "after_insert" else 1)
            book(case)
        else:
            book(case)
            come_to(case.before if case.failpoint in cases.ACT else case)
            if case.failpoint in cases.SWEEP:
                abandon()
                stage.pass_time(PARKED / 2)
                order(case, mouth)
                sweep.sweep()
            else:
                order(case, mouth, nth=nth_request(case) if case.failpoint == "request_written" else 1)
                host.drain_together()
        mouth.say("ended")

    return live


def nth_insert(case: Case) -> int:
    """Which of the inserts of a booking is the case's own; they come in the same order each time."""
    return {"crew": 1, "crew.event": 4, "guests.page": 5, "guests.slug": 6, "guest": 7, "ops": 8}[case.to or case.topic]


def nth_request(case: Case) -> int:
    """Which of the requests of a delivery is the one that counts: a page is put after its calendar file."""
    return 2 if case.topic == "guests.page" else 1


def come_to(case: Case) -> None:
    """Deliver what has to be there before, and let everything else wait."""
    from django.utils.timezone import now

    from jada.outbox.delivery import claim, run
    from jada.outbox.enums import State
    from jada.outbox.models import Effect

    for _ in range(ROUNDS):
        own, waiting = ours(case), Effect.objects.filter(state=State.PENDING)
        waiting.update(run_at=now() + PARKED)
        first = own or Effect.objects.get(topic="guests.page")  # the steps come of it
        while first.depends_on is not None and first.depends_on.state != State.DONE:
            first = first.depends_on
        if first.state == State.DONE:  # its steps are there by now
            first = Effect.objects.filter(state=State.PENDING, topic__in=("guests.page_edge", "guests.page_seen"))[0]
        waiting.filter(pk=first.pk).update(run_at=now())
        if own and first.pk == own.pk:
            return
        (taken,) = claim(limit=1)
        run(taken)
    raise AssertionError(f"{case}: its turn did not come")


def abandon() -> None:
    """Claim as a worker does that dies the next moment."""
    from jada.outbox.delivery import claim

    assert len(claim(limit=1)) == 1


def recovering(case: Case, *, again: bool) -> Callable[[Mouth], None]:
    """A clean process: the client asks again if it had no answer, time passes, somebody sweeps and delivers."""
    from jada.outbox import host, sweep
    from jada.outbox.models import Effect
    from tests.faults import stage

    def live(mouth: Mouth) -> None:
        if again:
            book(case)
        for _ in range(ROUNDS):
            stage.pass_time()
            sweep.sweep()
            host.drain()
            if not Effect.objects.unfinished().exists():
                break
        mouth.say("recovered")

    return live


def judging(case: Case, rig: Rig, since: int) -> Callable[[Mouth], None]:
    from tests.faults.judge import judge

    def live(mouth: Mouth) -> None:
        mouth.say(judge(case, rig, since))

    return live


# --- one case, all cases ---------------------------------------------------------------------------------------------


def play(case: Case, rig: Rig, reset: Callable[[], None]) -> Verdict:
    from tests.faults import cases, stage

    begun, since = time.monotonic(), rig.ledger.stat().st_size
    reset()
    rig.reset()
    first = stage.fork(failing(case))
    answered = case.failpoint not in cases.ACT or first.said == "ended"
    second = stage.fork(recovering(case, again=not answered))
    if first.stands:
        first.wake()
        second = stage.fork(recovering(case, again=False))
    problems = [life.said["crashed"] for life in (second,) if isinstance(life.said, dict)]
    if first.fired != case.passes:
        problems.append("the fault did not come true" if case.passes else "it came by a place where it never should")
    if case.action == "kill" and first.fired and not first.killed:
        problems.append("it was to be killed and was not")
    found = stage.fork(judging(case, rig, since)).said
    problems += found.get("problems", [found.get("crashed", "")])
    seconds = time.monotonic() - begun
    return Verdict(case, first.fired, tuple(problems), found.get("mails", 0), found.get("repeats", 0), seconds)


def rehearse(case: Case, rig: Rig) -> None:
    """The whole of it once, without a fault."""
    from jada.outbox import host
    from tests.faults.judge import judge

    book(case)
    host.drain()
    judge(case, rig, 0)


def run(chosen: list[Case]) -> Iterator[Verdict]:
    from jada.console import demo
    from tests.faults import stage
    from tests.rig.client import running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "ledger.jsonl") as rig:
        stage.live_in(rig.environment)
        with stage.database(demo.lay_out_fleet) as reset:
            stage.warm(lambda: rehearse(chosen[0], rig))
            for case in chosen:
                yield play(case, rig, reset)


def choose(words: list[str]) -> list[Case]:
    from tests.faults import cases

    if words == ["slice"]:
        return cases.a_slice()
    return [case for case in cases.every() if all(word in str(case).split() for word in words)]


def main() -> None:
    import django

    parser = argparse.ArgumentParser(description="Every kind of effect × failpoint × action.")
    parser.add_argument("words", nargs="*", help="only cases that have these words; `slice` for the short run")
    words = parser.parse_args().words
    django.setup()
    verdicts = []
    for verdict in run(choose(words)):
        verdicts.append(verdict)
        for problem in verdict.problems:
            sys.stdout.write(f"WRONG {verdict.case}: {problem}\n")
            sys.stdout.flush()
    sys.stdout.write(table(verdicts) + "\n")
    sys.exit(1 if any(verdict.problems for verdict in verdicts) else 0)


def table(verdicts: list[Verdict]) -> str:
    """Cases by kind; then every mail that left twice, which only the rule of its kind may allow."""
    wrong, fired, repeats = Counter[str](), Counter[str](), Counter[str]()
    for verdict in verdicts:
        wrong[verdict.case.kind] += bool(verdict.problems)
        fired[verdict.case.kind] += verdict.fired
        repeats[verdict.case.kind] += verdict.repeats
    lines = [f"{'kind':22}{'cases':>7}{'failed at':>11}{'repeats':>9}{'wrong':>7}"]
    for kind, count in Counter(verdict.case.kind for verdict in verdicts).items():
        lines.append(f"{kind:22}{count:7}{fired[kind]:11}{repeats[kind]:9}{wrong[kind]:7}")
    lines += [f"mailed twice, as its rule allows: {v.case}" for v in verdicts if v.mails > 1]
    seconds = sum(verdict.seconds for verdict in verdicts)
    lines.append(f"{len(verdicts)} cases, {sum(wrong.values())} wrong, {seconds:.0f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
