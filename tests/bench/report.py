"""What was found: the context, the figures as medians with their range, and each bar beside its measured value."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.places import ROOT, Places

Name = tuple[str, ...]
Results = dict[Name, list[dict[str, float]]]


@dataclass(frozen=True)
class Bar:
    """`measured` stands against `limit`; both are of the same rounds. None: it was not measured."""

    what: str
    measured: float | None
    sign: str
    limit: float
    unit: str = ""
    beside: str = ""

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "SKIP"
        kept = self.measured >= self.limit if self.sign == "≥" else self.measured <= self.limit
        return "PASS" if kept else "MISS"


def context(places: Places, chosen: dict[str, str]) -> list[tuple[str, str]]:
    packages = ("Django", "psycopg", "celery", "boto3")
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return [
        ("date", time.strftime("%Y-%m-%d %H:%M %Z")),
        ("commit", _output("git", "describe", "--always", "--dirty", cwd=ROOT)),
        ("machine", f"{os.cpu_count()} × {_processor()}, load {load}, {platform.system()} {platform.release()}"),
        ("disk", _disk(places.folder)),
        (
            "python",
            f"{platform.python_version()}; " + ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages),
        ),
        ("SQLite", f"{sqlite3.sqlite_version}, WAL, synchronous=FULL, BEGIN IMMEDIATE"),
        ("PostgreSQL", _postgres(places)),
        *chosen.items(),
    ]


def _postgres(places: Places) -> str:
    shown = {name: places.sql(f"show {name}") for name in ("server_version", "fsync", "synchronous_commit")}
    return f"{shown['server_version']}, fsync {shown['fsync']}, synchronous_commit {shown['synchronous_commit']}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _disk(folder: Path) -> str:
    kind = _output("stat", "-f", "-c", "%T", str(folder))
    return f"{kind} (a commit costs nothing there: name a --folder on a real disk)" if kind == "tmpfs" else kind


def _output(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def merged(measured: list[dict[str, float]]) -> dict[str, float]:
    """One round's figures of what was measured more than once in it."""
    return {figure: median(found[figure] for found in measured) for figure in measured[0]}


def middle(results: Results, name: Name, figure: str) -> float | None:
    found = [round_[figure] for round_ in results.get(name, ()) if round_.get(figure) is not None]
    return median(found) if found else None


def ratio(results: Results, name: Name, other: Name, figure: str) -> float | None:
    """The median of the rounds' own ratios: both were measured within minutes of each other."""
    pairs = zip(results.get(name, ()), results.get(other, ()), strict=False)
    found = [one[figure] / two[figure] for one, two in pairs if two.get(figure) and one.get(figure) is not None]
    return median(found) if found else None


def table(rows: Iterable[tuple[str, ...]], heads: tuple[str, ...], out: Callable[[str], object]) -> None:
    rows = list(rows)
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    for number, row in enumerate((heads, tuple("-" * width for width in widths), *rows)):
        cells = (
            cell.ljust(w) if n == 0 or number == 1 else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        out("| " + " | ".join(cells) + " |\n")


def figures(results: Results, out: Callable[[str], object] = sys.stdout.write) -> None:
    """Every job's figures in a table, section by section, each beside the raw driver of its database."""
    sections = list(dict.fromkeys(name[0] for name in results))
    for section in sections:
        out(f"\n## {section}\n\n")
        mine = {name: rounds for name, rounds in results.items() if name[0] == section}
        columns = [c for c in COLUMNS if any(c[0] in round_ for rounds in mine.values() for round_ in rounds)]
        heads = ("", "rounds", *(head for _, head, _ in columns), *(("÷ raw",) if section in RAW else ()))
        table((_row(results, name, columns, section) for name in mine), heads, out)


RAW = ("engine", "growth", "product", "peers")
COLUMNS = (  # figure, its head, its digits
    ("per_s", "bookings/s", 1),
    ("p50", "p50 ms", 1),
    ("p95", "p95 ms", 1),
    ("apart50", "independent p50", 1),
    ("apart95", "independent p95", 1),
    ("chain50", "chain p50", 1),
    ("chain95", "chain p95", 1),
    ("book50", "book() p50", 1),
    ("lost", "lost", 0),
    ("twice", "twice", 0),
    ("first_mb", "host MB at first", 0),
    ("host_mb", "host MB", 0),
)


def _row(results: Results, name: Name, columns: list, section: str) -> tuple[str, ...]:
    rounds = results[name]
    cells = [", ".join(name[1:]), str(len(rounds))]
    for figure, _, digits in columns:
        found = [round_[figure] for round_ in rounds if round_.get(figure) is not None]
        cells.append(_range(found, digits) if found else "")
    if section in RAW:
        share = ratio(results, name, ("raw", name[1], "driver", "burst"), "per_s") if name[-1] == "burst" else None
        cells.append("" if share is None else f"{share:.2f}")
    return tuple(cells)


def _range(found: list[float], digits: int) -> str:
    if digits == 0:
        return f"{max(found):.0f}"
    middle_ = f"{median(found):.{digits}f}"
    return middle_ if len(found) == 1 else f"{middle_} [{min(found):.{digits}f}..{max(found):.{digits}f}]"


def verdicts(bars: Iterable[Bar], out: Callable[[str], object] = sys.stdout.write) -> bool:
    """Prints each bar; answers whether none was missed."""
    bars = list(bars)
    out("\n## bars\n\n")
    rows = [
        (
            bar.what,
            "–" if bar.measured is None else f"{bar.measured:.2f}{bar.unit}",
            f"{bar.sign} {bar.limit:g}{bar.unit}",
            bar.beside,
            bar.verdict,
        )
        for bar in bars
    ]
    table(rows, ("bar", "measured", "asked", "beside", "verdict"), out)
    return all(bar.verdict != "MISS" for bar in bars)
