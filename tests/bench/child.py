"""What a measuring process needs: its orders, its answer, its own helpers' lives."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "MEASURED "
ROOT = Path(__file__).resolve().parents[2]


def answer(**figures: object) -> None:
    """The last line of a measuring process: what it found, for its parent."""
    figures["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(MARK + json.dumps(figures) + "\n")
    sys.stdout.flush()


def submit(one: Callable[[int], None], *, count: int, rate: float, first: int = 0) -> None:
    """As fast as it goes (rate 0), or an open loop: the next one is due whatever became of the last."""
    started = time.monotonic()
    for number in range(count):
        if rate and (pause := started + number / rate - time.monotonic()) > 0:
            time.sleep(pause)
        one(first + number)


@contextmanager
def hosted() -> Iterator[int]:
    """The host that BENCH_HOST names, with the threads that OUTBOX_THREADS names; its process id."""
    import jada.celery  # noqa: F401  (the doorbell rings at it, as in every process that serves requests)
    from jada.outbox import host  # after django.setup()

    kind = os.environ["BENCH_HOST"]
    if kind == "thread":
        stop = host.start_threads()
        yield os.getpid()
        stop.set()
        return
    worker = [sys.executable, "manage.py", "outbox_worker"]
    celery = [sys.executable, "-m", "celery", "-A", "tests.bench.celery_app", "worker", "-c", "2", "--without-gossip"]
    celery += ["--without-mingle", "-l", "ERROR"]
    with (Path(os.environ["BENCH_RUN"]) / f"{kind}.log").open("wb") as out:
        process = subprocess.Popen(
            celery if kind == "celery" else worker, cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def memory_of(pid: int) -> float:
    """MB that are resident: of the process, or of the largest of its children."""
    largest = 0.0
    for number in (pid, *_children(pid)):
        try:
            text = Path(f"/proc/{number}/smaps_rollup").read_text()
        except OSError:
            continue
        largest = max(
            largest, sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Rss:")) / 1024
        )
    return largest


def _children(pid: int) -> list[int]:
    try:
        return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
