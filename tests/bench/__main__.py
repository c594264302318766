"""`python -m tests.bench`: measures, and prints what it found. Ends with 1 when a bar was missed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.bench import bars, peers, plan, report
from tests.bench.places import Databases, Places, places
from tests.bench.plan import Choice, Failed, Figures, Job

SECTIONS = ("engine", "product", "web", "peers", "growth", "memory")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers that were started end with us
    asked = _arguments()
    os.environ["OUTBOX_THREADS"] = str(asked.threads)  # of every process that is measured
    load = _load(asked)
    choice = Choice(tuple(asked.databases.split(",")), tuple(asked.hosts.split(",")), load)
    rounds = asked.rounds or (1 if asked.quick else 3)
    with places(Path(asked.folder), postgres=asked.postgres) as where:
        facts = report.context(
            where, {"rounds": f"{rounds}, interleaved", "load": _words(load), "threads of a host": str(asked.threads)}
        )
        say("# Benchmark\n\n" + "".join(f"- {name}: {value}\n" for name, value in facts) + "\n")
        jobs = list(_jobs(where, choice, asked))
        results = _measure(jobs, rounds, once=frozenset({"memory"}))
    say(f"\nload at the end: {' '.join(f'{value:.2f}' for value in os.getloadavg())}\n")
    report.figures(results)
    judged = list(bars.bars(results))
    kept = report.verdicts(judged)
    if asked.json:
        _write(Path(asked.json), facts, results, judged)
    return 0 if kept else 1


def _load(asked: argparse.Namespace) -> plan.Load:
    named = {"burst": asked.burst, "loop": asked.loop, "memory": asked.memory}
    named["sizes"] = tuple(int(size) for size in asked.sizes.split(",") if size)
    return replace(
        plan.QUICK if asked.quick else plan.Load(), **{name: value for name, value in named.items() if value}
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a small load: a look, not a figure to quote")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds (3)")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"sections of: {','.join(SECTIONS)}")
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--hosts", default="thread,worker,celery")
    parser.add_argument("--burst", type=int, default=0, help="bookings of a burst (200)")
    parser.add_argument("--loop", type=int, default=0, help="bookings of the open loop at 5/s (50)")
    parser.add_argument("--memory", type=int, default=0, help="bookings before the worker's memory is read (10000)")
    parser.add_argument("--threads", type=int, default=8, help="of a host, as OUTBOX_THREADS says it")
    parser.add_argument("--sizes", default="", help="bookings already there, such as 1,10000")
    parser.add_argument("--folder", default=str(Path(tempfile.gettempdir()) / "jada-bench"), help="on a real disk")
    parser.add_argument("--postgres", default=os.environ.get("PEER_PG", ""), help="host:port:user instead of our own")
    parser.add_argument("--peers", default=os.environ.get("PEERS", ""), help="the folder of the peers' scripts")
    parser.add_argument("--peers-python", default=os.environ.get("PEERS_PYTHON", ""))
    parser.add_argument("--json", default="", help="a file for every figure of every round")
    return parser.parse_args()


def _jobs(where: Places, choice: Choice, asked: argparse.Namespace) -> Iterator[Job]:
    databases = Databases(where)
    made = {
        "engine": lambda: plan.engine(where, databases, choice),
        "peers": lambda: peers.jobs(where, choice, asked.peers, asked.peers_python),
        "growth": lambda: plan.growth(where, databases, choice),
        "product": lambda: plan.product(where, databases, choice),
        "web": lambda: plan.web(where, databases, choice),
        "memory": lambda: plan.memory(where, databases, choice),
    }
    for section in SECTIONS:
        if section in asked.only.split(","):
            yield from plan.beside_raw(made[section](), list(plan.raw(where, choice)))


def _measure(jobs: list[Job], rounds: int, *, once: frozenset[str]) -> report.Results:
    results: report.Results = {}
    for skipped in (job for job in jobs if job.skip):
        say(f"{skipped.skip}\n")
    wanted = [job for job in jobs if not job.skip]
    for number in range(rounds):
        of_this = [job for job in wanted if not number or job.name[0] not in once]
        found, ended = _round(of_this, f"round {number + 1}/{rounds}")
        for name, measured in found.items():
            results.setdefault(name, []).append(report.merged(measured))
        if ended:
            break
    return results


def _round(jobs: list[Job], title: str) -> tuple[dict[tuple[str, ...], list[Figures]], bool]:
    """Every job once; and whether somebody ended it: what was measured until then is still worth a report."""
    found: dict[tuple[str, ...], list[Figures]] = {}
    for place, job in enumerate(jobs, 1):
        say(f"[{time.strftime('%T')}] {title}, {place}/{len(jobs)}: {', '.join(job.name)} … ")
        try:
            figures = job.measure()
        except Failed as failure:
            say(f"FAILED: {failure}\n")
        except (KeyboardInterrupt, SystemExit):
            say("ended\n")
            return found, True
        else:
            found.setdefault(job.name, []).append(figures)
            say(_in_short(figures) + "\n")
    return found, False


def _in_short(found: dict[str, float]) -> str:
    shown = (
        ("per_s", "/s"),
        ("p50", " ms p50"),
        ("p95", " ms p95"),
        ("apart95", " ms p95 independent"),
        ("chain95", " ms p95 chain"),
        ("host_mb", " MB"),
        ("lost", " lost"),
        ("twice", " twice"),
    )
    return ", ".join(f"{found[name]:.1f}{unit}".replace(".0 ", " ") for name, unit in shown if name in found)


def _words(load: plan.Load) -> str:
    return f"burst of {load.burst}; open loop of {load.loop} at {load.rate:g}/s; raw {load.raw}"


def _write(file: Path, facts: list, results: report.Results, judged: list[report.Bar]) -> None:
    found = {
        "context": dict(facts),
        "figures": [{"name": list(name), "rounds": rounds} for name, rounds in results.items()],
        "bars": [
            {"bar": b.what, "measured": b.measured, "limit": f"{b.sign} {b.limit}", "verdict": b.verdict}
            for b in judged
        ],
    }
    file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
