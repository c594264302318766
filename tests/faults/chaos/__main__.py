"""`python -m tests.faults.chaos --seed 7 --bookings 300 --rate 25 --db postgres --host worker`; `make faults` runs all."""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.chaos.company import NOBODY, Company, Office
from tests.faults.chaos.haste import BACKOFF_CAP, DOUBT, LEASE, SWEEP
from tests.faults.chaos.judge import Verdict, judge
from tests.faults.chaos.machine import Postgres, Redis, until
from tests.faults.chaos.monkey import Monkey
from tests.faults.chaos.season import Season
from tests.rig.client import running

DRAIN = 150.0  # seconds until nothing is owed any more
BOUND = LEASE + BACKOFF_CAP + DOUBT + SWEEP


@dataclass(frozen=True)
class Options:
    seed: int
    bookings: int = 300
    rate: float = 25.0
    db: str = "sqlite"
    host: str = "worker"

    @property
    def name(self) -> str:
        return f"{self.db}-{self.host}"


# The two defaults of the product at full speed, the other ways to run it at less: all of them in minutes.
EVERY = (
    Options(0, 300, 25.0, "sqlite", "worker"),
    Options(0, 90, 9.0, "sqlite", "thread"),
    Options(0, 90, 9.0, "postgres", "worker"),
    Options(0, 300, 25.0, "postgres", "celery"),
)


def run(options: Options, folder: Path) -> Verdict:
    """One season in this folder, from an empty database to the verdict."""
    with contextlib.ExitStack() as stack:
        rig = stack.enter_context(running(folder / "ledger.jsonl"))
        rig.habits(seed=options.seed, hidden=DOUBT / 4)  # what a killed poller held comes back before the doubt ends
        postgres = redis = None
        database = f"sqlite:///{folder / 'chaos.sqlite3'}"
        if options.db == "postgres":
            postgres = Postgres()
            stack.callback(postgres.remove)
            postgres.make()
            database = postgres.url
        if options.host == "celery":
            redis = Redis(folder / "redis")
            stack.callback(redis.refuse)
            redis.start()
        company = Company(options.host, folder, rig, database, broker=redis.url if redis else NOBODY)
        company.prepare()
        stack.callback(company.close)
        company.open()
        office = Office(company)
        stack.callback(office.close)
        season = Season(company, office, bookings=options.bookings, rate=options.rate, seed=options.seed)
        monkey = Monkey(company, postgres=postgres, redis=redis, seed=options.seed)
        begun = time.monotonic()
        season.begin()
        monkey.start()
        season.run()
        monkey.rest()
        quiet, backlog = time.time(), office.act("left")
        decided = drain(company, office, seconds=DRAIN + options.bookings / 2)
        written = rig.lines()  # before the judge reads the copies
        verdict = judge(
            season.trips, company.ask("judge"), written, late_after=quiet + BOUND, clocks=bool(monkey.did["clock"])
        )
    verdict.facts["faults"] = ", ".join(f"{name} {count}" for name, count in sorted(monkey.did.items()))
    verdict.facts["asked a person"] = ", ".join(f"{name} {count}" for name, count in decided.items())
    verdict.facts["owed when the faults ended"] = backlog
    verdict.facts["drained after"] = f"{time.time() - quiet:.0f} s"
    verdict.facts["seconds"] = f"{time.monotonic() - begun:.0f}"
    return verdict


def drain(company: Company, office: Office, *, seconds: float) -> dict[str, int]:
    """Until nothing is owed. Meanwhile a person decides about what is stuck, asking those who know: others wait for it.

    What is owed after `seconds` stays so: the judge names it.
    """
    decided = Counter[str]()

    def over() -> bool:
        if office.act("stuck"):
            taken = [line.effect for line in company.rig.lines("ses", "SendEmail", "accepted")]
            decided.update(office.act("decide", arrived=[int(pk) for pk in set(taken) if pk]) or {})
        return office.act("left") == 0 and office.act("stuck") == 0

    try:
        until(over, "An empty outbox", seconds=seconds, pause=0.3)
    except TimeoutError:
        decided["in vain, for it did not drain"] += 1
    return dict(decided)


def shown(options: Options, verdict: Verdict) -> str:
    lines = [f"{name:>32}  {value}" for name, value in verdict.facts.items()]
    lines += [f"{'allowed repeat':>32}  {each}" for each in verdict.allowed]
    for name in (
        "lost",
        "differ after reconcile",
        "order",
        "regress",
        "mails twice",
        "answers",
        "acts",
        "outbox_check",
    ):
        verdict.faults.setdefault(name, [])
    for name, found in verdict.faults.items():
        lines.append(f"{name:>32}  {len(found)}")
        lines += [f"{'':>32}  - {each}" for each in found[:12]]
    lines.append(f"{'verdict':>32}  {'holds' if verdict.holds else 'BROKEN'}")
    return "\n".join(lines)


COLUMNS = (
    "bookings",
    "effects owed",
    "lost",
    "late",
    "twice: copies",
    "mails",
    "out of order",
    "differ",
    "else",
    "  seed",
)


def summary(verdicts: list[tuple[Options, Verdict]]) -> str:
    """A line a season. Twice: a copy was written again as it was; a mail left again as its rule allows, or not."""
    lines = [f"{'season':>16}" + "".join(f"{name:>{len(name) + 2}}" for name in COLUMNS)]
    for options, verdict in verdicts:
        counts = {name: len(found) for name, found in verdict.faults.items()}
        again = len(verdict.allowed) + counts["mails twice"]
        known = ("lost", "mails twice", "order", "differ after reconcile")
        row = (
            verdict.facts["bookings"], verdict.facts["effects owed"], counts["lost"], verdict.facts["late"],
            verdict.facts["of them repeats of one state"], again, counts["order"], counts["differ after reconcile"],
            sum(count for name, count in counts.items() if name not in known), options.seed,
        )  # fmt: skip
        values = (f"{value:>{len(name) + 2}}" for name, value in zip(COLUMNS, row, strict=True))
        lines.append(f"{options.name:>16}" + "".join(values) + ("" if verdict.holds else "  BROKEN"))
    return "\n".join(lines)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends us ends what we have started
    parser = argparse.ArgumentParser(description="A season of bookings while everything breaks.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--bookings", type=int, default=Options.bookings)
    parser.add_argument("--rate", type=float, default=Options.rate, help="bookings a second")
    parser.add_argument("--db", choices=("sqlite", "postgres"), default=Options.db)
    parser.add_argument("--host", choices=("worker", "celery", "thread"), default=Options.host)
    parser.add_argument(
        "--all", action="store_true", help="a season on each database with each host there; heeds the seed alone"
    )
    parser.add_argument("--keep", type=Path, help="an empty folder for logs, database and ledger")
    asked = vars(parser.parse_args())
    every, keep = asked.pop("all"), asked.pop("keep")
    first = Options(**asked)
    seasons = [replace(each, seed=first.seed) for each in EVERY] if every else [first]
    verdicts = [(options, told(options, keep / options.name if keep and every else keep)) for options in seasons]
    sys.stdout.write(summary(verdicts) + "\n")
    sys.exit(0 if all(verdict.holds for _, verdict in verdicts) else 1)


def told(options: Options, keep: Path | None) -> Verdict:
    """Run one season and print its table; the seed stands first and last."""
    sys.stdout.write(f"{options}\n")
    sys.stdout.flush()
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jada-chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        verdict = run(options, folder)
    sys.stdout.write(f"{shown(options, verdict)}\n{'seed':>32}  {options.seed}\n\n")
    sys.stdout.flush()
    return verdict


if __name__ == "__main__":
    main()
