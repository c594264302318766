"""The real product: `book()`, every real handler, boto3 over HTTP to strict fakes that take so many ms for each call.

`python -m tests.bench.product COUNT RATE DELAY_MS`; the database by DATABASE_URL, the host by BENCH_HOST. With
`profile COUNT` instead it shows where the time of the handlers and of `book()` goes.

Times run from the return of `book()` to the record of the effect, which is after its answer came back. The chain (put,
invalidation, seen live, the guest's mail) waits link by link and stands apart from what is independent.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import django

from tests.bench import company, log
from tests.bench.child import answer, hosted, memory_of, submit
from tests.rig.client import Rig, running

if TYPE_CHECKING:
    from datetime import datetime

CHAIN = ("guests.page_edge", "guests.page_seen")
WARM = 3  # bookings before the clock runs


def main(count: int, rate: float, delay: float) -> None:
    ledger = log.folder() / "ledger.jsonl"
    ledger.unlink(missing_ok=True)
    with running(ledger) as rig:
        _begin(rig)
        fleet = company.lay_out(count + WARM)
        committed: dict[str, datetime] = {}
        durations: list[float] = []
        one = _booker(fleet, committed, durations)
        with hosted() as pid:
            submit(one, count=WARM, rate=0)
            if not _wait(seconds=60):
                raise SystemExit("The host did not deliver the first bookings within a minute: see its log.")
            committed.clear()
            durations.clear()
            at_first = memory_of(pid)
            if delay:
                rig.order("delay", times=None, seconds=delay / 1000)
            submit(one, count=count, rate=rate, first=WARM)
            _wait(seconds=max(300, count))
            figures = _judge(rig, committed)
            answer(**figures, book50=log.percentile(durations, 0.5), host_mb=memory_of(pid), first_mb=at_first)


def _begin(rig: Rig) -> None:
    """Our settings and the SDK speak to the fakes; nobody reports what became of a mail, and no rate is kept."""
    os.environ.update(rig.environment, BENCH_GUEST_URL=rig.url, SES_SEND_RATE="0")
    for name in ("MAIL_EVENTS_QUEUE_URL", "MAIL_EVENTS_TOPIC_ARN"):
        os.environ.pop(name, None)
    rig.habits(events="withhold")
    django.setup()


def _booker(fleet: list, committed: dict, durations: list[float]):
    from django.utils.timezone import now

    def one(number: int) -> None:
        begun = time.perf_counter()
        booking = company.book_trip(fleet, number)
        committed[booking.public_id] = now()
        durations.append((time.perf_counter() - begun) * 1000)

    return one


def _wait(*, seconds: float) -> bool:
    """Until nothing is owed any more, or no more time."""
    from jada.outbox.models import Effect

    deadline = time.monotonic() + seconds
    while Effect.objects.unfinished().exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _judge(rig: Rig, committed: dict[str, datetime]) -> dict[str, float]:
    from jada.mail.models import Message
    from jada.outbox.enums import State
    from jada.outbox.models import Effect

    rows = defaultdict(list)
    for row in Effect.objects.only("topic", "key", "subject", "state", "done_at"):
        rows[row.subject.rpartition(":")[2]].append(row)
    guests = set(Message.objects.filter(kind="guest.booked").values_list("effect_id", flat=True))
    apart, chain = [], []
    for public_id, at in committed.items():
        done = [row for row in rows[public_id] if row.state == State.DONE]
        linked = [row for row in done if row.topic in CHAIN or row.pk in guests]
        apart.append(max(_ms(row.done_at, at) for row in done if row not in linked))
        chain.append(max(_ms(row.done_at, at) for row in linked))
    mine = [row for public_id in committed for row in rows[public_id]]
    wall = (max(row.done_at for row in mine) - min(committed.values())).total_seconds()
    return {
        "bookings": len(committed),
        "per_s": len(committed) / wall,
        "apart50": log.percentile(apart, 0.5),
        "apart95": log.percentile(apart, 0.95),
        "chain50": log.percentile(chain, 0.5),
        "chain95": log.percentile(chain, 0.95),
        "lost": _lost(rig, mine),
        "twice": _twice(rig),
        "effects": len(mine) / len(committed),
    }


def _ms(done: datetime, since: datetime) -> float:
    return (done - since).total_seconds() * 1000


def _lost(rig: Rig, rows: list) -> int:
    """Owed by our rows and not in the ledger: an item, a page, a mail."""
    taken = {line.key for line in rig.lines(op="PutItem")} | {line.effect for line in rig.lines(op="SendEmail")}
    taken |= {line.key for line in rig.lines(op="PutObject")}
    owed = [row.key for row in rows if row.topic == "crew.event"]
    owed += [str(row.pk) for row in rows if row.topic == "mail.message"]
    owed += [f"g/{row.key.lower()}.html" for row in rows if row.topic == "guests.page"]
    return len([key for key in owed if key not in taken]) + sum(row.state != "done" for row in rows)


def _twice(rig: Rig) -> int:
    mails = [line.effect for line in rig.lines(op="SendEmail", outcome="accepted")]
    items = [(line.key, line.version) for line in rig.lines(op="PutItem", outcome="accepted")]
    return len(mails) - len(set(mails)) + len(items) - len(set(items))


def profile(count: int) -> None:
    """One thread, everything in turn: first `book()`, then the handlers, by their own time and by what they call."""
    ledger = Path(log.folder() / "ledger.jsonl")
    ledger.unlink(missing_ok=True)
    with running(ledger) as rig:
        _begin(rig)
        from jada.outbox import host

        fleet = company.lay_out(count + 1)
        company.book_trip(fleet, 0)
        host.drain()
        for what, act in (
            ("book()", lambda: [company.book_trip(fleet, number + 1) for number in range(count)]),
            ("handlers", host.drain),
        ):
            profiler = cProfile.Profile()
            profiler.runcall(act)
            sys.stdout.write(f"\n== {what}, {count} bookings\n")
            statistics = pstats.Stats(profiler, stream=sys.stdout)
            statistics.sort_stats("cumulative").print_stats(r"jada|guests|crew|bookings|botocore|jinja|anymail", 60)
            statistics.sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    if sys.argv[1] == "profile":
        profile(int(sys.argv[2]))
    else:
        main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
