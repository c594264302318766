"""The judge: two append-only files outside every database. A line is one commit, or one effect that happened.

Times are CLOCK_MONOTONIC, the one clock of all processes of a machine.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path


def folder() -> Path:
    return Path(os.environ["BENCH_RUN"])


def effect(booking: object, kind: str) -> None:
    _append("effects.log", f"{booking}:{kind} {time.monotonic_ns()}\n")


def commit(booking: object) -> None:
    """Called by the producer as soon as its COMMIT has returned."""
    _append("commits.log", f"{booking} {time.monotonic_ns()}\n")


def _append(name: str, line: str) -> None:
    handle = os.open(folder() / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def forget() -> None:
    for name in ("effects.log", "commits.log"):
        (folder() / name).unlink(missing_ok=True)


def read(name: str) -> dict[str, list[int]]:
    found = defaultdict(list)
    if (folder() / name).exists():
        for line in (folder() / name).read_text().splitlines():
            key, at = line.split()
            found[key].append(int(at))
    return found


def lines(name: str) -> int:
    file = folder() / name
    return file.read_bytes().count(b"\n") if file.exists() else 0


def wait_for(effects: int, *, seconds: float) -> bool:
    """Until so many effects happened, or no more time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if lines("effects.log") >= effects and len(read("effects.log")) >= effects:
            return True
        time.sleep(0.05)
    return False


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def judge(kinds: tuple[str, ...]) -> dict[str, float]:
    """What the logs say of a run: lost, twice, bookings a second, and ms from a commit to the last of its effects."""
    happened, commits = read("effects.log"), read("commits.log")
    owed = {f"{booking}:{kind}" for booking in commits for kind in kinds}
    latencies = [
        (max(happened[f"{booking}:{kind}"][0] for kind in kinds) - at[0]) / 1e6
        for booking, at in commits.items()
        if all(f"{booking}:{kind}" in happened for kind in kinds)
    ]
    last, first = max((at[0] for at in happened.values()), default=0), min(at[0] for at in commits.values())
    return {
        "bookings": len(commits),
        "lost": len(owed - set(happened)),
        "twice": sum(len(at) - 1 for at in happened.values()),
        "per_s": len(commits) / ((last - first) / 1e9) if last > first else 0.0,
        "p50": percentile(latencies, 0.5),
        "p95": percentile(latencies, 0.95),
    }
